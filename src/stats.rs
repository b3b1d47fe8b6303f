//! The counters of the driver and the manager of one service. They are written where the driver is polled and read on
//! other threads, so they are atomic. Those of the JavaScript side are in `binding::class::stats`.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A counter that one thread writes and any thread may read.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// Adds `more`.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// Sets the value.
    pub fn set(&self, now: usize) {
        self.0.store(now as u64, Ordering::Relaxed);
    }

    /// Replaces a part of the value, of a figure that is the sum of several.
    pub fn replace(&self, before: usize, now: usize) {
        let more = (now as u64).wrapping_sub(before as u64);
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns the value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one service. Each is exact; two that are read one after the other may be from different moments.
#[derive(Debug, Default)]
pub struct Stats {
    /// Batches passed to a connection, since the start.
    pub batches: Figure,
    /// The calls in these batches.
    pub batched: Figure,
    /// Unanswered batches.
    pub in_flight: Figure,
    /// Connections after the first.
    pub reconnects: Figure,
    /// 1 while there is a connection.
    pub connected: Figure,
    /// The member cache.
    pub cache: CacheStats,
}

/// The counters of the member cache. Reads are of keys, not of calls.
#[derive(Debug)]
pub struct CacheStats {
    /// Reads that were answered from memory.
    pub hits: Figure,
    /// Reads that went to the store at once.
    pub misses: Figure,
    /// Reads that were to be answered from memory but went to the store, because the list had changed.
    pub rereads: Figure,
    /// Keys that the server reported as changed; all of them at once counts as one.
    pub invalidations: Figure,
    /// Lists in memory.
    pub entries: Figure,
    /// The memory that they take, in bytes.
    pub bytes: Figure,
    /// Why the cache is off; `None` while it is on.
    off: Mutex<Option<Arc<str>>>,
}

impl Default for CacheStats {
    fn default() -> Self {
        Self {
            hits: Figure::default(),
            misses: Figure::default(),
            rereads: Figure::default(),
            invalidations: Figure::default(),
            entries: Figure::default(),
            bytes: Figure::default(),
            off: Mutex::new(Some("not connected yet".into())),
        }
    }
}

impl CacheStats {
    /// Notes that the cache is on, or why it is off. Returns whether that has changed.
    pub fn switch(&self, off: Option<Arc<str>>) -> bool {
        let mut now = self.off.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *now != off;
        *now = off;
        news
    }

    /// Returns why the cache is off, if it is.
    #[must_use]
    pub fn off(&self) -> Option<Arc<str>> {
        let off = self.off.lock().unwrap_or_else(PoisonError::into_inner);
        off.clone()
    }
}
