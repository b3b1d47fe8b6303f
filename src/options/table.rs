//! The table of options, with a row for each option. It is the only source of option names: reading the JavaScript
//! object, refusing options of other stores, removing secrets from a server's messages, and what `console.log` shows of
//! an instance all use it, and so do the tests. One test compares it with docs/OPTIONS.md and index.d.ts.
//!
//! The kinds of values are defined in [`super::kinds`] and read in [`super::read`].

use super::kinds::{
    AddressMap, Addresses, Alias, Flag, Ignored, Integer, Kind, Methods, NodeRedis, Path, Pem,
    Secret, Switch, Text, Time, Truthy, User, Word,
};
use crate::{embedded::Durability, keys::DEFAULT_PREFIX, redis_manager::URL_FORMS};

/// A row of the table: one option.
#[derive(Debug)]
pub struct Row<K: ?Sized = dyn Kind> {
    /// The name; `a.b` is field `b` of the object that option `a` takes.
    pub name: &'static str,
    /// The stores that the option is for.
    pub store: For,
    /// Whether the value may be shown.
    pub seen: Seen,
    /// The kind of value, with its limits and its default.
    pub kind: K,
}

impl Row {
    /// Returns whether the value, given by this name, may be a function of the app.
    #[must_use]
    pub fn may_be_function(&self) -> bool {
        let name = self.kind.stands_for().unwrap_or(self.name);
        let mut rows = TABLE.iter();
        rows.any(|row| row.name == name && row.kind.may_be_function())
    }
}

/// The stores that an option is for. With another store the option is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// All stores.
    Any,
    /// Redis in all topologies.
    Redis,
    /// Redis with option `sentinels`.
    Sentinel,
    /// Redis with option `sentinels` or `cluster`: servers that announce the addresses of others.
    Announced,
    /// The embedded store.
    Embedded,
}

/// Whether the value of an option may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// `console.log` and `util.inspect` of an instance show it.
    Shown,
    /// They show `[hidden]`, because it may contain a password.
    Hidden,
    /// They show `[hidden]`, no error contains it, and it is removed from a server's messages.
    Secret,
}

const STRING: &str = "a string";
const SENTINEL_NAME: &str =
    "what the sentinels call the primary (mymaster, say), which option sentinels needs";
pub(super) const CERTIFICATE: &str =
    "certificates in PEM, as text or a Buffer (not the path of a file)";
pub(super) const KEY: &str =
    "the private key of the certificate in PEM, as text or a Buffer, without a passphrase";
const TLS_FORMS: &str = "true, false or {ca, cert, key, servername, rejectUnauthorized}";
const CACHE_FORMS: &str = "true, false or {maxBytes: <bytes>}";
const SOCKET_FORMS: &str =
    "{host, port, path, tls, ca, cert, key, servername, rejectUnauthorized, connectTimeout}";
const FAN_OUT_FORMS: &str = "true, false or {deflateThreshold, maxBuffered, onSlow, lists}";

// What replaces an option without effect.
const IS_ON: &str = "always so";
const READY: &str = "start waits until the server is ready";
const HEARTBEAT: &str = "silent connections get a heartbeat";
const INSTEAD_QUEUE: &str = "use maxQueue";
const RETRIES: &str = "use retry_max_delay and max_attempts";
const PRIMARY: &str = "the primary is used";
const ADDRESSES: &str = "all addresses of a host are tried";

const PORTS: u64 = u16::MAX as u64;
const DATABASES: u64 = i32::MAX as u64;
const CALLS: u64 = u32::MAX as u64;
const BYTES: u64 = 1 << 40;
/// A day, in milliseconds.
const LEASES: u64 = 86_400_000;
/// An hour, in milliseconds.
const LEAVES: u64 = 3_600_000;

macro_rules! options {
    ($($id:ident $name:literal $kind:ident $(<$of:ty>)? ($($value:expr),*) $store:ident $seen:ident;)*) => {
        $(pub(super) static $id: Row<$kind $(<$of>)?> = Row {
            name: $name,
            store: For::$store,
            seen: Seen::$seen,
            kind: $kind($($value),*),
        };)*

        /// All options; an object comes before its fields.
        pub static TABLE: &[&Row] = &[$(&$id),*];
    };
}

