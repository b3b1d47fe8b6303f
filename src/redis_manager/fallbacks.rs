//! Commands that a server may lack, and what is sent instead. 0.0.7 needs `SADD`, `SREM`, `SMEMBERS`, `DEL` and `KEYS`;
//! old servers, proxies, `rename-command` and ACL rules may leave us with these. Every newer command that an answer
//! depends on has a row here; all others are optional: without them something is off or less is known, as
//! [`super::handshake`] and [`super::tracking_support`] say.
//!
//! What a batch sends must be known before it is sent, or a later call could overtake the repeated one: so the
//! handshake tries the commands of [`PROBED`], in its one round trip. The others are only sent one step at a time
//! ([`super::scan`]) and are tried when they are needed first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{ServerError, Value};

use super::{redact::redact, server_errors::words, wire::EXACT};

/// A command, and the older one in its place.
const OLDER: [(&str, &str); 7] = [
    ("UNLINK", "DEL"),
    ("SCARD", "SMEMBERS"),
    ("SISMEMBER", "SMEMBERS"),
    ("TYPE", "SCARD"),
    ("SSCAN", "SMEMBERS"),
    ("HSCAN", "HGETALL"),
    ("SCAN", "KEYS"),
];

/// Those of them that are sent in batches, and how many arguments they take: a key, and a member.
pub(super) const PROBED: [(&str, usize); 3] = [("UNLINK", 1), ("SCARD", 1), ("SISMEMBER", 2)];

/// The commands that a server lacks, as far as known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Missing(Vec<&'static str>);

impl Missing {
    /// Returns the command to send for `name`: itself, or what replaces it.
    pub(crate) fn instead_of(&self, name: &'static str) -> &'static str {
        let mut name = name;
        while self.0.contains(&name)
            && let Some((_, older)) = OLDER.iter().find(|(newer, _)| *newer == name)
        {
            name = older;
        }
        name
    }
}

/// Returns the spelling of a command for answers that are not those of calls: byte for byte.
pub(crate) fn exact(name: &'static str) -> &'static str {
    if name.eq_ignore_ascii_case(EXACT) {
        EXACT
    } else {
        name
    }
}

/// What is known of the server of one connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commands(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    missing: Missing,
    note: Option<String>,
}

impl Commands {
    /// Makes a server that is used with the commands of 0.0.7 only.
    pub(super) fn oldest() -> Self {
        let names = OLDER.iter().map(|(newer, _)| *newer);
        Self(Arc::new(Mutex::new(Known {
            missing: Missing(names.collect()),
            note: None,
        })))
    }

    /// Returns the commands that are missing by now.
    pub(crate) fn missing(&self) -> Missing {
        self.known().missing.clone()
    }

