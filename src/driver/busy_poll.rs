//! Busy-polls for the next call for a short time before parking the thread, if the store answers at once: waking the
//! thread would then be most of the cost of a single call. Backs off when no call came, and when the thread was
//! preempted while polling, because then the machine is busy.

use std::time::Duration;

use tokio::time::Instant;

/// A longer time than this between two polls means that the thread was preempted.
const PUT_OFF: Duration = Duration::from_micros(100);

/// How long polling is suspended after that.
const REST: Duration = Duration::from_secs(1);

/// The number of times that polling is skipped after it found no call.
const SKIPPED: u32 = 15;

/// Decides whether to poll once more or to park.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// How long to poll, from the next poll on.
    soon: Duration,
    /// When it last polled, and until when it polls.
    looks: Option<(Instant, Instant)>,
    /// Polling is suspended until then.
    not_before: Option<Instant>,
    skips: u32,
}

impl BusyPoll {
    /// Notes that calls were answered by a connection for which polling for `time` pays off.
    pub(super) fn answered(&mut self, time: Duration, now: Instant) {
        if time.is_zero() || self.not_before.is_some_and(|rests| now < rests) {
            return;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return;
        }
        // Counted from the first poll, because the answers are handed over before it.
        self.soon = time;
    }

    /// Returns whether to poll once more instead of parking. The clock is read only if that is to be decided.
    pub(super) fn looks(&mut self, clock: impl FnOnce() -> Instant) -> bool {
        let soon = std::mem::take(&mut self.soon);
        if !soon.is_zero() {
            let now = clock();
            self.looks = Some((now, now + soon));
            return true;
        }
        let Some((last, until)) = self.looks else {
            return false;
        };
        let now = clock();
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

    /// Notes that a call has come.
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
        let (mut poll, mut now) = (BusyPoll::default(), Instant::now());
        assert!(!poll.looks(|| now));
        poll.answered(TIME, now);
        for _ in 0..4 {
            now += STEP;
            assert!(poll.looks(|| now));
        }
        poll.found();
        assert!(!poll.looks(|| now));

        poll.answered(TIME, now);
        assert!(poll.looks(|| now));
        now += TIME;
        assert!(!poll.looks(|| now), "its time is over");
        for _ in 0..SKIPPED {
            poll.answered(TIME, now);
            assert!(!poll.looks(|| now));
        }
        poll.answered(TIME, now);
        assert!(poll.looks(|| now));
    }

    #[test]
    fn it_rests_when_another_thread_had_the_core() {
        let (mut poll, mut now) = (BusyPoll::default(), Instant::now());
        poll.answered(TIME, now);
        now += 2 * PUT_OFF;
        assert!(poll.looks(|| now), "the answers were handed over");
        now += 2 * PUT_OFF;
        assert!(!poll.looks(|| now));
        poll.answered(TIME, now);
        assert!(!poll.looks(|| now));
        now += REST;
        poll.answered(TIME, now);
        assert!(poll.looks(|| now));
    }

    #[test]
    fn a_store_that_is_far_away_is_not_waited_for_awake() {
        let (mut poll, now) = (BusyPoll::default(), Instant::now());
        poll.answered(Duration::ZERO, now);
        assert!(!poll.looks(|| now));
    }
}
