//! The handshake on a new connection, before the first call: logs in ([`super::first_commands`]), identifies the server, learns
//! which commands it lacks, and fences off the last connection.

use redis::{Pipeline, RedisError, Value, aio::MultiplexedConnection};

use super::{
    Address, Note, RedisManager, Target, Tls,
    attempts::Handshake,
    fallbacks::{Commands, PROBED},
    first_line::FirstLine,
    login::Login,
    role::{Question, is_primary, role_of_info},
    server_errors::{NO_REDIS, unreachable},
    slot_coverage, tracking_support,
};
use crate::manager::ConnectError;

/// Identifies the connection and the server process: enough to close it from another connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    client_id: Option<i64>,
    /// Changes whenever a server process starts. A connection id means nothing without it: after a restart the same id
    /// is another client's connection.
    run_id: Option<String>,
    /// Whether it is, or may be, a node of a Redis Cluster, which then has to have all keys.
    pub(super) in_cluster: bool,
    /// Whether it says that it is a primary, and the command that asks for it.
    pub(super) is_primary: bool,
    pub(super) question: Option<Question>,
    /// Which commands the server lacks.
    pub(super) commands: Commands,
    /// Lines for the log.
    pub(super) notes: Vec<String>,
}

impl Identity {
    /// Returns a number of the server process, if it says which one it is.
    pub(super) fn origin(&self) -> Option<u64> {
        let run_id = self.run_id.as_ref()?;
        Some(xxhash_rust::xxh3::xxh3_64(run_id.as_bytes()))
    }
}

/// Why the cache is off, if it is.
pub(super) type CacheOff = Option<String>;

/// Returns the commands that a handshake tries, each with its number of arguments.
fn probed(handshake: Handshake) -> &'static [(&'static str, usize)] {
    match handshake {
        Handshake::Bare => &[],
        Handshake::Resp2 | Handshake::Resp3 => &PROBED,
    }
}

impl RedisManager {
    /// Makes the error for a connection that broke before anything was answered on it; `first` is what the server said.
    pub(super) fn unanswered(&self, error: &RedisError, first: &FirstLine) -> ConnectError {
        let tls = self.options.tls.as_ref();
        let on_unix = matches!(self.target, Target::Server(Address::Unix(_)));
        let hint = "a server that wants TLS does that (option tls)";
        unanswered(error, first, tls, (!on_unix).then_some(hint))
    }

    /// Logs in, identifies the server, and learns which commands it lacks. Logging in and selecting the database must
    /// succeed; our user may lack the right to anything else, and a server may not know it. Also returns why there can
    /// be no cache, in RESP3. A [bare](Handshake::Bare) handshake sends only what every proxy knows. `first` is what the
    /// server said before it.
    pub(super) async fn set_up(
        &self,
        connection: &mut MultiplexedConnection,
        handshake: Handshake,
        (first, login): (&FirstLine, &Login),
    ) -> Result<(Identity, CacheOff), ConnectError> {
        let bare = handshake == Handshake::Bare;
        let hello = handshake == Handshake::Resp3;
        let pipeline = self.questions(handshake, login);
        let count = pipeline.len();
        let sent = connection.send_packed_commands(&pipeline, 0, count).await;
        let replies = sent.map_err(|error| {
            if hello {
                return unreachable(&error);
            }
            if first.reason().is_some() {
                // This failure was not about the commands.
                self.attempts.answered();
            } else if !bare && error.is_io_error() && !self.is_elected() {
                // A primary that sentinels name must tell its role, which a bare handshake does not ask for.
                self.attempts.closed(self.cache.is_some());
            }
            login.may_pass(self.unanswered(&error, first))
        })?;
        self.attempts.done(handshake);
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Value::Nil);

