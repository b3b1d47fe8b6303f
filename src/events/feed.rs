//! The buffer between the subscription, on the runtime's thread, and JavaScript: what is watched of the messages, as JSON.
//! It is bounded: if JavaScript does not take the changes in time, all of them are dropped, and a gap says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::Notify;

use super::{Gap, clock, filter::Filter, message};
use crate::{histogram::Histogram, membership::name};

/// The maximum size of what waits, in bytes of JSON.
const MOST: usize = 8 << 20;

/// The buffer.
#[derive(Debug)]
pub struct Feed {
    inner: Mutex<Inner>,
    /// Notified when the first name is watched, and when the last one is not watched any more.
    turned: Notify,
    /// Whether fields have hash tags.
    hash_tag: bool,
    most: usize,
}

#[derive(Debug, Default)]
struct Inner {
    filter: Filter,
    /// Whether there was a moment in which nothing was watched. The subscription ends then, whatever is watched since.
    has_lapsed: bool,
    /// Each a JSON array, followed by a comma.
    waiting: String,
    /// The times of the changes in it.
    times: Vec<u64>,
    counts: Counts,
    /// How long after their times changes were taken.
    lag: Histogram,
}

/// Counters since the instance was made.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Changes that were received, watched or not.
    pub received: u64,
    /// Changes that are watched.
    pub watched: u64,
    /// Gaps, the first one of each subscription not counted.
    pub gaps: u64,
}

impl Feed {
    /// Makes an empty buffer; nothing is watched.
    #[must_use]
    pub fn new(hash_tag: bool) -> Self {
        Self {
            inner: Mutex::default(),
            turned: Notify::new(),
            hash_tag,
            most: MOST,
        }
    }

    /// Watches a name or a prefix of names, or does not any more.
    pub fn watch(&self, text: &str, is_prefix: bool, is_on: bool) {
        let mut inner = self.lock();
        let was_empty = inner.filter.is_empty();
        inner.filter.set(text, is_prefix, is_on);
        let is_empty = inner.filter.is_empty();
        let turns = was_empty != is_empty;
        inner.has_lapsed |= turns && is_empty;
        drop(inner);
        if turns {
            self.turned.notify_one();
        }
    }

    /// Completes when something is watched, and begins to note whether that lapses.
    pub(super) async fn until_watched(&self) {
        loop {
            {
                let mut inner = self.lock();
                if !inner.filter.is_empty() {
                    inner.has_lapsed = false;
                    return;
                }
            }
            self.turned.notified().await;
        }
    }

    /// Completes when nothing is watched, or was for a moment since.
    pub(super) async fn until_lapsed(&self) {
        while !self.lock().has_lapsed {
            self.turned.notified().await;
        }
    }

    /// Returns whether the channel with this field is watched.
    #[must_use]
    pub fn watches(&self, field: &[u8]) -> bool {
        let field = String::from_utf8_lossy(field);
        self.lock().filter.has(name(&field, self.hash_tag))
    }

    /// Takes a message that was received. Returns whether JavaScript must be woken.
    #[must_use]
    pub fn receive(&self, message: &[u8]) -> bool {
        let Some(changes) = message::read(message) else {
            return self.gap(Gap::Unreadable);
        };
        let mut inner = self.lock();
        let was_empty = inner.waiting.is_empty();
        // Without members it tells only that one of them was the first or the last one.
        let is_change = |change: &&message::Change| change.count > 0;
        inner.counts.received += changes.iter().filter(is_change).count() as u64;
        for change in changes {
            let field = String::from_utf8_lossy(change.field);
            let name = name(&field, self.hash_tag);
            if !inner.filter.has(name) {
                continue;
            }
            inner.counts.watched += u64::from(change.count > 0);
            let uids = change.uids().map(String::from_utf8_lossy);
            let told = json!([
                change.kind.name(),
                name,
                String::from_utf8_lossy(change.sid),
                String::from_utf8_lossy(change.reason),
                change.count,
                change.is_edge,
                uids.collect::<Vec<_>>(),
            ]);
            let told = told.to_string();
            if inner.waiting.len() + told.len() > self.most {
                inner.clear();
                inner.add_gap(Gap::Overrun);
                // What is left of the message is part of the gap.
                break;
            }
            inner.add(&told);
            if change.count > 0 {
                inner.times.extend(change.time);
            }
        }
        was_empty && !inner.waiting.is_empty()
    }