// Columns: the name in Rust and in JavaScript, the kind of value with its limits and its default, `For`, `Seen`.
options! {
    STORE             "store"                    Word<bool>(false, STORES)                           Any      Shown;
    PATH              "path"                     Path()                                              Any      Shown;
    DURABILITY        "durability"               Word<Durability>(Durability::Process, DURABILITIES) Embedded Shown;
    LOCAL_FILE_SYSTEM "localFileSystem"          Flag(false)                                         Embedded Shown;
    HOST              "host"                     Text(STRING, "127.0.0.1")                           Redis    Shown;
    PORT              "port"                     Integer(1..=PORTS, 6379)                            Redis    Shown;
    URL               "url"                      Text(URL_FORMS, "")                                 Redis    Hidden;
    SENTINELS         "sentinels"                Addresses(26379)                                    Redis    Shown;
    // Not an error without `sentinels`: an old configuration may have it for another purpose.
    NAME              "name"                     Text(SENTINEL_NAME, "")                             Redis    Shown;
    SENTINEL_USERNAME "sentinelUsername"         User()                                              Sentinel Hidden;
    SENTINEL_PASSWORD "sentinelPassword"         Secret()                                            Sentinel Secret;
    SENTINEL_TLS      "sentinelTls"              Switch(None, TLS_FORMS)                             Sentinel Hidden;
    SENTINEL_CA       "sentinelTls.ca"           Pem(CERTIFICATE)                                    Sentinel Hidden;
    SENTINEL_CERT     "sentinelTls.cert"         Pem(CERTIFICATE)                                    Sentinel Hidden;
    SENTINEL_KEY      "sentinelTls.key"          Pem(KEY)                                            Sentinel Secret;
    SENTINEL_SERVERNAME "sentinelTls.servername" Text(STRING, "")                                    Sentinel Hidden;
    SENTINEL_REJECT   "sentinelTls.rejectUnauthorized" Flag(true)                                    Sentinel Hidden;
    CLUSTER           "cluster"                  Addresses(6379)                                     Redis    Shown;
    NAT_MAP           "natMap"                   AddressMap()                                        Announced Hidden;
    HASH_TAG          "hashTag"                  Flag(false)                                         Redis    Shown;
    DB                "db"                       Integer(0..=DATABASES, 0)                           Redis    Shown;
    PREFIX            "prefix"                   Text(STRING, DEFAULT_PREFIX)                        Any      Shown;
    USERNAME          "username"                 User()                                              Redis    Hidden;
    PASSWORD          "password"                 Secret()                                            Redis    Secret;
    AUTH_PASS         "auth_pass"                Alias("password")                                   Redis    Secret;
    TLS               "tls"                      Switch(None, TLS_FORMS)                             Redis    Hidden;
    TLS_CA            "tls.ca"                   Pem(CERTIFICATE)                                    Redis    Hidden;
    TLS_CERT          "tls.cert"                 Pem(CERTIFICATE)                                    Redis    Hidden;
    TLS_KEY           "tls.key"                  Pem(KEY)                                            Redis    Secret;
    TLS_SERVERNAME    "tls.servername"           Text(STRING, "")                                    Redis    Hidden;
    TLS_REJECT        "tls.rejectUnauthorized"   Flag(true)                                          Redis    Hidden;
    CONNECT_TIMEOUT   "connectTimeout"           Time(5_000)                                         Any      Shown;
    COMMAND_TIMEOUT   "commandTimeout"           Time(5_000)                                         Any      Shown;
    START_TIMEOUT     "startTimeout"             Time(30_000)                                        Any      Shown;
    PUSH_TIMEOUT      "pushTimeout"              Time(10_000)                                        Any      Shown;
    MAX_QUEUE         "maxQueue"                 Integer(1..=CALLS, 100_000)                         Any      Shown;
    CLEAN_ON_START_UP "cleanOnStartUp"           Truthy(false)                                       Any      Shown;
    WAIT_FOR_START    "waitForStart"             Flag(false)                                         Any      Shown;
    CHANNEL_MANAGER   "channelManager"           Methods()                                           Any      Hidden;
    LOGGER            "logger"                   Methods()                                           Any      Hidden;
    CACHE             "cache"                    Switch(Some(true), CACHE_FORMS)                     Any      Shown;
    CACHE_MAX_BYTES   "cache.maxBytes"           Integer(1..=BYTES, 64 << 20)                        Any      Shown;
    RPC_NO_DELAY      "rpcNoDelay"               Flag(true)                                          Any      Shown;
    FAN_OUT           "fanOut"                   Switch(Some(true), FAN_OUT_FORMS)                   Any      Shown;
    // The default threshold of `ws` 8: compressing smaller messages saves nothing.
    FAN_OUT_DEFLATE   "fanOut.deflateThreshold"  Integer(0..=BYTES, 1024)                            Any      Shown;
    FAN_OUT_BUFFERED  "fanOut.maxBuffered"       Integer(0..=BYTES, 0)                               Any      Shown;
    FAN_OUT_ON_SLOW   "fanOut.onSlow"            Word<OnSlow>(OnSlow::Drop, ON_SLOW)                 Any      Shown;
    FAN_OUT_LISTS     "fanOut.lists"             Flag(true)                                          Any      Shown;
    SESSIONS          "sessions"                 Flag(false)                                         Any      Shown;
    LEASE_TTL         "leaseTtl"                 Integer(1_000..=LEASES, 60_000)                     Any      Shown;
    LEAVE_DELAY       "leaveDelay"               Integer(0..=LEAVES, 2_000)                          Any      Shown;
    MEMBERSHIP        "membership"               Word<Membership>(Membership::Persistent, MEMBERSHIPS) Any     Shown;
    EVENTS            "events"                 Flag(false)                                         Any      Shown;
    // Options of node_redis, to which 0.0.7 passed them on.
    OFFLINE_QUEUE     "enable_offline_queue"     Flag(true)                                          Any      Shown;
    MAX_ATTEMPTS      "max_attempts"             NodeRedis(0)                                        Any      Shown;
    RETRY_MAX_DELAY   "retry_max_delay"          NodeRedis(2_000)                                    Any      Shown;
    GIVE_UP_AFTER     "connect_timeout"          NodeRedis(0)                                        Any      Shown;
    // Names of other clients for options of ours, and the object in which node-redis 4 has some of them.
    OFFLINE_ALIAS     "enableOfflineQueue"       Alias("enable_offline_queue")                       Any      Shown;
    MAX_QUEUE_ALIAS   "commandsQueueMaxLength"   Alias("maxQueue")                                   Any      Shown;
    DB_ALIAS          "database"                 Alias("db")                                         Redis    Shown;
    USER_ALIAS        "user"                     Alias("username")                                   Redis    Hidden;
    SOCKET            "socket"                   Switch(None, SOCKET_FORMS)                          Redis    Hidden;
    SOCKET_HOST       "socket.host"              Alias("host")                                       Redis    Hidden;
    SOCKET_PORT       "socket.port"              Alias("port")                                       Redis    Hidden;
    SOCKET_PATH       "socket.path"              Alias("path")                                       Redis    Hidden;
    SOCKET_TLS        "socket.tls"               Alias("tls")                                        Redis    Hidden;
    SOCKET_CA         "socket.ca"                Alias("tls.ca")                                     Redis    Hidden;
    SOCKET_CERT       "socket.cert"              Alias("tls.cert")                                   Redis    Hidden;
    SOCKET_KEY        "socket.key"               Alias("tls.key")                                    Redis    Hidden;
    SOCKET_SERVERNAME "socket.servername"        Alias("tls.servername")                             Redis    Hidden;
    SOCKET_REJECT     "socket.rejectUnauthorized" Alias("tls.rejectUnauthorized")                     Redis    Hidden;
    SOCKET_TIMEOUT    "socket.connectTimeout"    Alias("connectTimeout")                             Redis    Hidden;
    // Options of other clients that have no effect: of node_redis 0.10, to which 0.0.7 passed them on, and of later
    // ones, ioredis and node-redis 4.
    PARSER            "parser"                   Ignored("")                                         Any      Hidden;
    RETURN_BUFFERS    "return_buffers"           Ignored("")                                         Any      Hidden;
    DETECT_BUFFERS    "detect_buffers"           Ignored("")                                         Any      Hidden;
    SOCKET_NODELAY    "socket_nodelay"           Ignored(IS_ON)                                      Any      Hidden;
    SOCKET_KEEPALIVE  "socket_keepalive"         Ignored(HEARTBEAT)                                  Any      Hidden;
    NO_READY_CHECK    "no_ready_check"           Ignored(READY)                                      Any      Hidden;
    HIGH_WATER        "command_queue_high_water" Ignored(INSTEAD_QUEUE)                              Any      Hidden;
    LOW_WATER         "command_queue_low_water"  Ignored(INSTEAD_QUEUE)                              Any      Hidden;
    RETRY_STRATEGY    "retry_strategy"           Ignored(RETRIES)                                    Any      Hidden;
    RETRY_UNFULFILLED "retry_unfulfilled_commands" Ignored(IS_ON)                                      Any      Hidden;
    STRING_NUMBERS    "string_numbers"           Ignored("")                                         Any      Hidden;
    RETRY_STRATEGY_2  "retryStrategy"            Ignored(RETRIES)                                    Any      Hidden;
    RECONNECT_ON_ERROR "reconnectOnError"         Ignored(RETRIES)                                    Any      Hidden;
    MAX_RETRIES       "maxRetriesPerRequest"     Ignored("use commandTimeout")                       Any      Hidden;
    ANSWER_TIMEOUT    "socketTimeout"            Ignored("use commandTimeout")                       Any      Hidden;
    LAZY_CONNECT      "lazyConnect"              Ignored("start connects")                           Any      Hidden;
    READY_CHECK       "enableReadyCheck"         Ignored(READY)                                      Any      Hidden;
    KEY_PREFIX        "keyPrefix"                Ignored("use prefix")                               Any      Hidden;
    FAMILY            "family"                   Ignored(ADDRESSES)                                  Any      Hidden;
    KEEP_ALIVE        "keepAlive"                Ignored(HEARTBEAT)                                  Any      Hidden;
    NO_DELAY          "noDelay"                  Ignored(IS_ON)                                      Any      Hidden;
    CONNECTION_NAME   "connectionName"           Ignored("")                                         Any      Hidden;
    READ_ONLY         "readOnly"                 Ignored(PRIMARY)                                    Any      Hidden;
    ROLE              "role"                     Ignored(PRIMARY)                                    Any      Hidden;
    RESEND            "autoResendUnfulfilledCommands" Ignored(IS_ON)                                      Any      Hidden;
    RESUBSCRIBE       "autoResubscribe"          Ignored("")                                         Any      Hidden;
    PIPELINING        "enableAutoPipelining"     Ignored(IS_ON)                                      Any      Hidden;
    SENTINEL_RETRY    "sentinelRetryStrategy"    Ignored("use startTimeout")                         Any      Hidden;
    SENTINEL_TLS_FLAG "enableTLSForSentinelMode" Ignored("use sentinelTls")                          Any      Hidden;
    REDIS_OPTIONS     "redisOptions"             Ignored("give its fields as options")               Any      Hidden;
    ROOT_NODES        "rootNodes"                Ignored("use cluster")                              Any      Hidden;
    SENTINEL_ROOT_NODES "sentinelRootNodes"        Ignored("use sentinels")                            Any      Hidden;
    DISABLE_OFFLINE   "disableOfflineQueue"      Ignored("use enable_offline_queue")                 Any      Hidden;
    PING_INTERVAL     "pingInterval"             Ignored(HEARTBEAT)                                  Any      Hidden;
    READ_ONLY_2       "readonly"                 Ignored(PRIMARY)                                    Any      Hidden;
    RESP              "RESP"                     Ignored("")                                         Any      Hidden;
    SOCKET_RECONNECT  "socket.reconnectStrategy" Ignored(RETRIES)                                    Redis    Hidden;
    SOCKET_FAMILY     "socket.family"            Ignored(ADDRESSES)                                  Redis    Hidden;
    SOCKET_KEEP_ALIVE "socket.keepAlive"         Ignored(HEARTBEAT)                                  Redis    Hidden;
    SOCKET_NO_DELAY   "socket.noDelay"           Ignored(IS_ON)                                      Redis    Hidden;
}

