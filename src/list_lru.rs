//! An LRU map of member lists by key, bounded in bytes. The owner keeps a mark with each list and decides by it whether
//! the list is current.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use lru::LruCache;

use crate::{
    list::{List, Released},
    stats::Stats,
};

/// A key, shared by several owners.
pub type SharedKey = Arc<[u8]>;

/// The memory of an entry besides its list and its key: its place in the table and in the order of use, two counters,
/// and the allocator's overhead. Measured, like [`LIST`], by the growth of a process with 300,000 entries.
const OVERHEAD: usize = 184;

/// The memory of a list with members besides its text: in Rust, and for its array in JavaScript.
const LIST: usize = 320;

/// The bound, and where dropped lists are reported.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The bytes that may be used, including what JavaScript keeps of the lists (estimated).
    max_bytes: usize,
    /// How many maps share them.
    shares: Arc<AtomicUsize>,
    /// Collects the ids of dropped lists.
    released: Arc<Released>,
}

impl Bounds {
    /// Makes the bound of one map.
    #[must_use]
    pub fn new(max_bytes: usize, released: Arc<Released>) -> Self {
        Self {
            max_bytes,
            shares: Arc::new(AtomicUsize::new(1)),
            released,
        }
    }

    /// Divides the bytes among so many maps with a clone of this bound. A map that has more by now drops lists when it
    /// keeps the next one.
    pub fn share(&self, maps: usize) {
        self.shares.store(maps.max(1), Ordering::Relaxed);
    }

    fn bytes_of_one(&self) -> usize {
        self.max_bytes / self.shares.load(Ordering::Relaxed)
    }
}

/// Lists by key, within a bound of bytes; the least recently used is dropped first. `M` is the owner's mark.
#[derive(Debug, Clone)]
pub struct ListLru<M> {
    /// `None` means that nothing is kept.
    bounds: Option<Bounds>,
    kept: LruCache<SharedKey, Kept<M>>,
    bytes: usize,
    /// The empty list, shared by all keys without members.
    nothing: Arc<List>,
    counted: Counted,
}

/// The part of the counters that is about one map.
#[derive(Debug)]
struct Counted {
    stats: Arc<Stats>,
    entries: usize,
    bytes: usize,
}

impl Counted {
    fn set(&mut self, entries: usize, bytes: usize) {
        let cache = &self.stats.cache;
        cache.entries.replace(self.entries, entries);
        cache.bytes.replace(self.bytes, bytes);
        (self.entries, self.bytes) = (entries, bytes);
    }
}

/// The counters of a clone begin with nothing.
impl Clone for Counted {
    fn clone(&self) -> Self {
        Self {
            stats: self.stats.clone(),
            entries: 0,
            bytes: 0,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

/// A list that is kept.
#[derive(Debug, Clone)]
pub struct Kept<M> {
    /// The owner's mark.
    pub mark: M,
    /// The list.
    pub list: Arc<List>,
    bytes: usize,
}

impl<M> ListLru<M> {
    /// Makes an empty map.
    #[must_use]
    pub fn new(bounds: Option<Bounds>, stats: Arc<Stats>) -> Self {
        Self {
            bounds,
            kept: LruCache::unbounded(),
            bytes: 0,
            nothing: Arc::new(List::empty()),
            counted: Counted {
                stats,
                entries: 0,
                bytes: 0,
            },
        }
    }

    /// Returns whether lists are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.bounds.is_some()
    }

    /// Returns the entry of a key. Counts as a use.
    pub fn use_of(&mut self, key: &[u8]) -> Option<&mut Kept<M>> {
        self.bounds.as_ref()?;
        self.kept.get_mut(key)
    }

    /// Returns the entry of a key. Does not count as a use.
    #[must_use]
    pub fn look(&self, key: &[u8]) -> Option<&Kept<M>> {
        self.kept.peek(key)
    }

    /// Returns the entry of a key to change its mark. Does not count as a use.
    pub fn look_at(&mut self, key: &[u8]) -> Option<&mut Kept<M>> {
        self.kept.peek_mut(key)
    }

    /// Returns the empty list.
    #[must_use]
    pub fn nothing(&self) -> &Arc<List> {
        &self.nothing
    }

    /// Keeps a list, in place of an older one of its key, if it is not too large.
    pub fn keep(&mut self, key: &SharedKey, mark: M, list: &Arc<List>) {
        let Some(bounds) = &self.bounds else {
            return;
        };
        let list = if list.is_empty() { &self.nothing } else { list };
        let bytes = bytes(key, list);
        let max_bytes = bounds.bytes_of_one();
        if bytes > max_bytes {
            self.remove(key);
            return;
        }
        list.keep(&bounds.released);
        let list = list.clone();
        let before = self.kept.put(key.clone(), Kept { mark, list, bytes });
        self.bytes += bytes;
        self.bytes -= before.map_or(0, |before| before.bytes);
        while self.bytes > max_bytes {
            let Some((_, oldest)) = self.kept.pop_lru() else {
                break;
            };
            self.bytes -= oldest.bytes;
        }
        self.count();
    }

    /// Keeps only a mark for a key.
    pub fn note(&mut self, key: &SharedKey, mark: M) {
        let nothing = self.nothing.clone();
        self.keep(key, mark, &nothing);
    }

    /// Drops the list of a key, and keeps a mark. Does not count as a use.
    pub fn forget_list(&mut self, key: &[u8], mark: M) {
        let nothing = self.nothing.clone();
        if let Some(kept) = self.kept.peek_mut(key) {
            let left = bytes(key, &nothing);
            self.bytes -= kept.bytes - left.min(kept.bytes);
            *kept = Kept {
                mark,
                list: nothing,
                bytes: left.min(kept.bytes),
            };
            self.count();
        }
    }

    /// Removes the entry of a key.
    pub fn remove(&mut self, key: &[u8]) {
        if let Some(kept) = self.kept.pop(key) {
            self.bytes -= kept.bytes;
            self.count();
        }
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
        self.count();
    }

    fn count(&mut self) {
        self.counted.set(self.kept.len(), self.bytes);
    }
}

/// Estimates the memory of an entry.
fn bytes(key: &[u8], list: &List) -> usize {
    let list = if list.is_empty() {
        0
    } else {
        // In Rust the text; in JavaScript an array of strings of 24 bytes each, and their characters.
        LIST + 2 * list.json().len() + 24 * list.len()
    };
    OVERHEAD + key.len() + list
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const COUNT: usize = 300_000;

    /// Returns the resident memory of the process in bytes. Other tests use some of it meanwhile.
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
        let pages: Option<usize> = statm.split(' ').nth(1).and_then(|text| text.parse().ok());
        4096 * pages.expect("a number of pages")
    }

    #[test]
    fn empty_lists_take_what_they_are_said_to_take() {
        let bounds = Bounds::new(usize::MAX, Arc::default());
        let mut shelf = ListLru::new(Some(bounds), Arc::default());
        let before = resident();
        for number in 0..COUNT {
            let key = SharedKey::from(format!("POMELO:CHANNEL:{number:012}:server-1").as_bytes());
            let list = Arc::new(List::empty());
            shelf.keep(&key, (), &list);
        }
        let taken = resident().saturating_sub(before);
        assert!(
            taken < shelf.bytes + (16 << 20),
            "{taken}, said {}",
            shelf.bytes
        );
        assert!(
            shelf.bytes / COUNT < 230,
            "{} bytes each",
            shelf.bytes / COUNT
        );
    }
}
