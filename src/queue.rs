//! The queue between the JavaScript thread and the runtime: many items, one wake. The same
//! structure serves both ways; what "wake" means is the owner's business.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Items that wait for the other side, and whether the other side has been woken for them.
#[derive(Debug)]
pub struct BatchQueue<T> {
    items: Mutex<Vec<T>>,
    woken: AtomicBool,
}

impl<T> Default for BatchQueue<T> {
    fn default() -> Self {
        Self {
            items: Mutex::new(Vec::new()),
            woken: AtomicBool::new(false),
        }
    }
}

impl<T> BatchQueue<T> {
    /// Appends items and says whether the caller has to wake the other side: once per burst.
    #[must_use]
    pub fn push(&self, items: impl IntoIterator<Item = T>) -> bool {
        self.lock().extend(items);
        !self.woken.swap(true, Ordering::AcqRel)
    }

    /// Takes everything. The wake flag is cleared first, so that an item pushed meanwhile either
    /// is taken here or wakes again; it is never left behind asleep.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        self.woken.store(false, Ordering::Release);
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        // A panic while the lock is held leaves a Vec that is whole all the same.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_wakes_once_and_nothing_is_left_asleep() {
        let queue = BatchQueue::default();
        assert!(queue.push([1]), "the first item of a burst wakes");
        assert!(!queue.push([2, 3]), "the rest does not");
        assert_eq!(queue.take(), [1, 2, 3]);
        assert!(queue.push([4]), "after a take the next item wakes again");
    }
}