/// The values of `store`; `true` is the embedded store.
const STORES: &[(&str, bool)] = &[("redis", false), ("embedded", true)];

const DURABILITIES: &[(&str, Durability)] =
    &[("process", Durability::Process), ("os", Durability::Os)];

const ON_SLOW: &[(&str, OnSlow)] = &[("drop", OnSlow::Drop), ("close", OnSlow::Close)];

/// What is done about a client that reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSlow {
    /// The message is dropped.
    Drop,
    /// Its session is closed.
    Close,
}

impl OnSlow {
    /// Returns its name in option `onSlow`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let word = ON_SLOW.iter().find(|(_, meaning)| *meaning == self);
        word.map_or("", |(word, _)| word)
    }
}

const MEMBERSHIPS: &[(&str, Membership)] = &[
    ("persistent", Membership::Persistent),
    ("session", Membership::Session),
];

/// How long a member lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// Until he leaves, as in 0.0.7.
    Persistent,
    /// As long as the user has a session on the frontend.
    Session,
}

/// Returns the fields of the object that an option takes: their rows, and their names within it.
pub fn fields(option: &str) -> impl Iterator<Item = (&'static Row, &'static str)> + Clone + '_ {
    let field = move |row: &&'static Row| Some((*row, row.name.strip_prefix(option)?));
    let fields = TABLE.iter().filter_map(field);
    fields.filter_map(|(row, rest)| Some((row, rest.strip_prefix('.')?)))
}
