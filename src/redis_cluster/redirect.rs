//! Redirections: whether a node's answer is final, or the command is to be sent again, and to which node. Pure.

use std::sync::Arc;

use redis::{ServerErrorKind, Value};

use super::slots::{UNNAMED, at};
use crate::redis_manager::{Address, is_demoted, words};

/// What an answer means for its command.
#[derive(Debug, PartialEq)]
pub(super) enum Redirect {
    /// It is final, be it an error.
    Answer(Value),
    /// The slot has moved to another node.
    Moved(Address),
    /// The slot is migrating there, and this key has moved already, or is new.
    Ask(Address),
    /// Retry later, because the slot has no settled owner: the node's words.
    Later(Arc<str>),
}

impl Redirect {
    /// Interprets the answer of node `asked`.
    pub(super) fn of(value: Value, asked: &Address) -> Self {
        let Value::ServerError(error) = &value else {
            return Self::Answer(value);
        };
        let Some(kind) = error.kind() else {
            return Self::Answer(value);
        };
        match kind {
            ServerErrorKind::Moved | ServerErrorKind::Ask => {
                match pointed_to(error.details(), asked) {
                    // The node itself does not know the address.
                    None if is_unnamed(error.details()) => {
                        Self::Later(format!("{} ({UNNAMED})", words(error)).into())
                    }
                    None => Self::Later(words(error)),
                    Some(to) if kind == ServerErrorKind::Ask => Self::Ask(to),
                    Some(to) => Self::Moved(to),
                }
            }
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::BusyLoading => Self::Later(words(error)),
            _ if is_demoted(error) => Self::Later(words(error)),
            _ => Self::Answer(value),
        }
    }
}

fn is_unnamed(details: Option<&str>) -> bool {
    details.is_some_and(|details| details.contains(" ?:"))
}

/// Parses `3999 host:port`; an IPv6 address may come without brackets.
fn pointed_to(details: Option<&str>, asked: &Address) -> Option<Address> {
    let (_, place) = details?.split_once(' ')?;
    let (host, port) = place.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    at(bare.unwrap_or(host), port.parse().ok()?, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it comes over the wire.
    fn judge(error: &str) -> Redirect {
        let value = redis::parse_redis_value(format!("-{error}\r\n").as_bytes()).expect("RESP");
        Redirect::of(value, &Address::Tcp("me".to_owned(), 1))
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn redirections_are_read_whatever_form_the_address_has() {
        assert_eq!(
            judge("MOVED 3999 10.0.0.1:6381"),
            Redirect::Moved(tcp("10.0.0.1", 6381))
        );
        assert_eq!(
            judge("ASK 1 node.example:7"),
            Redirect::Ask(tcp("node.example", 7))
        );
        // The host is that of who was asked.
        assert_eq!(judge("MOVED 1 :7"), Redirect::Moved(tcp("me", 7)));
        assert_eq!(judge("MOVED 1 ::1:7"), Redirect::Moved(tcp("::1", 7)));
        assert_eq!(judge("MOVED 1 [::1]:7"), Redirect::Moved(tcp("::1", 7)));
    }

    #[test]
    fn what_passes_does_not_reach_the_caller_and_the_rest_does() {
        for words in [
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Connection with MASTER is down",
            "READONLY You can't write against a read only replica.",
            "MOVED nonsense",
        ] {
            assert_eq!(judge(words), Redirect::Later(words.into()));
        }
        let unnamed = format!("MOVED 1 ?:7 ({UNNAMED})");
        assert_eq!(judge("MOVED 1 ?:7"), Redirect::Later(unnamed.into()));
        for words in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "OOM command not allowed",
            "NOPERM no",
            "ERR no",
        ] {
            assert!(
                matches!(judge(words), Redirect::Answer(Value::ServerError(_))),
                "{words}"
            );
        }
    }
}
