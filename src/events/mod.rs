//! Changes of channels, told to every process that watches them (option `events`, `channel.watch`).
//!
//! **What is published.** A step that changes the members of a channel on a frontend publishes that in the same step, and
//! only if it changed something: on one Redis it is a script that ends with a `PUBLISH` ([`crate::redis_manager`],
//! `event_scripts.rs`), in the embedded store a row that is written in the same transaction ([`crate::embedded`],
//! `events.rs`). So there is no change of a process with the option without its message, none is announced that was
//! not made, and the messages are in the order of the changes. A command that is sent again after a lost connection finds
//! nothing to change, and is silent. What processes without the option change, 0.0.7 among them, is not published.
//!
//! **What a message is** ([`message`]): one or several changes, each with its kind, its reason, the channel, the frontend
//! and the uids. A change that made the first member of a channel anywhere, or removed the last one, is marked: the script
//! looks at the channel on all frontends in the index `PREFIX@sids`, but only if the channel was, or is now, empty on the
//! frontend of the change. There is no counter that could be wrong. That needs all keys on one server; [`occupancy`] does it in a
//! Redis Cluster, in the process that watches.
//!
//! **How late it is.** A change has the time at which its process has sent it, by the wall clock of that machine. The
//! receiver subtracts it from its own when JavaScript takes the change. The time of the server, asked for in the
//! script, would have one clock in place of many, but costs it 1 to 2 µs for each change, a sixth of a call of `add`,
//! and one more right; and what waits for a server that hangs would not be late.
//!
//! **What is received** ([`listener`]): on Redis by a connection of its own, which is open only while something is watched. All
//! messages of a prefix arrive there; what is not watched is dropped before it reaches JavaScript ([`filter`]). What is
//! watched waits in a bounded buffer ([`feed`]) until the JavaScript thread takes it.
//!
//! **Gaps.** Publish and subscribe has no memory, so a receiver is told whenever it may have missed a change: when the
//! subscription begins, when it is there again after a lost connection, after a failover, or after the server has closed it
//! because its output buffer was full; and when the buffer here was full, whose contents are dropped then. A gap comes after
//! the subscription is there, so what is read after it is complete: each later change is an event.
//!
//! A connection that is silent is pinged, so that one whose other end has vanished does not look like a quiet one. Behind
//! Sentinel it is left as soon as a failover is known, as that of the calls.

pub mod feed;
mod filter;
pub mod listener;
pub mod message;
pub mod occupancy;

use std::time::SystemTime;

use crate::keys::{Key, index_of};

/// Where changes are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publishing {
    /// The channel of publish and subscribe. Its name has the database, since the server's channels are not in one.
    pub channel: Vec<u8>,
    /// What the keys of all channels begin with; other keys are not published.
    pub stem: Key,
    /// The set of the frontends that have members.
    pub sids: Key,
}

impl Publishing {
    /// Makes the place of the changes under the prefix with this stem in a database.
    #[must_use]
    pub fn new(stem: Key, db: u64) -> Self {
        let prefix = stem.strip_suffix(b":").unwrap_or(&stem);
        let db = db.to_string();
        Self {
            channel: [prefix, b"@events:", db.as_bytes()].concat(),
            sids: index_of(&stem),
            stem,
        }
    }

    /// Returns the channel of a node of a Redis Cluster ([`crate::redis_cluster`], `subscription.rs`).
    #[must_use]
    pub fn of_node(&self, id: &[u8]) -> Vec<u8> {
        [&self.channel, &b":"[..], id].concat()
    }

    /// Returns whether changes of this key are published: it is that of a channel on a frontend.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        key.starts_with(&self.stem)
    }
}

/// Returns the wall clock of this machine, in microseconds since 1970.
#[must_use]
pub fn clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Why a receiver may have missed changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The subscription has begun.
    Start,
    /// It was lost, and is there again.
    Reconnect,
    /// Slots of a Redis Cluster have moved, and changes of their keys may have come in another order.
    Moved,
    /// There were more changes than the buffer holds.
    Overrun,
    /// A message could not be read, such as one of a later version of this package.
    Unreadable,
}

impl Gap {
    /// Returns its name in JavaScript.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reconnect => "reconnect",
            Self::Moved => "moved",
            Self::Overrun => "overrun",
            Self::Unreadable => "unreadable",
        }
    }
}
