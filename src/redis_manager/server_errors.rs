//! The meaning of errors of a server and of the connection to it: what a caller is told, and whether retrying may help.

use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

use crate::{
    error::Error,
    manager::{ConnectError, Lost},
};

/// Tells the operator what to change after such an answer.
const HINT: &str =
    "the server is a node of a Redis Cluster: give nodes of the cluster as option cluster";

/// What is said of an answer in another protocol.
pub(super) const NO_REDIS: &str = "the answer is not Redis's";

/// Returns the server's own words, as it sent them.
pub(crate) fn words(error: &ServerError) -> Arc<str> {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()).into(),
        None => error.code().into(),
    }
}

/// Converts a server's error for a caller.
pub(crate) fn store_error(error: &ServerError) -> Error {
    let words = words(error);
    // Such a node refuses several keys of different slots in one command even if it has all of them.
    if is_redirect(error) || error.kind() == Some(ServerErrorKind::CrossSlot) {
        Error::Store(format!("{words} ({HINT})").into())
    } else {
        Error::Store(words)
    }
}

/// Converts a server's error in answer to an attempt to connect.
pub(crate) fn connect_error(error: &ServerError) -> ConnectError {
    let words = words(error);
    let details = error.details().unwrap_or_default();
    if is_transient(error.kind(), error.code(), details) {
        ConnectError::Unreachable(words)
    } else {
        ConnectError::Refused(words)
    }
}

/// Converts what a server said before it closed a connection. A code of Redis is final, unless it is known to pass; the
/// words of others (proxies, balancers) may pass.
pub(super) fn closing_error(error: &ServerError) -> ConnectError {
    let code = error.code();
    let is_known = code != "ERR" && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match connect_error(error) {
        ConnectError::Refused(words) if !is_known => ConnectError::Unreachable(words),
        error => error,
    }
}

/// Makes the error for a connection that could not be opened, for a reason that may pass.
pub(super) fn unreachable(error: &impl ToString) -> ConnectError {
    ConnectError::Unreachable(error.to_string().into())
}

/// Makes the error for a connection that broke.
pub(super) fn lost(error: &RedisError) -> Lost {
    Lost(error.to_string().into())
}

/// Returns whether the answer to AUTH says that there is no password, or not even that command. 0.0.7 goes on after the
/// words of Redis before version 6 (and of proxies). After those of later versions, "AUTH <password> called without any
/// password configured", it does not start, and neither do we.
pub(super) fn needs_no_password(error: &ServerError) -> bool {
    let details = error.details().unwrap_or_default();
    let said = ["no password is set", "unknown command"];
    error.code() == "ERR" && said.iter().any(|text| details.contains(text))
}

/// Returns whether the error says that the key is on another node.
pub(super) fn is_redirect(error: &ServerError) -> bool {
    matches!(
        error.kind(),
        Some(ServerErrorKind::Moved | ServerErrorKind::Ask)
    )
}

/// Returns whether a node of a cluster does not have the slot of the key, or says so because it cannot know.
pub(super) fn is_elsewhere(error: &ServerError) -> bool {
    let is_unsettled = || {
        matches!(
            error.kind(),
            Some(ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown)
        )
    };
    is_redirect(error) || is_unsettled()
}

/// Returns whether the error says that the server is no longer the primary.
pub(super) fn is_demoted(error: &ServerError) -> bool {
    matches!(
        error.kind(),
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}

/// Returns whether the reason for refusing redis-rs's HELLO is temporary.
pub(super) fn hello_may_pass(error: &RedisError) -> bool {
    let kind = match error.kind() {
        ErrorKind::Server(kind) => Some(kind),
        _ => None,
    };
    let code = error.code().unwrap_or_default();
    is_transient(kind, code, error.detail().unwrap_or_default())
}

/// Returns whether an attempt to connect with this error may succeed later.
fn is_transient(kind: Option<ServerErrorKind>, code: &str, details: &str) -> bool {
    match kind {
        Some(kind) => match kind {
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown => true,
            ServerErrorKind::ResponseError => is_full(details),
            _ => false,
        },
        None => code == "BUSY",
    }
}

/// Returns whether the server has too many clients, in the words of Redis or of a hosted one.
fn is_full(details: &str) -> bool {
    let details = details.to_ascii_lowercase();
    details.starts_with("max") && (details.contains("clients") || details.contains("connections"))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn error(text: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_operator_is_told_of_option_cluster() {
        for words in [
            "MOVED 3999 10.0.0.1:6381",
            "ASK 3999 10.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
        ] {
            let told = store_error(&error(words)).to_string();
            assert_eq!(told, format!("{words} ({HINT})"));
        }
        let told = store_error(&error("WRONGTYPE no"));
        assert_eq!(told.to_string(), "WRONGTYPE no");
    }

    #[test]
    fn a_needless_password_is_told_from_a_wrong_one() {
        for words in [
            "ERR Client sent AUTH, but no password is set",
            "ERR unknown command 'AUTH'",
        ] {
            assert!(needs_no_password(&error(words)), "{words}");
        }
        for words in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "ERR invalid password",
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
            "ERR wrong number of arguments for 'auth' command",
            "NOPERM no",
        ] {
            assert!(!needs_no_password(&error(words)), "{words}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for words in [
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "BUSY Redis is busy running a script",
            "CLUSTERDOWN The cluster is down",
            "ERR max number of clients reached",
            "ERR max number of clients + cluster connections reached",
            "ERR Max number of connections reached",
        ] {
            let expected = ConnectError::Unreachable(words.into());
            assert_eq!(connect_error(&error(words)), expected);
        }
        for words in [
            "WRONGPASS invalid username-password pair",
            "NOAUTH Authentication required.",
            "ERR DB index is out of range",
            "BUSYGROUP no",
        ] {
            let expected = ConnectError::Refused(words.into());
            assert_eq!(connect_error(&error(words)), expected);
        }
    }
}
