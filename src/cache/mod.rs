//! The member cache of one connection: answers reads from memory, with the same results as reading the store each time.
//! A pure state machine: calls, replies and pushes go in, commands for the wire and finished calls come out; no socket,
//! no clock. `redis_manager::connection` is the loop around it.
//!
//! **Why it works.** With `CLIENT TRACKING` the server remembers what this connection read after a `CLIENT CACHING
//! YES`, and writes an *invalidation* into our socket while it executes a change of it: before the reply to anything
//! that it executes for us afterwards. So a list in memory is current at a moment if a command that was executed at
//! that moment has been answered and no invalidation came before the answer. That command is the *barrier*, one for a
//! batch however many reads it covers.
//!
//! **The life of a read** of key k ([`form`], [`fallback`], [`settle`], [`repair`]):
//!
//! 1. k is in memory and no write of ours to it is under way: the read is a *candidate*. Otherwise
//!    `SMEMBERS k` is placed, or the one joined that is placed in this batch already. One that was
//!    sent is joined only by a call that was made before it was sent, and waited ([`recent`]); it may have been executed
//!    before other calls were made.
//! 2. At the end of a batch with candidates stands the barrier: `TOUCH` of the keys whose lists have members, which
//!    must count them all, and `TOUCH` of those whose lists are empty, which must count none. Unlike `PING` it notices
//!    keys that expired without being deleted, and keeps the server's own LRU right. A node of a Redis Cluster takes keys
//!    of one slot in a command, so there it is one `TOUCH` of each kind for each slot, each for its own keys
//!    ([`Session::by_slot`]).
//! 3. When the barrier is answered, a candidate is served if the very same list is still in memory.
//!    If not, its *fallback* answers it, or it is read again before anything newer is sent.
//! 4. A fallback is a `SMEMBERS k` that was placed meanwhile. A write of ours to k places one directly
//!    before itself: otherwise `pushMessage(ch); leave(ch, u)` could lose u's message, because
//!    our own write kills the candidate, and the second reading comes after the leave.
//!
//! **Order.** Calls appear to take effect in call order: what a call reads again, all later unanswered calls read again
//! too, and the keys of one call are read again together, unless a later write of ours to one of them has been sent. Those
//! of them that are still in memory become candidates of the pipeline that reads again, once: what fails there is read.
//! Finished calls are released in call order. A read that is not of members is never kept and goes to the store
//! unchanged: in this order it counts as a write, with a fallback directly before it, but it changes nothing.
//!
//! **What the server remembers** is bounded by the channels that exist ([`entries`], [`dead_keys`]). An empty list is
//! not tracked: the barrier itself proves that its key still does not exist. A list with members is tracked from its
//! second read on. A tracked read of a key that is gone by then is undone.
//!
//! **Filling.** A reply fills the memory only if it was tracked, and if each invalidation of its key that came since
//! the command was formed arrived before the reply (it has its *place* among them: [`Answer::Tracked`]). The server
//! writes both into the socket in the order in which it executes reads and changes, so the list shows a change that was
//! reported before it; ours are, since `SMEMBERS` follows them. What else is being loaded does not matter: batches
//! overlap. A list that is in memory already and says the same keeps its version, so that candidates of it stay good.
//! One session serves one connection and dies with it, so that nothing from before a reconnect can ever be served after
//! it.

mod calls;
mod dead_keys;
mod entries;
#[cfg(any(test, feature = "failpoints"))]
mod failpoints;
mod fallback;
mod form;
mod recent;
mod repair;
mod settle;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use self::{
    calls::{Calls, CommandId, OpId},
    dead_keys::DeadKeys,
    entries::{Entries, Ready},
    recent::Recent,
};
pub use self::{dead_keys::InheritedKeys, settle::Settled};
use crate::{
    command::{Op, Reply},
    error::Result,
    list::List,
    list_lru::{Bounds, SharedKey},
    stats::Stats,
};

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// A command for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// The command with this index in the batch, unchanged: a write, or a read that the store answers itself.
    Command {
        /// Its index.
        index: usize,
        /// What it does.
        op: Op,
        /// How many keys it has.
        keys: usize,
    },
    /// `SMEMBERS`, untracked.
    Members(SharedKey),
    /// `CLIENT CACHING YES` and directly after it `SMEMBERS`: the server tracks the key and reports its next change.
    Tracked(SharedKey),
    /// `TOUCH`.
    Touch(Vec<SharedKey>),
    /// The script that has the server forget keys that do not exist (`dead_keys.rs`).
    Forget(Vec<SharedKey>),
}

impl Wire {
    /// Returns whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        !matches!(
            self,
            Self::Command {
                op: Op::Write(_),
                ..
            }
        )
    }
}

/// Commands to be sent as one pipeline, at once: the order of the pipelines is part of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number by which the answers are assigned.
    pub no: u64,
    /// The commands in order. May be empty; then there is no answer either.
    pub wire: Vec<Wire>,
}

/// The answer to one command on the wire.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The answer to a command that was placed unchanged.
    Command(Result<Reply>),
    /// The answer to `SMEMBERS`.
    List(Result<Arc<List>>),
    /// The answers to `CLIENT CACHING YES` and to the `SMEMBERS` after it.
    Tracked {
        /// Whether the first was granted.
        granted: bool,
        /// How many pushes ([`Session::pushed`]) arrived before the second; 0 if that is not known.
        pushes: u64,
        /// The second.
        list: Result<Arc<List>>,
    },
    /// The answer to `TOUCH`; `None` if it is not a number.
    Touched(Option<usize>),
    /// Whether the script ran.
    Forgot(bool),
}

