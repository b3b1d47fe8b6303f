//! The state of each key, with the least recently used dropped first, and the tokens of loads under way. A list is
//! served only if the server was asked to report changes of it. That a list was empty needs no report, because the
//! barrier itself verifies that the key still does not exist. Of all other lists it is only noted that they had
//! members. In any doubt a key becomes unknown.

use std::sync::Arc;

use super::HashMap;
use crate::{
    failpoints::fail_point,
    list::List,
    list_lru::{Bounds, ListLru, SharedKey},
    stats::Stats,
};

#[derive(Debug, Clone)]
pub(super) struct Entries {
    known: ListLru<KeyState>,
    /// Kept apart, because a load under way is not evicted.
    loads: HashMap<SharedKey, Loads>,
}

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    /// It had members when it was last read: the next load is tracked.
    Seen,
    /// It did not exist when it was last read.
    Empty,
    /// Its list is in memory, and the server reports changes of it.
    Tracked {
        version: u64,
        /// Whether it may soon be removed.
        going: bool,
    },
}

/// What the barrier has to confirm before a list is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    Empty,
    /// That the list in memory still has this version.
    Version(u64),
}

/// The loads of one key that are under way, by their tokens.
#[derive(Debug, Clone, Copy)]
struct Loads {
    /// The first one that may fill the memory.
    first: u64,
    /// The first one that was placed since the last invalidation.
    fresh: Option<u64>,
    last: u64,
    /// Which push the last invalidation was.
    changed: u64,
}

impl Entries {
    pub(super) fn new(bounds: Option<Bounds>, stats: Arc<Stats>) -> Self {
        Self {
            known: ListLru::new(bounds, stats),
            loads: HashMap::default(),
        }
    }

    /// Returns whether a read may be a candidate. Counts as a use.
    pub(super) fn ready(&mut self, key: &[u8]) -> Option<Ready> {
        match self.known.use_of(key)?.mark {
            KeyState::Seen => None,
            KeyState::Empty => Some(Ready::Empty),
            KeyState::Tracked { version, .. } => Some(Ready::Version(version)),
        }
    }

    /// Returns the list, if it still has that version.
    pub(super) fn get(&self, key: &[u8], ready: Ready) -> Option<Arc<List>> {
        match ready {
            Ready::Empty => Some(self.known.nothing().clone()),
            Ready::Version(version) => {
                let known = self.known.look(key)?;
                let same =
                    matches!(known.mark, KeyState::Tracked { version: v, .. } if v == version);
                same.then(|| known.list.clone())
            }
        }
    }

    /// Returns whether the next load is to be tracked: the list exists, as far as is known, and was read before.
    pub(super) fn is_worth_tracking(&self, key: &[u8]) -> bool {
        let mark = self.known.look(key).map(|known| known.mark);
        matches!(
            mark,
            Some(KeyState::Seen | KeyState::Tracked { going: false, .. })
        )
    }

    /// Records that a key may be removed soon, or is gone already, because of a write of ours or a barrier that counted
    /// too few. Its next load is not tracked.
    pub(super) fn may_go(&mut self, key: &[u8]) {
        match self.known.look_at(key).map(|known| &mut known.mark) {
            Some(KeyState::Tracked { going, .. }) => *going = true,
            Some(_) => self.known.remove(key),
            None => {}
        }
    }

    /// Records that a list that was empty has members now.
    pub(super) fn is_there(&mut self, key: &SharedKey) {
        if let Some(KeyState::Empty) = self.known.look(key).map(|known| known.mark) {
            self.known.forget_list(key, KeyState::Seen);
        }
    }

    /// Records that so many members are about to be removed: they may be all.
    pub(super) fn may_go_by(&mut self, key: &[u8], members: usize) {
        let known = self.known.look(key);
        if known.is_some_and(|known| known.list.len() <= members && known.mark != KeyState::Seen) {
            self.may_go(key);
        }
    }

    /// Records that we are about to remove the key: loads placed before must not fill it.
    pub(super) fn will_go(&mut self, key: &[u8]) {
        self.may_go(key);
        self.loads.remove(key);
    }

    /// Records that a load was placed. Earlier loads of the same key may still fill it: where batches overlap, there is
    /// always a later one, and otherwise nothing would ever be filled.
    pub(super) fn load(&mut self, key: &SharedKey, token: u64) {
        if self.known.is_on() {
            let loads = self.loads.entry(key.clone()).or_insert(Loads {
                first: token,
                fresh: None,
                last: token,
                changed: 0,
            });
            loads.fresh.get_or_insert(token);
            loads.last = token;
        }
    }

    /// Returns the token of the load under way.
    #[cfg(any(test, feature = "failpoints"))]
    pub(super) fn loading(&self, key: &[u8]) -> Option<u64> {
        self.loads.get(key).map(|loads| loads.last)
    }

    /// Records that a load has ended, and fills the key unless a change of it was reported after its reply, which so many
    /// pushes came before. `version` is given if the server reports the next change.
    pub(super) fn loaded(
        &mut self,
        key: &SharedKey,
        (token, pushes): (u64, u64),
        version: Option<u64>,
        list: Option<&Arc<List>>,
    ) {
        let current = self.is_current(key, token, pushes);
        let is_last = |loads: &Loads| loads.last == token;
        if self.loads.get(key).is_some_and(is_last) {
            self.loads.remove(key);
        }
        let (Some(list), true) = (list, current) else {
            return;
        };
        if let Some(known) = self.known.look_at(key)
            && let KeyState::Tracked { going, .. } = &mut known.mark
            && known.list == *list
        {
            // Nothing has changed, so its candidates stay valid: a new version would have them read again, which would
            // fill another new version, and so on.
            *going = false;
            return;
        }
        match version {
            _ if list.is_empty() => self.known.note(key, KeyState::Empty),
            Some(version) => {
                let going = false;
                self.known
                    .keep(key, KeyState::Tracked { version, going }, list);
            }
            None => self.known.note(key, KeyState::Seen),
        }
    }

    /// Returns whether the reply to the load with this token shows all changes that were reported: none came since it was
    /// placed, or the last one came before its reply.
    fn is_current(&self, key: &[u8], token: u64, pushes: u64) -> bool {
        fail_point!("no-token", Some(true));
        let is_after = |loads: &Loads| {
            fail_point!("no-place", Some(true));
            loads.changed <= pushes
        };
        self.loads.get(key).is_some_and(|loads| {
            let is_fresh = loads.fresh.is_some_and(|fresh| fresh <= token);
            loads.first <= token && (is_fresh || is_after(loads))
        })
    }

    /// Handles an invalidation, which was this push: the server reports no further change until the key is read tracked
    /// again.
    pub(super) fn changed(&mut self, key: &[u8], push: u64) {
        if let Some(loads) = self.loads.get_mut(key) {
            loads.fresh = None;
            loads.changed = push;
        }
        match self.known.look(key).map(|known| known.mark) {
            Some(KeyState::Tracked { going: false, .. }) => {
                self.known.forget_list(key, KeyState::Seen);
            }
            Some(KeyState::Tracked { going: true, .. }) => self.known.remove(key),
            // An empty list is verified at each read; and the report may be about our own script (`dead_keys.rs`).
            Some(KeyState::Empty | KeyState::Seen) | None => {}
        }
    }

    /// Makes every key unknown.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        fail_point!("null-keeps-loads", Some(()));
        self.loads.clear();
    }
}
