//! The driver's time limits and bounds.

use std::time::Duration;

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