    /// Returns the command to send for `name`.
    pub(crate) fn instead_of(&self, name: &'static str) -> &'static str {
        self.known().missing.instead_of(name)
    }

    /// Takes the answer to command `name`; returns whether the server lacks it and there is another one to send.
    pub(crate) fn lacks(&self, name: &'static str, answer: &Value) -> bool {
        let Value::ServerError(error) = answer else {
            return false;
        };
        if !is_missing(error) || !OLDER.iter().any(|(newer, _)| *newer == name) {
            return false;
        }
        let mut known = self.known();
        if !known.missing.0.contains(&name) {
            known.missing.0.push(name);
            if name == "SCAN" {
                known.note = Some(format!(
                    "the server has no SCAN for us ({}); KEYS is used, which blocks it while it looks at all of its keys",
                    redact(words(error), std::iter::empty())
                ));
            }
        }
        true
    }

    /// Adds what is known of another server, which is used in the same way.
    pub(crate) fn merge(&self, other: &Self) {
        if Arc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let other = other.missing();
        let mut known = self.known();
        for name in other.0 {
            if !known.missing.0.contains(&name) {
                known.missing.0.push(name);
            }
        }
    }

    /// Returns a line for the log, once.
    pub(crate) fn take_note(&self) -> Option<String> {
        self.known().note.take()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the error says that there is no such command, for us: servers, proxies and clouds have words of
/// their own for it. One that is about a key, or that may pass, does not count.
pub(crate) fn is_missing(error: &ServerError) -> bool {
    let said = words(error).to_lowercase();
    match error.code() {
        // Of a key: "no permissions to access a key".
        "NOPERM" => said.contains("command"),
        // "command not allowed when used memory > 'maxmemory'" has the code OOM.
        code if code != "ERR" && code.chars().all(|char| char.is_ascii_uppercase()) => false,
        _ => {
            said.contains("command")
                && [
                    "unknown",
                    "unsupported",
                    "not support",
                    "not allowed",
                    "not available",
                    "unavailable",
                    "disabled",
                    "forbidden",
                ]
                .iter()
                .any(|word| said.contains(word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Op;

    fn error(text: &str) -> Value {
        redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("RESP")
    }

    fn says_missing(text: &str) -> bool {
        Commands::default().lacks("UNLINK", &error(text))
    }

    #[test]
    fn a_missing_command_is_recognized_whoever_says_so() {
        for text in [
            "ERR unknown command 'UNLINK'",
            "ERR unknown command `UNLINK`, with args beginning with: `k`, ",
            "NOPERM this user has no permissions to run the 'unlink' command or its subcommand",
            "NOPERM User gc has no permissions to run the 'unlink' command",
            "ERR unsupported command 'unlink'",
            "unsupported command 'unlink'",
            "ERR command 'UNLINK' not support for normal user",
            "ERR Command is not available: 'UNLINK'. See the documentation",
            "ERR handle response, command 'UNLINK' is not allowed",
        ] {
            assert!(says_missing(text), "{text}");
        }
        for text in [
            "NOPERM No permissions to access a key",
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "READONLY You can't write against a read only replica.",
            "MISCONF Redis is configured to save RDB snapshots, commands that may modify are disabled",
            "MOVED 1 10.0.0.1:1",
            "ERR wrong number of arguments for 'unlink' command",
            "NOAUTH Authentication required.",
        ] {
            assert!(!says_missing(text), "{text}");
        }
    }

    #[test]
    fn what_replaces_a_command_may_be_missing_too() {
        let commands = Commands::default();
        assert_eq!(commands.instead_of("TYPE"), "TYPE");
        assert!(commands.lacks("TYPE", &error("ERR unknown command 'TYPE'")));
        assert_eq!(commands.instead_of("TYPE"), "SCARD");
        assert!(commands.lacks("SCARD", &error("ERR unknown command 'SCARD'")));
        assert_eq!(commands.instead_of("TYPE"), "SMEMBERS");
        let no = error("ERR unknown command 'SMEMBERS'");
        assert!(!commands.lacks("SMEMBERS", &no), "it is the last one");
        let all = Commands::default();
        all.merge(&commands);
        assert_eq!(all.instead_of("SCARD"), "SMEMBERS");
        assert_eq!(all.instead_of("UNLINK"), "UNLINK");
    }

    #[test]
    fn the_log_is_told_once_that_the_server_is_blocked() {
        let commands = Commands::default();
        for _ in 0..2 {
            assert!(commands.lacks("SCAN", &error("ERR unknown command 'SCAN'")));
        }
        assert!(
            commands
                .take_note()
                .is_some_and(|note| note.contains("KEYS"))
        );
        assert_eq!(commands.take_note(), None);
    }

    #[test]
    fn each_operation_is_one_of_0_0_7_or_has_an_older_command_that_is_probed() {
        for op in Op::ALL {
            let name = op.redis_name();
            let old = ["SADD", "SREM", "SMEMBERS", "DEL"].contains(&name);
            let is_probed = PROBED.iter().any(|(probed, _)| *probed == name);
            let replaced = OLDER.iter().any(|(newer, _)| *newer == name) && is_probed;
            // Without these there are no leases and no index of members: see `lease_scripts.rs`, `membership_scripts.rs`.
            let is_optional = ["EVAL", "HKEYS"].contains(&name);
            assert!(old || replaced || is_optional, "{name}");
        }
    }
}
