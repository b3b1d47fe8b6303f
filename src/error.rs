//! The error type of the package: the kind of failure, its stable code, and its cause. The conversion to a JavaScript
//! `Error` is in `binding::values::errors`.

use std::{sync::Arc, time::Duration};

/// The text of an error's cause: a refused connection, a server's answer.
pub type Cause = Option<Arc<str>>;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Every way in which a call can fail. `Display` is the message; those of 0.0.7 are unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Called before `start` succeeded or after `stop` (0.0.7's text).
    #[error("invalid state")]
    InvalidState,
    /// An argument that is not accepted; the text names it.
    #[error("{0}")]
    InvalidArgument(String),
    /// An option that is not accepted; the text has its name, its value and what is accepted.
    #[error("{0}")]
    InvalidOption(String),
    /// `maxQueue` calls are unanswered already.
    #[error("{limit} calls are waiting for the store already (maxQueue)")]
    QueueFull {
        /// The value of `maxQueue`.
        limit: usize,
    },
    /// No answer within `commandTimeout`, or in a step of `start` within `startTimeout`.
    #[error("no answer from the store within {} ms ({option})", after.as_millis())]
    Timeout {
        /// The time limit.
        after: Duration,
        /// The name of the option that sets the limit.
        option: &'static str,
        /// The connection's last failure, if it was down.
        cause: Cause,
    },
    /// A custom manager did not answer within `commandTimeout`; the text names its method.
    #[error("{0}")]
    ManagerTimeout(String),
    /// There is no connection, and the call may not wait for one.
    #[error("not connected to the store")]
    Disconnected {
        /// Why there is none.
        cause: Cause,
    },
    /// `start` could not reach the store.
    #[error("cannot reach {store}")]
    Unreachable {
        /// The address of the store.
        store: String,
        /// The last failure.
        cause: Cause,
    },
    /// The service was stopped first.
    #[error("the global channel service was stopped")]
    Stopped,
    /// The store answered with an error: its text.
    #[error("{0}")]
    Store(Arc<str>),
    /// No frontend took the push (0.0.7's text).
    #[error("all frontend server push message fail{}", .0.as_deref().unwrap_or_default())]
    PushFailed(Option<String>),
    /// The custom manager, or the options, do not offer it; the text says what is missing.
    #[error("{0}")]
    Unsupported(String),
    /// A defect in this crate.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// All codes.
    pub const CODES: [&'static str; 12] = [
        "ERR_GLOBAL_CHANNEL_INVALID_STATE",
        "ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT",
        "ERR_GLOBAL_CHANNEL_INVALID_OPTION",
        "ERR_GLOBAL_CHANNEL_QUEUE_FULL",
        "ERR_GLOBAL_CHANNEL_TIMEOUT",
        "ERR_GLOBAL_CHANNEL_DISCONNECTED",
        "ERR_GLOBAL_CHANNEL_UNREACHABLE",
        "ERR_GLOBAL_CHANNEL_STOPPED",
        "ERR_GLOBAL_CHANNEL_STORE",
        "ERR_GLOBAL_CHANNEL_PUSH_FAILED",
        "ERR_GLOBAL_CHANNEL_INTERNAL",
        "ERR_GLOBAL_CHANNEL_UNSUPPORTED",
    ];

    /// Returns the stable code that JavaScript sees as `error.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let number = match self {
            Self::InvalidState => 0,
            Self::InvalidArgument(_) => 1,
            Self::InvalidOption(_) => 2,
            Self::QueueFull { .. } => 3,
            Self::Timeout { .. } | Self::ManagerTimeout(_) => 4,
            Self::Disconnected { .. } => 5,
            Self::Unreachable { .. } => 6,
            Self::Stopped => 7,
            Self::Store(_) => 8,
            Self::PushFailed(_) => 9,
            Self::Internal(_) => 10,
            Self::Unsupported(_) => 11,
        };
        Self::CODES[number]
    }

    /// Returns the cause of the error, as text.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Timeout { cause, .. }
            | Self::Disconnected { cause }
            | Self::Unreachable { cause, .. } => cause.as_deref(),
            _ => None,
        }
    }
}
