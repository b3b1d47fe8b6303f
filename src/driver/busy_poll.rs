//! Looking for the next call before sleeping, where the store answers at once: then waking the thread is most of
//! what a lone call costs. It gives way where it is of no use, or in the way of others: a thread that was not let
//! run while it looked is on a machine that is busy.

use std::time::Duration;

use tokio::time::Instant;

/// Longer between two looks than this: another thread had the core.
const PUT_OFF: Duration = Duration::from_micros(100);

/// How long others have the core then.
const REST: Duration = Duration::from_secs(1);

/// After it was of no use, it is not tried so many times.
const SKIPPED: u32 = 15;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// It will look for so long.
    soon: Duration,
    /// When it looked last, and until when it does.
    looks: Option<(Instant, Instant)>,
    /// It rests until then.
    not_before: Option<Instant>,
    skips: u32,
}

impl BusyPoll {
    /// Calls were answered, by a connection that takes so long a look for worth it.
    pub(super) fn answered(&mut self, time: Duration, now: Instant) {
        if time.is_zero() || self.not_before.is_some_and(|rests| now < rests) {
            return;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return;
        }
        // From the first look on: before that the answers are handed over.
        self.soon = time;
    }

    /// Whether to look once more, or to sleep.
    pub(super) fn looks(&mut self, now: Instant) -> bool {
        let soon = std::mem::take(&mut self.soon);
        if !soon.is_zero() {
            self.looks = Some((now, now + soon));
            return true;
        }
        let Some((last, until)) = self.looks else {
            return false;
        };
        if now.duration_since(last) > PUT_OFF {
            self.looks = None;
            self.not_before = Some(now + REST);
            return false;
        }
        if now >= until {
            self.looks = None;
            self.skips = SKIPPED;
            return false;
        }
        self.looks = Some((now, until));
        true
    }

    /// A call has come.
    pub(super) fn found(&mut self) {
        self.soon = Duration::ZERO;
        self.looks = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_micros(50);
    const STEP: Duration = Duration::from_micros(10);

    #[test]
    fn it_looks_for_its_time_and_less_often_when_that_was_of_no_use() {
        let (mut linger, mut now) = (BusyPoll::default(), Instant::now());
        assert!(!linger.looks(now));
        linger.answered(TIME, now);
        for _ in 0..4 {
            now += STEP;
            assert!(linger.looks(now));
        }
        linger.found();
        assert!(!linger.looks(now));

        linger.answered(TIME, now);
        assert!(linger.looks(now));
        now += TIME;
        assert!(!linger.looks(now), "its time is over");
        for _ in 0..SKIPPED {
            linger.answered(TIME, now);
            assert!(!linger.looks(now));
        }
        linger.answered(TIME, now);
        assert!(linger.looks(now));
    }

    #[test]
    fn it_rests_when_another_thread_had_the_core() {
        let (mut linger, mut now) = (BusyPoll::default(), Instant::now());
        linger.answered(TIME, now);
        now += 2 * PUT_OFF;
        assert!(linger.looks(now), "the answers were handed over");
        now += 2 * PUT_OFF;
        assert!(!linger.looks(now));
        linger.answered(TIME, now);
        assert!(!linger.looks(now));
        now += REST;
        linger.answered(TIME, now);
        assert!(linger.looks(now));
    }

    #[test]
    fn a_store_that_is_far_away_is_not_waited_for_awake() {
        let (mut linger, now) = (BusyPoll::default(), Instant::now());
        linger.answered(Duration::ZERO, now);
        assert!(!linger.looks(now));
    }
}