    /// Notes that changes may have been missed. Returns whether JavaScript must be woken.
    #[must_use]
    pub fn gap(&self, gap: Gap) -> bool {
        let mut inner = self.lock();
        let was_empty = inner.waiting.is_empty();
        inner.add_gap(gap);
        was_empty
    }

    /// Takes everything, as a JSON array; `None` if there is nothing. It is told at once.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let mut inner = self.lock();
        let mut waiting = std::mem::take(&mut inner.waiting);
        let now = clock();
        for time in std::mem::take(&mut inner.times) {
            // Clocks of two machines differ.
            inner.lag.record(now.saturating_sub(time), 1);
        }
        drop(inner);
        // The comma after the last one.
        waiting.pop()?;
        waiting.insert(0, '[');
        waiting.push(']');
        Some(waiting)
    }

    /// Drops what waits: the service has ended.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Returns the counters.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Returns how long it took from sending changes to telling them.
    #[must_use]
    pub fn lag(&self) -> Histogram {
        self.lock().lag
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, told: &str) {
        self.waiting.push_str(told);
        self.waiting.push(',');
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.times.clear();
    }

    fn add_gap(&mut self, gap: Gap) {
        self.counts.gaps += u64::from(gap != Gap::Start);
        self.add(&json!(["gap", gap.name()]).to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::events::message::tests::written;

    fn join(name: &str, uid: &str) -> Vec<u8> {
        join_at(Some(0), name, uid)
    }

    fn join_at(time: Option<u64>, name: &str, uid: &str) -> Vec<u8> {
        let texts = ["call", name, "s1"].map(|text| text.as_bytes().to_vec());
        written(&('+', true, time, texts, vec![uid.as_bytes().to_vec()]))
    }

    fn taken(feed: &Feed) -> Value {
        let text = feed.take().unwrap_or_else(|| "[]".to_owned());
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn only_what_is_watched_arrives_and_wakes_once() {
        let feed = Feed::new(false);
        assert!(!feed.receive(&join("a", "u")));
        feed.watch("a", false, true);
        feed.watch("room-", true, true);
        assert!(feed.receive(&[join("a", "u\""), join("b", "u")].concat()));
        assert!(!feed.receive(&join("room-1", "u")));
        let told = |name, uid| json!(["join", name, "s1", "call", 1, true, [uid]]);
        assert_eq!(taken(&feed), json!([told("a", "u\""), told("room-1", "u")]));
        feed.watch("room-", true, false);
        assert!(!feed.receive(&join("room-1", "u")));
        assert_eq!(taken(&feed), json!([]));
        let counts = feed.counts();
        assert_eq!((counts.received, counts.watched, counts.gaps), (5, 2, 0));
    }

    #[test]
    fn the_lag_is_that_of_changes_that_are_taken_and_have_a_time() {
        let feed = Feed {
            most: 150,
            ..Feed::new(false)
        };
        feed.watch("a", false, true);
        let ago = |seconds: u64| Some(clock() - seconds * 1_000_000);
        let lags = || (feed.lag().count(), feed.lag().sum() / 1_000_000);
        let _ = feed.receive(&join_at(ago(2), "a", "u"));
        let _ = feed.receive(&join_at(ago(900), "b", "u"));
        // Of an earlier version, and of a clock that is ahead.
        let _ = feed.receive(&join_at(None, "a", "u"));
        let _ = feed.receive(&join_at(Some(clock() + 9_000_000), "a", "u"));
        assert_eq!(lags(), (0, 0));
        assert_eq!(taken(&feed).as_array().map(Vec::len), Some(3));
        assert_eq!(lags(), (2, 2));
        for _ in 0..4 {
            let _ = feed.receive(&join_at(ago(50), "a", "dropped"));
        }
        assert_eq!(taken(&feed)[0], json!(["gap", "overrun"]));
        assert_eq!(lags().0, 2, "dropped changes are not told");
    }

    #[test]
    fn what_is_too_much_is_a_gap_after_which_it_goes_on() {
        let feed = Feed {
            most: 150,
            ..Feed::new(true)
        };
        feed.watch("", true, true);
        assert!(feed.gap(Gap::Start));
        for n in 0..5 {
            assert!(!feed.receive(&join("{a}", &format!("u{n}"))));
        }
        let told = taken(&feed);
        let told = told.as_array().expect("an array");
        assert_eq!(told[0], json!(["gap", "overrun"]), "{told:?}");
        assert_eq!(told[1][1], json!("a"), "{told:?}");
        assert!(told.len() < 4, "{told:?}");
        assert!(feed.receive(b"of another program"));
        assert_eq!(taken(&feed), json!([["gap", "unreadable"]]));
    }
}
