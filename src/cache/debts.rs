//! What our reads have made the server remember for nothing: keys that did not exist when they were read
//! with `CLIENT CACHING YES`. Redis forgets a tracked key when it is changed or removed, and a key that does not
//! exist any more may never be: channels of a match have names that do not come again. So these are *debts*, and
//! are paid.
//!
//! They are rare: an unknown key is read untracked, only one that was seen with members is read tracked, and an empty
//! list is never tracked on purpose. What is left is that somebody else removed the channel in between.
//!
//! **Paying** is a script that adds a member to each key and removes it, if the key does not exist: atomic, so that
//! nobody sees it, and a change, so that the server forgets the key (and reports it to us). A script and no `MULTI`:
//! Redis 6.2 sends the report within the reply of `EXEC`, where no client expects it.
//!
//! **The bound**: debts and tracked reads that are not answered are never more than [`MOST`]; beyond it lists are read
//! untracked. A server that is out of memory refuses the script, which is then tried again after ever more batches.

use std::sync::{Arc, Mutex, PoisonError};

use super::{HashSet, SharedKey};
use crate::failpoints::fail_point;

/// How many keys that do not exist the server may remember because of one connection.
pub(super) const MOST: usize = 1024;

/// So many are paid with one script, which must not hold up the server.
const AT_A_TIME: usize = 128;

/// Batches that pass at most between two attempts to pay.
const PATIENCE: u32 = 1024;

/// What a connection leaves behind when it ends, for the next one.
pub type Unpaid = Arc<Mutex<Vec<SharedKey>>>;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Debts {
    owed: HashSet<SharedKey>,
    /// Tracked reads that are not answered yet.
    reads: usize,
    /// Keys that are being paid.
    paying: usize,
    /// Batches until the next attempt, and how long the last pause was.
    wait: u32,
    pause: u32,
    unpaid: Unpaid,
}

impl Debts {
    pub(super) fn inherit(&mut self, unpaid: &Unpaid) {
        self.unpaid = unpaid.clone();
        let mut left = unpaid.lock().unwrap_or_else(PoisonError::into_inner);
        self.owed.extend(left.drain(..));
    }

    /// Whether one more read may be tracked; counts it.
    pub(super) fn may_read(&mut self) -> bool {
        let room = self.owed.len() + self.paying + self.reads < MOST;
        self.reads += usize::from(room);
        room
    }

    /// A tracked read was answered.
    pub(super) fn read(&mut self) {
        self.reads = self.reads.saturating_sub(1);
    }

    /// The server remembers this key, which does not exist.
    pub(super) fn owe(&mut self, key: &SharedKey) {
        self.owed.insert(key.clone());
    }

    /// The server has reported it, and so forgotten it.
    pub(super) fn forgotten(&mut self, key: &[u8]) {
        if !self.owed.is_empty() {
            self.owed.remove(key);
        }
    }

    pub(super) fn all_forgotten(&mut self) {
        self.owed.clear();
    }

    /// What is to be paid now, after one more batch.
    pub(super) fn due(&mut self) -> Option<Vec<SharedKey>> {
        fail_point!("keeps-debts", Some(None));
        if self.owed.is_empty() {
            return None;
        }
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let keys: Vec<_> = self.owed.iter().take(AT_A_TIME).cloned().collect();
        for key in &keys {
            self.owed.remove(key);
        }
        self.paying += keys.len();
        Some(keys)
    }

    /// An attempt to pay was answered.
    pub(super) fn paid(&mut self, keys: Vec<SharedKey>, done: bool) {
        self.paying = self.paying.saturating_sub(keys.len());
        if done {
            (self.wait, self.pause) = (0, 0);
            return;
        }
        self.pause = (2 * self.pause).clamp(1, PATIENCE);
        self.wait = self.pause;
        self.owed.extend(keys);
    }

    /// The connection is gone: what it owed, and `more` that it may owe, is the next one's.
    pub(super) fn leave(&mut self, more: impl Iterator<Item = SharedKey>) {
        let mut unpaid = self.unpaid.lock().unwrap_or_else(PoisonError::into_inner);
        unpaid.extend(self.owed.drain().chain(more));
        unpaid.truncate(MOST);
    }
}
