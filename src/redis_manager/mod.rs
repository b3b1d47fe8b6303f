//! The Redis manager: one multiplexed connection of redis-rs per service.
//!
//! - [`settings`], [`server_address`], [`host`], [`url`]: where Redis is; [`login`]: how to log in; [`nat_map`]: which
//!   addresses are used in place of announced ones.
//! - [`resolver`], [`stream`], [`happy_eyeballs`], [`tls`]: names and sockets; [`read_activity`]: noticing that data arrives;
//!   [`first_line`]: what a server says before it closes.
//! - [`connect`]: reaching the server or the primary; [`open`], [`attempts`], [`handshake`], [`first_commands`]: opening a
//!   connection; [`tracking_support`]: which servers support the member cache; [`tracking`]: turning their reports of changes
//!   on; [`slot_coverage`]: whether one server has all keys.
//! - [`sentinel`]: finding the primary by Sentinel; [`role`]: whether the server is still the primary.
//! - [`fallbacks`]: commands that the server lacks, and what is sent instead.
//! - [`wire`]: lists, as they are received.
//! - [`connection`], [`pipeline`], [`state`]: batches; [`scan`], [`clean`], [`inventory`]: what the server holds.
//! - [`event_scripts`], [`event_texts`], [`subscription`]: publishing what changes, and hearing of it ([`crate::events`]).
//! - [`membership_scripts`], [`member_groups`], [`kept_scripts`], [`entering`], [`entry_scripts`]: the index of
//!   members, and what is kept of it.
//! - [`server_errors`]: what a server's errors mean; [`redact`]: secrets in what it says.
//!
//! Queueing, deadlines and reconnecting are the driver's.

mod attempts;
mod clean;
mod codec;
mod connect;
mod connection;
mod entering;
mod entry_scripts;
mod event_scripts;
mod event_texts;
mod fallbacks;
mod first_commands;
mod first_line;
mod group_script;
mod handshake;
mod happy_eyeballs;
mod host;
mod inventory;
mod kept_scripts;
mod keyspace;
mod lease_scripts;
mod login;
mod member_groups;
mod membership_scripts;
mod nat_map;
mod open;
mod pages;
mod pipeline;
mod read_activity;
mod redact;
mod resolver;
mod role;
mod scan;
mod sentinel;
mod server_address;
mod server_errors;
mod settings;
mod slot_coverage;
mod state;
mod stream;
mod subscription;
#[cfg(test)]
mod tests;
mod tls;
mod tracking;
mod tracking_support;
mod url;
mod wire;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use crate::{cache::InheritedKeys, stats::Stats};

pub use self::{
    connection::RedisConnection,
    host::{HostFault, host_and_port, host_fault, is_harmless, socket_path},
    login::{Asked, LoginOptions},
    nat_map::NatMap,
    sentinel::Sentinels,
    server_address::Address,
    settings::{CacheOptions, Endpoint, RedisOptions},
    tls::{KeyFault, Name, Roots, Tls, Trust, authorities, identity},
    url::{SentinelUrl, StoreUrl, Topology, URL_FORMS, UrlFault},
};

use self::{attempts::Attempts, sentinel::FailoverWatch, server_errors::unreachable};

// Used by redis_cluster, which connects to many servers at once.
pub(crate) use self::{
    codec::{SideEffects, command, decode, encode_one, wrote},
    entry_scripts::{
        Entries, UNCERTAIN, begin_back, end_back, entered, indexed, keep, leaving, restored,
        unkeep, unkeep_last,
    },
    event_scripts::EventScripts,
    fallbacks::{Commands, Missing, exact},
    inventory::{count, is_no_set, kind, list_members, member_scan, version},
    kept_scripts::marks,
    keyspace::{field_scan, list_fields},
    lease_scripts::lease,
    pages::RedisPages,
    scan::{ScanError, ScanResult, found, only_sets},
    server_errors::{connect_error, words},
    slot_coverage::probes,
    subscription::Heard,
};

/// The server to connect to.
#[derive(Debug)]
enum Target {
    /// Always this one.
    Server(Address),
    /// The present primary, by Sentinel.
    Primary(FailoverWatch),
}

/// What the log is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Note {
    NeedlessPassword,
    BareHandshake,
}

/// Opens connections to one Redis, and remembers the last one so that it can be fenced off.
#[derive(Debug)]
pub struct RedisManager {
    options: RedisOptions,
    /// `None` means that lists are read from Redis each time.
    cache: Option<CacheOptions>,
    last: Mutex<Option<handshake::Identity>>,
    /// Dead keys of the last connection: see [`crate::cache`].
    dead_keys: InheritedKeys,
    target: Target,
    stats: Arc<Stats>,
    /// Whether one of the servers so far was a primary.
    had_primary: AtomicBool,
    /// Whether the log has said that the cache is off.
    cache_off: AtomicBool,
    attempts: Attempts,
    /// The kinds of notes that the log has had.
    told: Mutex<HashSet<Note>>,
}

impl RedisManager {
    /// Makes a manager for `options`. It connects to nothing yet.
    #[must_use]
    pub fn new(options: RedisOptions, cache: Option<CacheOptions>, stats: Arc<Stats>) -> Arc<Self> {
        let target = match &options.endpoint {
            Endpoint::Server(address) => Target::Server(address.clone()),
            Endpoint::Sentinel(sentinels) => Target::Primary(FailoverWatch::new(Sentinels {
                secrets: options.secrets(),
                ..sentinels.clone()
            })),
        };
        Arc::new(Self {
            options,
            cache,
            last: Mutex::new(None),
            dead_keys: InheritedKeys::default(),
            target,
            stats,
            had_primary: AtomicBool::new(false),
            cache_off: AtomicBool::new(false),
            attempts: Attempts::default(),
            told: Mutex::default(),
        })
    }

    /// Returns a note for the log, unless it has had one of its kind.
    fn once(&self, kind: Note, note: String) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(kind).then_some(note)
    }

    /// Whether another server may take this one's place.
    fn is_elected(&self) -> bool {
        matches!(self.target, Target::Primary(_))
    }
}
