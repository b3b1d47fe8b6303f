//! The progress of what is done in steps: a barrier, or a page of a long list. Each step has the time limit of a call,
//! which the driver enforces: a connection only reports when a step has ended, and how many keys it has removed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

/// The progress of a barrier or of a page. Clones share it.
#[derive(Debug, Clone)]
pub struct Steps(Arc<Mutex<Marks>>);

#[derive(Debug)]
struct Marks {
    /// When the last step ended.
    last: Instant,
    /// When the last step of each parallel part ended.
    parts: BTreeMap<u64, Instant>,
    next: u64,
    /// The number of keys that were removed.
    removed: u64,
    /// Whether a step has ended.
    any: bool,
}

/// A part of a barrier with steps of its own, until it is dropped.
#[derive(Debug)]
pub struct Part {
    steps: Steps,
    number: u64,
}

impl Default for Steps {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Marks {
            last: Instant::now(),
            parts: BTreeMap::new(),
            next: 0,
            removed: 0,
            any: false,
        })))
    }
}

impl Steps {
    /// Notes that a step has ended and the next one begins.
    pub fn next(&self) {
        let mut marks = self.marks();
        marks.last = Instant::now();
        marks.any = true;
    }

    /// Returns whether a step has ended, apart from those of parts.
    #[must_use]
    pub fn are_any(&self) -> bool {
        self.marks().any
    }

    /// Counts keys that were removed.
    pub fn count(&self, removed: u64) {
        self.marks().removed += removed;
    }

    /// Returns how many keys were removed.
    #[must_use]
    pub fn removed(&self) -> u64 {
        self.marks().removed
    }

    /// Begins a part that runs in parallel with others. As long as there are parts, only their steps count.
    #[must_use]
    pub fn part(&self) -> Part {
        let mut marks = self.marks();
        let number = marks.next;
        marks.next += 1;
        marks.parts.insert(number, Instant::now());
        Part {
            steps: self.clone(),
            number,
        }
    }

    /// Returns when the oldest step under way began.
    #[must_use]
    pub fn since(&self) -> Instant {
        let marks = self.marks();
        marks.parts.values().min().copied().unwrap_or(marks.last)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Counts keys that were removed; see [`Steps::count`].
    pub fn count(&self, removed: u64) {
        self.steps.count(removed);
    }

    /// Notes that a step of this part has ended and the next one begins; see [`Steps::next`].
    pub fn next(&self) {
        let mut marks = self.steps.marks();
        marks.parts.insert(self.number, Instant::now());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut marks = self.steps.marks();
        marks.parts.remove(&self.number);
        marks.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_step_under_way_counts() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let pass = || tokio::time::advance(Duration::from_secs(1));
        let steps = Steps::default();
        assert_eq!(steps.since(), begin);
        pass().await;
        steps.next();
        assert_eq!(steps.since(), after(1));
        let parts = [steps.part(), steps.part()];
        pass().await;
        parts[0].next();
        assert_eq!(
            steps.since(),
            after(1),
            "the other one is still at its first"
        );
        pass().await;
        parts[1].next();
        assert_eq!(steps.since(), after(2));
        drop(parts);
        assert_eq!(steps.since(), after(3));
    }
}
