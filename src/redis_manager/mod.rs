//! The Redis manager: one multiplexed connection of redis-rs per service. Here: where Redis is and how to
//! log in; as a URL in [`url`]. Connecting is in [`stream`], [`happy_eyeballs`], [`tls`], [`connect`] and [`handshake`]; finding a primary by
//! Sentinel in [`sentinel`];
//! which servers the member cache trusts in [`tracking_support`], whether one is still the primary in [`role`], batches in [`connection`], hearing that the server lives in [`read_activity`], what it
//! says that must not be repeated in [`redact`], what is there in [`scan`], `clean` in [`clean`],
//! whether one server has all keys in [`slot_coverage`]; queueing, deadlines and
//! reconnecting are the driver's.

mod clean;
mod connect;
mod connection;
mod handshake;
mod happy_eyeballs;
mod read_activity;
mod redact;
mod role;
mod scan;
mod sentinel;
mod slot_coverage;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod tracking_support;
mod url;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32},
    },
};

use redis::ServerError;

use crate::{cache::Unpaid, keys::Key, list_lru::Bounds, stats::Stats};

pub use self::{
    connection::RedisConnection,
    sentinel::Sentinels,
    tls::{Identity, KeyFault, Name, Roots, Tls, Trust, authorities, identity},
    url::{URL_FORMS, UrlFault},
};

use self::sentinel::FailoverWatch;

// For redis_cluster, which speaks to many servers at once.
pub(crate) use self::{
    connection::{command, list},
    handshake::passes,
    role::is_demoted,
    scan::{Halt, found},
};

/// Where a Redis listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// Host and port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How the server to talk to is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// It is always this one.
    Server(Address),
    /// The sentinels know.
    Sentinel(Sentinels),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) => address.fmt(f),
            Self::Sentinel(sentinels) => sentinels.fmt(f),
        }
    }
}

/// Where Redis is and how to log in. `Debug` is not derived: it would show the password.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The database to select.
    pub db: u64,
    /// The ACL user, if not the default one.
    pub username: Option<String>,
    /// The password, if one is needed.
    pub password: Option<String>,
    /// How connections are secured, if they are.
    pub tls: Option<Tls>,
    /// What our keys begin with, all of which the server has to have; `None` = it is one node of many.
    pub stem: Option<Key>,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("endpoint", &self.endpoint)
            .field("db", &self.db)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl RedisOptions {
    /// Database 0 at `endpoint`, without a password.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            db: 0,
            username: None,
            password: None,
            tls: None,
            stem: Some(Key::new()),
        }
    }

    /// What may be the reason if an attempt to connect takes too long.
    pub(crate) fn timeout_hint(&self) -> Option<&'static str> {
        self.tls.as_ref()?.timeout_hint()
    }

    /// What must not be seen in an error or in the log, also not in the words of a server that repeats it.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let sentinels = match &self.endpoint {
            Endpoint::Sentinel(sentinels) => sentinels.password.as_deref(),
            Endpoint::Server(_) => None,
        };
        self.password.as_deref().into_iter().chain(sentinels)
    }
}

/// What the member cache may take, and where it can be tried out.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// How much it may keep.
    pub bounds: Bounds,
    /// A key that no channel has and that an ACL for our keys permits.
    pub probe: Key,
}

/// Where connections go.
#[derive(Debug)]
enum Place {
    /// Always here.
    Server(Address),
    /// To the primary of the moment.
    Elected(FailoverWatch),
}

/// Opens connections to one Redis, and remembers the last one so that it can be fenced off.
#[derive(Debug)]
pub struct RedisManager {
    options: RedisOptions,
    /// `None` = lists are read from Redis each time.
    cache: Option<CacheOptions>,
    last: Mutex<Option<handshake::Identity>>,
    /// What the last connection's reads left behind at the server.
    unpaid: Unpaid,
    place: Place,
    stats: Arc<Stats>,
    /// Whether a server that was found here was a primary.
    had_primary: AtomicBool,
    /// Whether the log was told that the cache is off.
    cache_off: AtomicBool,
    /// Attempts in a row that ended without an answer to HELLO.
    lost_hellos: AtomicU32,
}

impl RedisManager {
    /// A manager for `options`. Nothing is connected yet.
    #[must_use]
    pub fn new(options: RedisOptions, cache: Option<CacheOptions>, stats: Arc<Stats>) -> Arc<Self> {
        let place = match &options.endpoint {
            Endpoint::Server(address) => Place::Server(address.clone()),
            Endpoint::Sentinel(sentinels) => Place::Elected(FailoverWatch::new(Sentinels {
                tls: options.tls.clone(),
                ..sentinels.clone()
            })),
        };
        Arc::new(Self {
            options,
            cache,
            last: Mutex::new(None),
            unpaid: Unpaid::default(),
            place,
            stats,
            had_primary: AtomicBool::new(false),
            cache_off: AtomicBool::new(false),
            lost_hellos: AtomicU32::new(0),
        })
    }

    /// Whether another server may take this one's place.
    fn is_elected(&self) -> bool {
        matches!(self.place, Place::Elected(_))
    }
}

/// The server's own words, as they came over the wire.
pub(crate) fn words(error: &ServerError) -> Arc<str> {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()).into(),
        None => error.code().into(),
    }
}
