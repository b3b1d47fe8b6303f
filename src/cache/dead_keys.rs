//! Dead keys: keys that the server tracks in vain because of our reads, since they did not exist when they were read
//! with `CLIENT CACHING YES`. Redis forgets a tracked key when it is changed or removed, which may never happen to a
//! key that does not exist any more (the channel of a match has a name that is used once). So the session has the
//! server forget these keys.
//!
//! They are rare: an unknown key is read untracked, only one that was seen with members is read tracked, and an empty
//! list is never tracked on purpose. The rest is due to another process that removes the channel in between.
//!
//! **Forgetting** is done by a script that adds a member to each key and removes it again, if the key does not exist.
//! The script is atomic, so no reader sees the member, and it is a change, so the server forgets the key (and reports
//! it to us). It is not a `MULTI` because Redis 6.2 sends the report within the reply of `EXEC`, where no client
//! expects it.
//!
//! **The bound**: dead keys and unanswered tracked reads are never more than [`MOST`]; beyond it lists are read
//! untracked. A server that is out of memory refuses the script, which is then retried with a growing pause, counted in
//! batches.

use std::sync::{Arc, Mutex, PoisonError};

use super::{HashSet, SharedKey};
use crate::failpoints::fail_point;

/// The maximum number of dead keys that the server may track because of one connection.
pub(super) const MOST: usize = 1024;

/// The number of keys in one script, which must not block the server for long.
const AT_A_TIME: usize = 128;

/// The maximum number of batches between two attempts.
const PATIENCE: u32 = 1024;

/// The dead keys that a connection leaves behind when it ends, for the next one.
pub type InheritedKeys = Arc<Mutex<Vec<SharedKey>>>;

/// The dead keys of one connection, and when the server is to forget them.
#[derive(Debug, Clone, Default)]
pub(super) struct DeadKeys {
    keys: HashSet<SharedKey>,
    /// Unanswered tracked reads.
    tracking: usize,
    /// Keys in unanswered scripts.
    forgetting: usize,
    /// Batches until the next attempt, and how long the last pause was.
    wait: u32,
    pause: u32,
    inherited: InheritedKeys,
}

impl DeadKeys {
    pub(super) fn inherit(&mut self, inherited: &InheritedKeys) {
        self.inherited = inherited.clone();
        let mut left = inherited.lock().unwrap_or_else(PoisonError::into_inner);
        self.keys.extend(left.drain(..));
    }

    /// Returns whether one more read may be tracked; counts it.
    pub(super) fn may_track(&mut self) -> bool {
        let room = self.keys.len() + self.forgetting + self.tracking < MOST;
        self.tracking += usize::from(room);
        room
    }

    /// Records that a tracked read was answered.
    pub(super) fn track_answered(&mut self) {
        self.tracking = self.tracking.saturating_sub(1);
    }

    /// Records that the server tracks this key, which does not exist.
    pub(super) fn insert(&mut self, key: &SharedKey) {
        self.keys.insert(key.clone());
    }

    /// Removes a key that the server has reported, and so no longer tracks.
    pub(super) fn remove(&mut self, key: &[u8]) {
        if !self.keys.is_empty() {
            self.keys.remove(key);
        }
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// Takes the keys that the server is to forget now, after one more batch.
    pub(super) fn due(&mut self) -> Option<Vec<SharedKey>> {
        fail_point!("keeps-dead-keys", Some(None));
        if self.keys.is_empty() {
            return None;
        }
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let keys: Vec<_> = self.keys.iter().take(AT_A_TIME).cloned().collect();
        for key in &keys {
            self.keys.remove(key);
        }
        self.forgetting += keys.len();
        Some(keys)
    }

    /// Notes the answer to a script; keys that were not forgotten are tried again.
    pub(super) fn forgot(&mut self, keys: Vec<SharedKey>, done: bool) {
        self.forgetting = self.forgetting.saturating_sub(keys.len());
        if done {
            (self.wait, self.pause) = (0, 0);
            return;
        }
        self.pause = (2 * self.pause).clamp(1, PATIENCE);
        self.wait = self.pause;
        self.keys.extend(keys);
    }

    /// Leaves the keys, and `more` that may be dead, to the next connection.
    pub(super) fn leave(&mut self, more: impl Iterator<Item = SharedKey>) {
        let mut inherited = self
            .inherited
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inherited.extend(self.keys.drain().chain(more));
        inherited.truncate(MOST);
    }
}
