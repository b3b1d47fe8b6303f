//! A time without a connection: how long it has lasted, how often an attempt has failed, and the exponential, jittered
//! backoff between two attempts.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use super::limits::Limits;
use crate::error::Cause;

/// The first pause; with jitter it lasts 50 to 100 ms.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A time without a connection.
pub(super) struct Outage {
    pub(super) since: Instant,
    pub(super) failed: u64,
    pub(super) pauses: ExponentialBackoff,
    pub(super) cause: Cause,
    /// Whether the last connection was left because its server is no longer primary.
    pub(super) demoted: bool,
}

impl Outage {
    pub(super) fn new(limits: &Limits, since: Instant, cause: Cause) -> Self {
        // The crate adds up to the pause itself as jitter, after the cap: so cap at half.
        let cap = (limits.retry_cap / 2).max(Duration::from_millis(1));
        let pauses = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE.min(cap))
            .with_max_delay(cap)
            .without_max_times()
            .build();
        Self {
            since,
            failed: 0,
            pauses,
            cause,
            demoted: false,
        }
    }

    /// Returns the pause before the next attempt; nothing if the limits say to give up.
    pub(super) fn next_pause(&mut self, limits: &Limits) -> Option<Duration> {
        if limits.max_attempts.is_some_and(|most| self.failed >= most) {
            return None;
        }
        let pause = self.pauses.next()?;
        match limits.give_up_after {
            None => Some(pause),
            // The last attempt is made at the end of the time.
            Some(limit) => {
                let left = limit.saturating_sub(self.since.elapsed());
                (!left.is_zero()).then_some(pause.min(left))
            }
        }
    }
}