        let mut notes = vec![self.logged_in(login, &mut next)?];
        let commands = if bare {
            Commands::oldest()
        } else {
            Commands::default()
        };
        for (name, _) in probed(handshake) {
            commands.lacks(name, &next());
        }
        let (client_id, info) = if bare {
            notes.push(self.once(Note::BareHandshake, BARE.to_owned()));
            (Value::Nil, Value::Nil)
        } else {
            (next(), next())
        };
        let hello = hello.then(next);
        if let Value::ServerError(error) = &info
            && matches!(error.code(), "NOAUTH" | "LOADING")
        {
            return Err(login.refused(error));
        }
        let objection = hello
            .as_ref()
            .and_then(|hello| tracking_support::objection(hello, &info, self.mode()));
        let info: String = redis::from_redis_value_ref(&info).unwrap_or_default();
        let asks = !bare;
        let mut identity = self
            .identify(connection, hello.as_ref(), &info, asks)
            .await?;
        identity.client_id = redis::from_redis_value_ref(&client_id).ok();
        identity.commands = commands;
        identity.notes = notes.into_iter().flatten().collect();
        Ok((identity, objection))
    }

    /// Makes the pipeline of a handshake.
    fn questions(&self, handshake: Handshake, login: &Login) -> Pipeline {
        let mut pipeline = Pipeline::new();
        self.add_first_commands(&mut pipeline, login);
        for (name, arguments) in probed(handshake) {
            let probe = pipeline.cmd(name);
            for _ in 0..*arguments {
                probe.arg(&self.options.probe);
            }
        }
        if handshake != Handshake::Bare {
            pipeline.cmd("CLIENT").arg("ID");
            pipeline.cmd("INFO");
        }
        if handshake == Handshake::Resp3 {
            pipeline.cmd("HELLO");
        }
        pipeline
    }

    /// Returns the mode of a server whose lists may be kept in memory.
    const fn mode(&self) -> &'static str {
        if self.options.is_node() {
            "cluster"
        } else {
            "standalone"
        }
    }

    /// Reads what HELLO and INFO say of the server; if neither tells its role and `asks` is set, asks for that.
    async fn identify(
        &self,
        connection: &mut MultiplexedConnection,
        hello: Option<&Value>,
        info: &str,
        asks: bool,
    ) -> Result<Identity, ConnectError> {
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        if field("loading:") == Some("1") {
            return Err(ConnectError::Unreachable(
                "LOADING Redis is loading the dataset in memory".into(),
            ));
        }
        let by_info = role_of_info(info);
        // The command by which the role is known, so that a later answer can be compared.
        let (question, role) = match (hello.and_then(tracking_support::role), by_info.clone()) {
            (Some(role), _) => (Some(Question::Hello), Some(role)),
            (None, Some(role)) => (Some(Question::Info), Some(role)),
            (None, None) if !asks => (None, None),
            (None, None) => {
                let role = ask_for_role(connection).await?;
                (role.as_ref().map(|_| Question::Role), role)
            }
        };
        let is_master = role.as_deref() == Some("master");
        if self.is_elected() {
            is_primary(by_info.or(role).as_deref())?;
        }
        let mode = hello.and_then(tracking_support::mode);
        let mode = field("redis_mode:").or(mode.as_deref());
        // If neither answer tells, as for a user who may not call INFO, the keys are checked all the same.
        let in_cluster = mode.is_none_or(|mode| mode == "cluster");
        if in_cluster && let Some(stem) = &self.options.stem {
            slot_coverage::check(connection.clone(), stem).await?;
        }
        Ok(Identity {
            in_cluster: in_cluster && self.options.stem.is_some(),
            is_primary: is_master,
            question,
            run_id: field("run_id:").map(str::to_owned),
            ..Identity::default()
        })
    }
}

/// Makes the error for a connection that broke before anything was answered on it: the reason that the server gave, or
/// that TLS gives. Only where nothing was said, the server may be one that wants TLS, as `hint` says.
pub(super) fn unanswered(
    error: &RedisError,
    first: &FirstLine,
    tls: Option<&Tls>,
    hint: Option<&str>,
) -> ConnectError {
    let reason = first.reason().or_else(|| tls?.refusal());
    if let Some(reason) = reason {
        return reason;
    }
    match hint {
        Some(hint) if tls.is_none() && error.is_io_error() && first.is_silent() => {
            unreachable(&format_args!("{error}, before any answer; {hint}"))
        }
        _ => unreachable(error),
    }
}

/// Says what a bare handshake leaves out.
pub(super) const BARE: &str = "the server closes the connection on commands that it does not know, so it is used with the oldest \
                    ones: writes that were sent when the connection is lost are not repeated, and clean uses KEYS";

/// Asks a server for its role that has neither INFO nor HELLO for us.
async fn ask_for_role(
    connection: &mut MultiplexedConnection,
) -> Result<Option<String>, ConnectError> {
    let mut pipeline = Pipeline::new();
    pipeline.add_command(Question::Role.command());
    let answer = send(connection, &pipeline).await?.pop();
    Ok(answer.and_then(|answer| Question::Role.role(&answer)))
}

/// Makes sure that nothing sent over the last connection takes effect any more: a server that hung may still hold
/// unread commands of it, and would execute them after ours. Returns whether that is certain.
pub(super) async fn fence(
    connection: &mut MultiplexedConnection,
    last: Option<Identity>,
    now: &Identity,
) -> Result<bool, ConnectError> {
    let Some(last) = last else { return Ok(true) };
    let (Some(last_run), Some(run)) = (last.run_id, &now.run_id) else {
        return Ok(false);
    };
    if last_run != *run {
        // Another server process: the old one is gone, and its unread commands with it. Or, found by Sentinel, it was
        // replaced, and may still be alive and execute them. No client will see that: it becomes a replica of the new
        // primary and copies all of its data, because it has written what that one has not (its replication offset is
        // beyond the one at which they parted). If it is ever promoted again, it has that data; and Sentinel closes its
        // clients when it demotes it, in the same transaction.
        return Ok(true);
    }
    let Some(id) = last.client_id else {
        return Ok(false);
    };
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id);
    let replies = send(connection, &pipeline).await?;
    Ok(matches!(replies.as_slice(), [Value::Int(_)]))
}

/// Sends a pipeline, and returns the replies.
pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| unreachable(&error))
}

pub(super) fn no_redis() -> ConnectError {
    ConnectError::Unreachable(NO_REDIS.into())
}
