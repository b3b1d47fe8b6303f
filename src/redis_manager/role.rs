//! The role of the server: whether it is still the primary. A failover behind one address (a load balancer, a cloud
//! endpoint) leaves the connections of the demoted server open: it refuses writes, but still answers reads and
//! barriers. So a connection on which reads are sent asks for the role now and then, in the same pipeline.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::{
    server_errors::{is_demoted, words},
    tracking_support,
};
use crate::manager::ConnectError;

/// How long an answer about the role counts.
pub(super) const FRESH: Duration = Duration::from_millis(500);

/// The command that asks for the role: one that the server has answered during the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// `HELLO` without arguments, which every user may call. Only over RESP3: some proxies close the
    /// connection on it.
    Hello,
    /// `INFO replication`.
    Info,
    /// `ROLE`, for a server that has neither for us.
    Role,
}

impl Question {
    pub(super) fn command(self) -> Cmd {
        match self {
            Self::Hello => cmd("HELLO"),
            Self::Info => cmd("INFO").arg("replication").take(),
            Self::Role => cmd("ROLE"),
        }
    }

    /// Returns the role in an answer; none in an error.
    pub(super) fn role(self, answer: &Value) -> Option<String> {
        match self {
            Self::Hello => tracking_support::role(answer),
            Self::Info => role_of_info(&redis::from_redis_value_ref::<String>(answer).ok()?),
            Self::Role => match answer {
                Value::Array(parts) => redis::from_redis_value_ref(parts.first()?).ok(),
                _ => None,
            },
        }
    }
}

/// Returns the role that INFO reports.
pub(super) fn role_of_info(info: &str) -> Option<String> {
    let role = info.lines().find_map(|line| line.strip_prefix("role:"))?;
    Some(role.trim().to_owned())
}

/// Fails unless the server is a primary: sentinels name a server before it knows that it is one, and after it has been
/// demoted.
pub(super) fn is_primary(role: Option<&str>) -> Result<(), ConnectError> {
    match role {
        Some("master") => Ok(()),
        Some(role) => {
            let words = format!("its role is {role}, not master");
            Err(ConnectError::Unreachable(words.into()))
        }
        None => {
            let words =
                "the server found by Sentinel does not tell its role: INFO, HELLO and ROLE do not";
            Err(ConnectError::Refused(words.into()))
        }
    }
}

/// The known role of the server of one connection.
#[derive(Debug)]
pub(super) struct Role {
    question: Option<Question>,
    asked: Instant,
    /// Why it is not the primary: its words.
    demoted: Option<Arc<str>>,
    /// Whether it was not a primary at the handshake, so that the cache is off; when it becomes one, the connection is
    /// replaced.
    rises: bool,
}

impl Role {
    /// Begins with a server that was a primary at the handshake, just now, if there is a `question`; otherwise its role
    /// does not matter.
    pub(super) fn new(question: Option<Question>) -> Self {
        Self {
            question,
            asked: Instant::now(),
            demoted: None,
            rises: false,
        }
    }

    /// Marks a server that is not a primary yet, with a cache wanted.
    pub(super) fn rises(self, rises: bool) -> Self {
        Self { rises, ..self }
    }

    /// Returns the question to ask now, together with other commands.
    pub(super) fn ask(&mut self, now: Instant) -> Option<Question> {
        let due = self.demoted.is_some() || now.duration_since(self.asked) >= FRESH;
        let question = self.question.filter(|_| due)?;
        self.asked = now;
        Some(question)
    }

    /// Returns the question, whenever it was last asked.
    pub(super) fn question(&self) -> Option<Question> {
        self.question
    }

