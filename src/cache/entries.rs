//! What is in memory: lists that are ready, least recently used first out, and the tokens of those
//! that are being loaded. A key is *absent*, *loading* or *ready*; every doubt makes it absent.

use std::sync::Arc;

use lru::LruCache;

use super::{Bounds, Broken, HashMap, SharedKey};
use crate::{list::List, stats::Stats};

/// What an entry takes beside its list and its key: two hash tables, two pointers, an array.
const OVERHEAD: usize = 320;

#[derive(Debug, Clone)]
pub(super) struct Entries {
    bounds: Option<Bounds>,
    ready: LruCache<SharedKey, Ready>,
    /// Outside the LRU: a load under way is not thrown out.
    loads: HashMap<SharedKey, Loads>,
    bytes: usize,
    stats: Arc<Stats>,
    broken: Broken,
}

/// The loads of one key under way, by their tokens.
#[derive(Debug, Clone, Copy)]
struct Loads {
    /// No invalidation came since this one was placed.
    first: u64,
    last: u64,
}

#[derive(Debug, Clone)]
struct Ready {
    version: u64,
    list: Arc<List>,
    bytes: usize,
}

impl Entries {
    pub(super) fn new(bounds: Option<Bounds>, stats: Arc<Stats>, broken: Broken) -> Self {
        let new = Self {
            bounds,
            ready: LruCache::unbounded(),
            loads: HashMap::default(),
            bytes: 0,
            stats,
            broken,
        };
        new.count();
        new
    }

    /// The version of a list that is ready, and whether it is empty. Counts as a use.
    pub(super) fn ready(&mut self, key: &[u8]) -> Option<(u64, bool)> {
        self.bounds.as_ref()?;
        let Ready { version, list, .. } = self.ready.get(key)?;
        Some((*version, list.is_empty()))
    }

    /// The list, if it is that very version.
    pub(super) fn get(&self, key: &[u8], version: u64) -> Option<Arc<List>> {
        let ready = self.ready.peek(key)?;
        (ready.version == version).then(|| ready.list.clone())
    }

    /// A load was placed. Those of the same key before it may still fill: where batches overlap,
    /// there is always a later one, and nothing would ever be filled.
    pub(super) fn load(&mut self, key: &SharedKey, token: u64) {
        if self.bounds.is_some() {
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
        let Some(Bounds {
            max_bytes,
            released,
        }) = &self.bounds
        else {
            return;
        };
        let (Some(list), true) = (list, current || self.broken.is("no-token")) else {
            return;
        };
        if self.ready.get(key).is_some_and(|ready| ready.list == *list) {
            // Nothing has changed, so that candidates of it stay good: a new version would have them
            // read again, which would fill a new version, and so on.
            return;
        }
        // In Rust the text; in JavaScript an array of strings, 24 bytes each and their characters.
        let bytes = 2 * list.json().len() + 24 * list.len() + 3 * key.len() + OVERHEAD;
        let max_bytes = *max_bytes;
        if bytes > max_bytes {
            self.remove(key);
            return;
        }
        list.keep(released);
        let ready = Ready {
            version,
            list: list.clone(),
            bytes,
        };
        let before = self.ready.put(key.clone(), ready);
        self.bytes += bytes;
        self.bytes -= before.map_or(0, |before| before.bytes);
        while self.bytes > max_bytes {
            let Some((_, oldest)) = self.ready.pop_lru() else {
                break;
            };
            self.bytes -= oldest.bytes;
        }
        self.count();
    }

    /// The key becomes absent.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.loads.remove(key);
        if let Some(ready) = self.ready.pop(key) {
            self.bytes -= ready.bytes;
            self.count();
        }
    }

    /// Every key becomes absent.
    pub(super) fn clear(&mut self) {
        if !self.broken.is("null-keeps-loads") {
            self.loads.clear();
        }
        self.ready.clear();
        self.bytes = 0;
        self.count();
    }

    fn count(&self) {
        self.stats.cache.entries.set(self.ready.len());
        self.stats.cache.bytes.set(self.bytes);
    }
}
