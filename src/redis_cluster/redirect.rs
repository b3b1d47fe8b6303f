//! Redirections: whether a node's answer is final, or the command is to be sent again, and to which node. Pure.

use std::sync::Arc;

use super::slots::{UNNAMED, at};
use crate::redis_manager::Address;

/// What an error means for its command.
#[derive(Debug, PartialEq)]
pub(super) enum Redirect {
    /// The slot has moved to another node.
    Moved(Address),
    /// The slot is migrating there, and this key has moved already, or is new.
    Ask(Address),
    /// Retry later, because the slot has no settled owner: the node's words.
    Later(Arc<str>),
}

impl Redirect {
    /// Interprets the words of an error of node `asked`; `None` if it is final. Decoding the answer may have added an
    /// explanation in parentheses.
    pub(super) fn of(words: &str, asked: &Address) -> Option<Self> {
        let said = words.split(" (").next().unwrap_or_default();
        let (code, details) = said.split_once(' ').unwrap_or((said, ""));
        let later = || Self::Later(said.into());
        match code {
            "MOVED" | "ASK" => Some(match pointed_to(details, asked) {
                // The node itself does not know the address.
                None if details.contains(" ?:") => {
                    Self::Later(format!("{said} ({UNNAMED})").into())
                }
                None => later(),
                Some(to) if code == "ASK" => Self::Ask(to),
                Some(to) => Self::Moved(to),
            }),
            // The last two are those of a node that is no longer the primary.
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN" => Some(later()),
            _ => None,
        }
    }
}

/// Parses `3999 host:port`; an IPv6 address may come without brackets.
fn pointed_to(details: &str, asked: &Address) -> Option<Address> {
    let (_, place) = details.split_once(' ')?;
    let (host, port) = place.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    at(bare.unwrap_or(host), port.parse().ok()?, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(error: &str) -> Option<Redirect> {
        Redirect::of(error, &Address::Tcp("me".to_owned(), 1))
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn redirections_are_read_whatever_form_the_address_has() {
        assert_eq!(
            judge("MOVED 3999 10.0.0.1:6381"),
            Some(Redirect::Moved(tcp("10.0.0.1", 6381)))
        );
        assert_eq!(
            judge("MOVED 3999 10.0.0.1:6381 (give nodes: host:1)"),
            Some(Redirect::Moved(tcp("10.0.0.1", 6381)))
        );
        assert_eq!(
            judge("ASK 1 node.example:7"),
            Some(Redirect::Ask(tcp("node.example", 7)))
        );
        // The host is that of who was asked.
        assert_eq!(judge("MOVED 1 :7"), Some(Redirect::Moved(tcp("me", 7))));
        assert_eq!(judge("MOVED 1 ::1:7"), Some(Redirect::Moved(tcp("::1", 7))));
        assert_eq!(
            judge("MOVED 1 [::1]:7"),
            Some(Redirect::Moved(tcp("::1", 7)))
        );
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
            assert_eq!(judge(words), Some(Redirect::Later(words.into())));
        }
        let unnamed = format!("MOVED 1 ?:7 ({UNNAMED})");
        assert_eq!(judge("MOVED 1 ?:7"), Some(Redirect::Later(unnamed.into())));
        for words in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "OOM command not allowed",
            "NOPERM no",
            "ERR no",
        ] {
            assert_eq!(judge(words), None);
        }
    }
}
