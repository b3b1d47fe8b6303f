//! The queue between the JavaScript thread and the runtime: many items, one wake. It is used in both directions; what
//! "wake" means is up to the owner.
//!
//! Items are handed over as whole batches, by exchanging a full one for an empty one. So the memory of a batch travels
//! back and forth between the threads, and is not allocated again for each batch.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// A container of items.
pub trait Batch: Default {
    /// Returns whether it is empty.
    fn is_empty(&self) -> bool;

    /// Moves all items of `later` to the end of this batch; `later` keeps its memory.
    fn append(&mut self, later: &mut Self);
}

impl<T> Batch for Vec<T> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn append(&mut self, later: &mut Self) {
        self.append(later);
    }
}

/// Items that wait for the other side, and whether the other side has been woken for them.
#[derive(Debug, Default)]
pub struct BatchQueue<B> {
    waiting: Mutex<B>,
    woken: AtomicBool,
}

impl<B: Batch> BatchQueue<B> {
    /// Hands over all items of `batch`, which is empty afterwards. Returns whether the caller has to wake the other
    /// side: once per burst.
    #[must_use]
    pub fn push(&self, batch: &mut B) -> bool {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            std::mem::swap(&mut *waiting, batch);
        } else {
            waiting.append(batch);
        }
        drop(waiting);
        !self.woken.swap(true, Ordering::AcqRel)
    }

    /// Takes everything, in exchange for an empty batch. The wake flag is cleared first, so that an item pushed
    /// meanwhile is either taken here or wakes the owner again; none is left behind.
    pub fn take(&self, empty: &mut B) {
        debug_assert!(empty.is_empty(), "what is in it would be handed over again");
        self.woken.store(false, Ordering::Release);
        std::mem::swap(&mut *self.lock(), empty);
    }

    fn lock(&self) -> MutexGuard<'_, B> {
        // A panic while the lock is held leaves a complete batch.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(queue: &BatchQueue<Vec<u8>>) -> Vec<u8> {
        let mut taken = Vec::new();
        queue.take(&mut taken);
        taken
    }

    #[test]
    fn a_burst_wakes_once_and_nothing_is_left_asleep() {
        let queue = BatchQueue::default();
        assert!(queue.push(&mut vec![1]), "the first of a burst wakes");
        assert!(!queue.push(&mut vec![2, 3]), "the rest does not");
        assert_eq!(take(&queue), [1, 2, 3]);
        assert!(queue.push(&mut vec![4]), "after a take it wakes again");
        assert_eq!(take(&queue), [4]);
        assert!(queue.push(&mut vec![]), "nothing to take wakes as well");
        assert_eq!(take(&queue), [0; 0]);
    }

    #[test]
    fn what_was_handed_over_is_gone_and_its_memory_comes_back() {
        let queue = BatchQueue::default();
        let mut batch = Vec::with_capacity(100);
        batch.push(1);
        let _ = queue.push(&mut batch);
        assert!(batch.is_empty());
        queue.take(&mut batch);
        assert_eq!((batch.as_slice(), batch.capacity()), (&[1][..], 100));
    }
}
