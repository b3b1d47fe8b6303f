//! The last load of each key, answered or not, that calls of later batches may join: those that were made before it was
//! sent, and waited in the driver's queue meanwhile. Without this, a list that changes faster than it is read, and so is
//! never in memory, would be loaded anew for each batch.
//!
//! A load is joined only while it is the last thing that was placed for its key: a command of ours after it may change
//! the list, and a candidate after it may be answered with a newer list.

use std::{collections::VecDeque, sync::Arc};

use super::{HashMap, calls::CommandId};
use crate::{failpoints::fail_point, list::List, list_lru::SharedKey, manager::Queue};

#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    /// How many batches were formed, the one being formed included.
    formed: u64,
    /// Whether calls wait that were made before the last batch was formed. Otherwise nothing is kept.
    is_needed: bool,
    loads: HashMap<SharedKey, Load>,
    /// The keys of all loads, oldest first, those that are forgotten included, each with [`Load::batch`].
    order: VecDeque<(u64, SharedKey)>,
    /// The size of the lists.
    bytes: usize,
}

/// The maximum size of the lists that wait to be joined, in bytes of text. The oldest ones are forgotten first.
const MOST: usize = 16 << 20;

#[derive(Debug, Clone)]
struct Load {
    /// How many batches were formed when it was placed.
    batch: u64,
    place: CommandId,
    list: Option<Arc<List>>,
}

/// A load that is joined.
pub(super) enum Joined {
    /// It is under way.
    Waiting(CommandId),
    Answered(Arc<List>),
}

impl Recent {
    /// Begins a batch: forgets the loads that were sent before the calls of this batch, or those behind it, were made.
    pub(super) fn begin(&mut self, queue: Queue) {
        self.formed += 1;
        self.is_needed = queue.is_behind;
        fail_point!("joins-older-load", Some(()));
        let least = self.formed.saturating_sub(u64::from(queue.waited));
        while let Some((batch, _)) = self.order.front()
            && *batch < least
        {
            self.forget_oldest();
        }
    }

    /// Ends the forming of a batch: what no call waits for is forgotten.
    pub(super) fn end(&mut self) {
        if !self.is_needed {
            self.clear();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((batch, key)) = self.order.pop_front()
            // Not if there is a later load of the key.
            && self.loads.get(&key).is_some_and(|load| load.batch == batch)
        {
            self.ended(&key);
        }
    }

    /// Records that a load was placed, in a batch or between two.
    pub(super) fn placed(&mut self, key: &SharedKey, place: CommandId) {
        if !self.is_needed {
            self.ended(key);
            return;
        }
        let batch = self.formed;
        let load = Load {
            batch,
            place,
            list: None,
        };
        self.ended(key);
        self.loads.insert(key.clone(), load);
        self.order.push_back((batch, key.clone()));
    }

    /// Records the answer to a load.
    pub(super) fn answered(&mut self, key: &SharedKey, place: CommandId, list: Option<&Arc<List>>) {
        if let Some(load) = self.loads.get_mut(key)
            && load.place == place
        {
            match list {
                Some(list) => {
                    let before = load.list.replace(list.clone());
                    self.bytes += list.json().len();
                    self.bytes -= before.map_or(0, |list| list.json().len());
                }
                None => self.ended(key),
            }
        }
        while self.bytes > MOST && !self.order.is_empty() {
            self.forget_oldest();
        }
    }

    /// Returns the load of a key that the calls of this batch may join.
    pub(super) fn joined(&self, key: &SharedKey) -> Option<Joined> {
        let load = self.loads.get(key)?;
        Some(match &load.list {
            Some(list) => Joined::Answered(list.clone()),
            None => Joined::Waiting(load.place),
        })
    }

    /// Records that the last load of a key is not joined any more.
    pub(super) fn ended(&mut self, key: &SharedKey) {
        let list = self.loads.remove(key).and_then(|load| load.list);
        self.bytes -= list.map_or(0, |list| list.json().len());
    }

    /// The same for all keys.
    pub(super) fn clear(&mut self) {
        self.loads.clear();
        self.order.clear();
        self.bytes = 0;
    }
}
