//! A time without a connection: how long it has lasted, how often an attempt has failed, and the pause before the next one.

use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::time::Instant;

use super::limits::Limits;
use crate::error::Cause;

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
        Self {
            since,
            failed: 0,
            pauses: limits.pauses(),
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
