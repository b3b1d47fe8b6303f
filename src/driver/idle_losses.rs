//! Connections that were closed while nothing was in flight, such as by a server or a balancer that closes idle ones.
//! If the next attempt to connect succeeds, no call has noticed: that is one line for the log, for information, and
//! those that follow soon are summed up.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

/// The shortest time between two lines.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The losses of idle connections of one driver.
#[derive(Debug, Default)]
pub(super) struct IdleLosses {
    /// Why the connection was lost that is being replaced.
    open: Option<Arc<str>>,
    /// When the last line was logged.
    logged: Option<Instant>,
    /// How many were replaced since then.
    replaced: u64,
}

/// What the log says of a new connection.
#[derive(Debug)]
pub(super) enum News {
    /// It ends an outage.
    Recovered,
    /// It replaces an idle one; the reason, and how often.
    Replaced(String),
    /// It does so too, and a later line will count it.
    Nothing,
}

impl IdleLosses {
    /// Notes that an idle connection was lost.
    pub(super) fn lost(&mut self, cause: Arc<str>) {
        self.open = Some(cause);
    }

    /// Returns why the idle connection was lost, after an attempt to replace it has failed: that is an outage.
    pub(super) fn failed(&mut self) -> Option<Arc<str>> {
        self.open.take()
    }

    /// Notes a new connection.
    pub(super) fn connected(&mut self, now: Instant) -> News {
        let Some(cause) = self.open.take() else {
            return News::Recovered;
        };
        self.replaced += 1;
        let due = self.logged.is_none_or(|logged| now >= logged + INTERVAL);
        if !due {
            return News::Nothing;
        }
        let count = std::mem::take(&mut self.replaced);
        let often = match self.logged.replace(now) {
            Some(logged) if count > 1 => {
                let minutes = (now - logged).as_secs() / 60;
                format!(", {count} times in {minutes} minutes")
            }
            _ => String::new(),
        };
        News::Replaced(format!("the idle connection was lost ({cause}){often}"))
    }
}
