//! What is in memory: lists that are ready, least recently used first out, and the tokens of those
//! that are being loaded. A key is *absent*, *loading* or *ready*; every doubt makes it absent.

use std::sync::Arc;

use super::{Broken, HashMap};
use crate::{
    list::List,
    shelf::{Bounds, SharedKey, Shelf},
    stats::Stats,
};

#[derive(Debug, Clone)]
pub(super) struct Entries {
    /// Those that are ready, with their versions.
    ready: Shelf<u64>,
    /// Beside them: a load under way is not thrown out.
    loads: HashMap<SharedKey, Loads>,
    broken: Broken,
}

/// The loads of one key under way, by their tokens.
#[derive(Debug, Clone, Copy)]
struct Loads {
    /// No invalidation came since this one was placed.
    first: u64,
    last: u64,
}

impl Entries {
    pub(super) fn new(bounds: Option<Bounds>, stats: Arc<Stats>, broken: Broken) -> Self {
        Self {
            ready: Shelf::new(bounds, stats),
            loads: HashMap::default(),
            broken,
        }
    }

    /// The version of a list that is ready, and whether it is empty. Counts as a use.
    pub(super) fn ready(&mut self, key: &[u8]) -> Option<(u64, bool)> {
        let ready = self.ready.use_of(key)?;
        Some((ready.mark, ready.list.is_empty()))
    }

    /// The list, if it is that very version.
    pub(super) fn get(&self, key: &[u8], version: u64) -> Option<Arc<List>> {
        let ready = self.ready.look(key)?;
        (ready.mark == version).then(|| ready.list.clone())
    }

    /// A load was placed. Those of the same key before it may still fill: where batches overlap,
    /// there is always a later one, and nothing would ever be filled.
    pub(super) fn load(&mut self, key: &SharedKey, token: u64) {
        if self.ready.is_on() {
            let first = Loads {
                first: token,
                last: token,
            };
            self.loads.entry(key.clone()).or_insert(first).last = token;
        }
    }

    /// The token of the load under way.
    pub(super) fn loading(&self, key: &[u8]) -> Option<u64> {
        self.loads.get(key).map(|loads| loads.last)
    }

    /// A load has ended: fills if nothing came between.
    pub(super) fn loaded(
        &mut self,
        key: &SharedKey,
        token: u64,
        version: u64,
        list: Option<&Arc<List>>,
    ) {
        let loads = self.loads.get(key);
        let current = loads.is_some_and(|loads| loads.first <= token);
        if loads.is_some_and(|loads| loads.last == token) {
            self.loads.remove(key);
        }
        let (Some(list), true) = (list, current || self.broken.is("no-token")) else {
            return;
        };
        if self
            .ready
            .look(key)
            .is_some_and(|ready| ready.list == *list)
        {
            // Nothing has changed, so that candidates of it stay good: a new version would have them
            // read again, which would fill a new version, and so on.
            return;
        }
        self.ready.keep(key, version, list);
    }

    /// The key becomes absent.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.loads.remove(key);
        self.ready.remove(key);
    }

    /// Every key becomes absent.
    pub(super) fn clear(&mut self) {
        if !self.broken.is("null-keeps-loads") {
            self.loads.clear();
        }
        self.ready.clear();
    }
}