/// A report of changes from the server.
#[derive(Debug, Clone, Copy)]
pub enum Invalidation<'a> {
    /// One key; a report may hold several.
    Key(&'a [u8]),
    /// All keys.
    All,
}

/// The member cache of one connection, which it does not outlive.
#[derive(Debug, Clone)]
pub struct Session {
    /// The last number given to a batch, a token or a version; never reset.
    last: u64,
    entries: Entries,
    recent: Recent,
    dead_keys: DeadKeys,
    /// Calls that are not released yet.
    calls: Calls,
    /// Unanswered pipelines, in the order in which they were sent.
    flights: VecDeque<Flight>,
    /// Keys with writes of ours, or candidates, under way.
    busy: HashMap<SharedKey, Busy>,
    stats: Arc<Stats>,
    /// How many pushes have arrived.
    pushes: u64,
    /// Whether a command may have keys of one slot only.
    by_slot: bool,
}

#[derive(Debug, Clone, Default)]
struct Busy {
    /// Unanswered writes of ours.
    writes: usize,
    /// Groups of candidates without a fallback: flight and index.
    groups: Vec<(u64, usize)>,
}

/// An unanswered pipeline.
#[derive(Debug, Clone)]
struct Flight {
    no: u64,
    slots: Vec<Slot>,
    groups: Vec<Group>,
    /// The barrier, at the end of the pipeline.
    barrier: Vec<Touch>,
    /// Whether it repairs others. What fails in it is read from the store, so that no read fails for ever.
    is_repair: bool,
    /// Answers that arrived before those of earlier pipelines.
    answers: Option<Vec<Answer>>,
}

/// One `TOUCH` of a barrier.
#[derive(Debug, Clone)]
struct Touch {
    /// The groups whose keys it has.
    groups: Vec<usize>,
    /// How many of the keys must exist: all, if their lists have members, or none.
    expected: usize,
}

#[derive(Debug, Clone)]
enum Slot {
    Command {
        at: OpId,
        keys: Arc<[SharedKey]>,
        is_write: bool,
    },
    Load {
        key: SharedKey,
        token: u64,
        /// Whether the read is tracked.
        tracked: bool,
        waiters: Vec<OpId>,
    },
    /// The script for dead keys.
    Forget(Vec<SharedKey>),
}

/// The candidates of one key in one batch.
#[derive(Debug, Clone)]
struct Group {
    key: SharedKey,
    ready: Ready,
    members: Vec<OpId>,
    fallback: Option<CommandId>,
    /// Whether they have become plain reads.
    dissolved: bool,
    /// The list, once the barrier has confirmed it.
    list: Option<Arc<List>>,
}

impl Session {
    /// Makes the session of a new connection; without `bounds` nothing is kept.
    #[must_use]
    pub fn new(bounds: Option<Bounds>, stats: Arc<Stats>) -> Self {
        let entries = Entries::new(bounds, stats.clone());
        Self {
            last: 0,
            entries,
            recent: Recent::default(),
            dead_keys: DeadKeys::default(),
            calls: Calls::default(),
            flights: VecDeque::new(),
            busy: HashMap::default(),
            stats,
            pushes: 0,
            by_slot: false,
        }
    }

    /// Makes it the session of a node of a Redis Cluster: `TOUCH` and the script for dead keys have keys of one slot each.
    #[must_use]
    pub fn by_slot(self) -> Self {
        Self {
            by_slot: true,
            ..self
        }
    }

    /// Splits keys, or what has keys, into those of each command.
    fn split<T>(&self, items: Vec<T>, slot: impl Fn(&T) -> u16) -> Vec<Vec<T>> {
        if items.is_empty() {
            return Vec::new();
        }
        if !self.by_slot {
            return vec![items];
        }
        let mut parts: Vec<Vec<T>> = Vec::new();
        let mut places: HashMap<u16, usize> = HashMap::default();
        for item in items {
            let next = parts.len();
            let place = *places.entry(slot(&item)).or_insert(next);
            if place == next {
                parts.push(Vec::with_capacity(1));
            }
            parts[place].push(item);
        }
        parts
    }

    /// Counts a push of the server, of any kind, before it is handled: reports have their places among the replies by it.
    pub fn pushed(&mut self) {
        self.pushes += 1;
    }

    /// Handles reports of changes, in the order in which they arrive.
    pub fn invalidate(&mut self, what: Invalidation) {
        self.stats.cache.invalidations.add(1);
        match what {
            Invalidation::Key(key) => {
                self.entries.changed(key, self.pushes);
                self.dead_keys.remove(key);
            }
            Invalidation::All => {
                self.entries.clear();
                self.dead_keys.clear();
            }
        }
    }

    /// Takes over the dead keys of the last connection, and leaves this one's in the same place when it ends.
    pub fn inherit(&mut self, keys: &InheritedKeys) {
        self.dead_keys.inherit(keys);
    }

    /// Drops every list in memory; loads under way fill nothing. Used when reports of the server cannot be trusted any
    /// more. Calls are still answered.
    pub fn distrust(&mut self) {
        self.entries.clear();
        self.recent.clear();
    }

    /// Drops everything because the connection is gone. No call is answered any more.
    pub fn close(&mut self) {
        self.entries.clear();
        self.recent.clear();
        let slots = self.flights.drain(..).flat_map(|flight| flight.slots);
        self.dead_keys.leave(slots.flat_map(|slot| match slot {
            // It is unknown whether these were executed.
            Slot::Load {
                key, tracked: true, ..
            } => vec![key],
            Slot::Forget(keys) => keys,
            _ => Vec::new(),
        }));
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}