    /// Takes the answers to commands, and that to the question if it was asked with them.
    pub(super) fn observe(&mut self, values: &[Value], answer: Option<(Question, Value)>) {
        let refused = values.iter().find_map(|value| match value {
            Value::ServerError(error) if is_demoted(error) => Some(words(error)),
            _ => None,
        });
        let role = answer.and_then(|(question, answer)| question.role(&answer));
        if refused.is_some() {
            self.demoted = refused;
        } else if self.rises && role.as_deref() == Some("master") {
            self.demoted = Some("the server has become the primary".into());
        } else if let Some(role) = role {
            let words = || format!("the server's role is {role}, not master").into();
            self.demoted = (role != "master").then(words);
        } else if self.question.is_none() {
            self.demoted = None;
        }
    }

    /// Returns why the server is not the primary, if it has said so.
    pub(super) fn demoted(&self) -> Option<Arc<str>> {
        self.demoted.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(words: &str) -> Value {
        redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).expect("RESP")
    }

    fn hello(role: &str) -> (Question, Value) {
        let bulk = |text: &str| Value::BulkString(text.into());
        let map = Value::Map(vec![(bulk("role"), bulk(role))]);
        (Question::Hello, map)
    }

    fn info(role: &str) -> (Question, Value) {
        let text = format!("# Replication\r\nrole:{role}\r\nconnected_slaves:0\r\n");
        (Question::Info, Value::BulkString(text.into()))
    }

    fn role(role: &str) -> (Question, Value) {
        let parts = vec![Value::BulkString(role.into()), Value::Int(0)];
        (Question::Role, Value::Array(parts))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_once_in_a_while_and_at_once_while_it_is_no_primary() {
        let mut role = Role::new(Some(Question::Hello));
        assert_eq!(role.ask(Instant::now()), None, "it was asked at set-up");
        tokio::time::advance(FRESH).await;
        assert_eq!(role.ask(Instant::now()), Some(Question::Hello));
        assert_eq!(role.ask(Instant::now()), None);
        role.observe(&[], Some(hello("slave")));
        assert_eq!(role.ask(Instant::now()), Some(Question::Hello));
        assert_eq!(Role::new(None).ask(Instant::now() + FRESH), None);
    }

    #[tokio::test]
    async fn refusals_and_roles_say_whether_it_is_demoted() {
        for said in [hello, info, role] {
            let mut role = Role::new(Some(said("master").0));
            role.observe(&[Value::Int(1), error("OOM no")], Some(said("master")));
            assert_eq!(role.demoted(), None);
            role.observe(&[], Some(said("slave")));
            let words = "the server's role is slave, not master";
            assert_eq!(role.demoted().as_deref(), Some(words));
            // A pipeline that did not ask says nothing, and an error tells no role.
            role.observe(&[Value::Int(1)], None);
            role.observe(&[], Some((said("").0, error("NOPERM no"))));
            assert!(role.demoted().is_some());
            role.observe(&[], Some(said("master")));
            assert_eq!(role.demoted(), None);
            for words in ["READONLY You can't", "MASTERDOWN Connection is down"] {
                role.observe(&[Value::Int(1), error(words)], Some(said("master")));
                assert_eq!(role.demoted().as_deref(), Some(words));
            }
        }
    }

    #[tokio::test]
    async fn where_a_cache_is_wanted_a_replica_that_becomes_the_primary_is_connected_to_anew() {
        let mut role = Role::new(Some(Question::Hello)).rises(true);
        role.observe(&[Value::Int(1)], None);
        assert_eq!(role.demoted(), None);
        role.observe(&[], Some(hello("slave")));
        let words = "the server's role is slave, not master";
        assert_eq!(role.demoted().as_deref(), Some(words));
        role.observe(&[], Some(hello("master")));
        let words = "the server has become the primary";
        assert_eq!(role.demoted().as_deref(), Some(words));
    }

    #[tokio::test]
    async fn without_a_question_only_the_last_answers_count() {
        let mut role = Role::new(None);
        role.observe(&[error("READONLY no")], None);
        assert!(role.demoted().is_some());
        role.observe(&[Value::Int(1)], None);
        assert_eq!(role.demoted(), None);
    }
}
