//! The driver's time limits and bounds, and the attempts to connect within them.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::timeout;

use crate::manager::ConnectError;

/// The first pause between two attempts to connect; with jitter it lasts 50 to 100 ms.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The driver's time limits and bounds. `None` means no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The time limit of one attempt to connect.
    pub connect_timeout: Option<Duration>,
    /// The time limit from a call to its answer.
    pub command_timeout: Option<Duration>,
    /// The time limit from `start` to the first connection.
    pub start_timeout: Option<Duration>,
    /// How long `stop` waits for answers.
    pub drain: Duration,
    /// Whether calls wait while there is no connection.
    pub offline_queue: bool,
    /// The number of attempts to connect in a row before giving up.
    pub max_attempts: Option<u64>,
    /// The longest pause between two attempts.
    pub retry_cap: Duration,
    /// The time without a connection before giving up.
    pub give_up_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Some(Duration::from_secs(5)),
            command_timeout: Some(Duration::from_secs(5)),
            start_timeout: Some(Duration::from_secs(30)),
            drain: Duration::from_secs(1),
            offline_queue: true,
            max_attempts: None,
            retry_cap: Duration::from_secs(2),
            give_up_after: None,
        }
    }
}

impl Limits {
    /// Returns the pauses between attempts to connect in a row: a backoff that grows exponentially, with jitter.
    pub(crate) fn pauses(&self) -> ExponentialBackoff {
        // The crate adds up to the pause itself as jitter, after the cap: so cap at half.
        let cap = (self.retry_cap / 2).max(Duration::from_millis(1));
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE.min(cap))
            .with_max_delay(cap)
            .without_max_times()
            .build()
    }
}

/// Makes an attempt to connect, for at most `limit`, which is [`Limits::connect_timeout`]. `hint` returns what may be the
/// reason if it takes longer.
pub(crate) async fn connect_within<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = Result<T, ConnectError>>,
    hint: impl FnOnce() -> Option<&'static str>,
) -> Result<T, ConnectError> {
    let Some(limit) = limit else {
        return attempt.await;
    };
    timeout(limit, attempt).await.unwrap_or_else(|_| {
        let limit = format!("{} ms (connectTimeout)", limit.as_millis());
        Err(ConnectError::late(limit, hint()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_an_answer_ends_after_its_limit() {
        let limit = Some(Duration::from_millis(300));
        for (hint, words) in [
            (None, "no answer within 300 ms (connectTimeout)"),
            (
                Some("in TLS"),
                "no answer within 300 ms (connectTimeout) in TLS",
            ),
        ] {
            let attempt = std::future::pending::<Result<(), ConnectError>>();
            let late = connect_within(limit, attempt, || hint).await;
            assert_eq!(late, Err(ConnectError::Unreachable(words.into())));
        }
        let attempt = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(())
        };
        assert_eq!(connect_within(None, attempt, || None).await, Ok(()));
    }

    #[test]
    fn pauses_grow_to_the_cap() {
        for cap in [400, 60].map(Duration::from_millis) {
            let limits = Limits {
                retry_cap: cap,
                ..Limits::default()
            };
            let pauses: Vec<_> = limits.pauses().take(20).collect();
            let first = FIRST_PAUSE.min(cap / 2);
            assert!((first..=2 * first).contains(&pauses[0]), "{pauses:?}");
            assert!(pauses.iter().all(|pause| *pause <= cap), "{pauses:?}");
            assert!(pauses[19] >= cap / 2, "{pauses:?}");
        }
    }
}
