//! The options of a service: their names, types, limits and defaults, in one table of code. Those of one store
//! only are in [`store`].
//! Where the values come from (a JavaScript object) is the caller's business: see [`Source`].

mod addresses;
mod fan_out;
mod read;
mod redis;
mod store;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use self::read::{Reader, invalid, show};
pub use self::{
    fan_out::{FanOut, OnSlow},
    read::{Raw, Source},
    store::Store,
};
use crate::{error::Result, keys::KeyLayout};

/// What the member cache may take by default.
const CACHE_BYTES: usize = 64 << 20;

/// Every option name that is understood; `a.b` is `b` in the object `a`. 0.0.7 handed its options to `node_redis`; the names of
/// `node_redis` that have no meaning here are taken and ignored.
pub const NAMES: &[&str] = &[
    "store",
    "path",
    "durability",
    "localFileSystem",
    "host",
    "port",
    "url",
    "sentinels",
    "name",
    "sentinelUsername",
    "sentinelPassword",
    "cluster",
    "hashTag",
    "db",
    "prefix",
    "username",
    "password",
    "auth_pass",
    "tls",
    "tls.ca",
    "tls.cert",
    "tls.key",
    "tls.servername",
    "tls.rejectUnauthorized",
    "connectTimeout",
    "commandTimeout",
    "startTimeout",
    "pushTimeout",
    "maxQueue",
    "cleanOnStartUp",
    "channelManager",
    "cache",
    "cache.maxBytes",
    "rpcNoDelay",
    "fanOut",
    "fanOut.deflateThreshold",
    "fanOut.maxBuffered",
    "fanOut.onSlow",
    "fanOut.lists",
    "enable_offline_queue",
    "max_attempts",
    "retry_max_delay",
    "connect_timeout",
    // Of node_redis 0.10, without effect:
    "parser",
    "return_buffers",
    "detect_buffers",
    "socket_nodelay",
    "socket_keepalive",
    "no_ready_check",
    "command_queue_high_water",
    "command_queue_low_water",
];

/// What a service is built from.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first part of every key; empty means the default.
    pub prefix: String,
    /// Whether the name of a channel is the hash tag of its keys.
    pub hash_tag: bool,
    /// Whether `start` removes what is there.
    pub clean_on_start_up: bool,
    /// How many calls may be unanswered.
    pub max_queue: usize,
    /// How long a frontend may take to answer a push; `None` = for ever.
    pub push_timeout: Option<Duration>,
    /// Whether the RPC sockets of pushes are told not to wait for more to send.
    pub rpc_no_delay: bool,
    /// How a frontend sends one message to many sessions; `None` = as the framework does.
    pub fan_out: Option<FanOut>,
    /// How many bytes the member cache may take; `None` = there is none.
    pub cache: Option<usize>,
    /// When the driver gives up on what.
    pub limits: Limits,
    /// Where the members are kept.
    pub store: Store,
}

/// The driver's times and bounds. `None` = no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One attempt to connect.
    pub connect_timeout: Option<Duration>,
    /// From a call to its answer.
    pub command_timeout: Option<Duration>,
    /// From `start` to the first connection.
    pub start_timeout: Option<Duration>,
    /// How long `stop` waits for answers.
    pub drain: Duration,
    /// Whether calls wait while there is no connection.
    pub offline_queue: bool,
    /// Attempts to connect in a row before giving up.
    pub max_attempts: Option<u64>,
    /// The longest pause between two attempts.
    pub retry_cap: Duration,
    /// Time without a connection before giving up.
    pub give_up_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Some(Duration::from_secs(5)),
            command_timeout: Some(Duration::from_secs(5)),
            start_timeout: Some(Duration::from_secs(30)),
            drain: Duration::from_secs(1),
            offline_queue: true,
            max_attempts: None,
            retry_cap: Duration::from_secs(2),
            give_up_after: None,
        }
    }
}

impl Options {
    /// How keys are built.
    #[must_use]
    pub fn keys(&self) -> KeyLayout {
        KeyLayout::new(&self.prefix).with_hash_tag(self.hash_tag)
    }

    /// Reads and checks every option.
    pub fn parse(source: Source) -> Result<Self> {
        let read = Reader(source);
        if source("return_buffers") == Raw::Bool(true) {
            return Err(invalid(
                "return_buffers",
                "true",
                "false: members are strings",
            ));
        }
        if !matches!(
            source("channelManager"),
            Raw::Absent | Raw::Bool(false) | Raw::Object | Raw::List(_) | Raw::Other(_)
        ) {
            let shown = show(&source("channelManager"));
            return Err(invalid(
                "channelManager",
                &shown,
                "a manager object, a factory function or a class",
            ));
        }
        let store = Store::parse(&read)?;
        let hash_tag = read.flag("hashTag")?.unwrap_or(false);
        let default = Limits::default();
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default();
        Ok(Self {
            prefix: prefix(&read, &store, hash_tag)?,
            hash_tag,
            clean_on_start_up: read.truthy("cleanOnStartUp"),
            max_queue: usize::try_from(
                read.integer("maxQueue", 1, u64::from(u32::MAX))?
                    .unwrap_or(100_000),
            )
            .unwrap_or(usize::MAX),
            push_timeout: read.time("pushTimeout", Duration::from_secs(10))?,
            rpc_no_delay: read.flag("rpcNoDelay")?.unwrap_or(true),
            fan_out: fan_out::fan_out(&read)?,
            cache: cache(&read)?,
            limits: Limits {
                connect_timeout: read.time("connectTimeout", seconds(default.connect_timeout))?,
                command_timeout: read.time("commandTimeout", seconds(default.command_timeout))?,
                start_timeout: read.time("startTimeout", seconds(default.start_timeout))?,
                drain: default.drain,
                offline_queue: read.flag("enable_offline_queue")?.unwrap_or(true),
                max_attempts: read.node_redis("max_attempts")?,
                retry_cap: read
                    .node_redis("retry_max_delay")?
                    .map_or(default.retry_cap, Duration::from_millis),
                give_up_after: read
                    .node_redis("connect_timeout")?
                    .map(Duration::from_millis),
            },
            store,
        })
    }
}

fn prefix(read: &Reader, store: &Store, hash_tag: bool) -> Result<String> {
    let prefix = read.text("prefix")?.unwrap_or_default();
    let keys = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
    keys.check_prefix()?;
    // The shortest of its keys has an empty name and an empty sid.
    store.sizes().check_prefix(&keys)?;
    Ok(prefix)
}

fn cache(read: &Reader) -> Result<Option<usize>> {
    match (read.0)("cache") {
        Raw::Bool(false) => Ok(None),
        Raw::Absent | Raw::Bool(true) => Ok(Some(CACHE_BYTES)),
        Raw::Object => {
            let given = read.integer("cache.maxBytes", 1, 1 << 40)?;
            Ok(Some(given.map_or(CACHE_BYTES, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX)
            })))
        }
        other => Err(invalid(
            "cache",
            &show(&other),
            "true, false or {maxBytes: <bytes>}",
        )),
    }
}
