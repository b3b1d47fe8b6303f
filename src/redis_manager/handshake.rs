//! The handshake on a new connection, before the first call: logs in, selects the database, identifies the server,
//! enables invalidations, and fences off the last connection.

use redis::{
    Pipeline, ProtocolVersion, RedisError, ServerError, Value, aio::MultiplexedConnection,
};

use super::{
    Address, CacheOptions, RedisManager, Target,
    connection::{caching, forget},
    login::Login,
    role::{Question, role_of_info},
    server_errors::{unreachable, words},
    slot_coverage, tracking_support,
};
use crate::manager::ConnectError;

/// Identifies the connection and the server process: enough to close it from another connection.
#[derive(Debug, Clone)]
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
}

/// Why the cache is off, if it is.
pub(super) type CacheOff = Option<String>;

impl RedisManager {
    /// Makes the error for a connection that broke before anything was answered on it.
    pub(super) fn unanswered(&self, error: &RedisError) -> ConnectError {
        if let Some(tls) = &self.options.tls {
            return tls.refusal().unwrap_or_else(|| unreachable(error));
        }
        let on_unix = matches!(self.target, Target::Server(Address::Unix(_)));
        if !on_unix && error.is_io_error() {
            unreachable(&format_args!(
                "{error}, before any answer; a server that wants TLS does that (option tls)"
            ))
        } else {
            unreachable(error)
        }
    }

    /// Logs in and identifies the server. AUTH and SELECT must succeed; our user may lack the right to others. Also
    /// returns why there can be no cache, in RESP3.
    pub(super) async fn set_up(
        &self,
        connection: &mut MultiplexedConnection,
        protocol: ProtocolVersion,
        login: &Login,
    ) -> Result<(Identity, CacheOff), ConnectError> {
        let mut pipeline = Pipeline::new();
        let mut needed = 1;
        let hello = protocol == ProtocolVersion::RESP3;
        // Also after redis-rs's HELLO, which accepts a password where none is needed; AUTH does not.
        if login.authenticate(&mut pipeline) {
            needed += 1;
        }
        pipeline.cmd("SELECT").arg(self.options.db);
        pipeline.cmd("CLIENT").arg("ID");
        pipeline.cmd("INFO");
        if hello {
            pipeline.cmd("HELLO");
        }
        let count = pipeline.len();
        let sent = connection.send_packed_commands(&pipeline, 0, count).await;
        let mut replies = sent.map_err(|error| match protocol {
            ProtocolVersion::RESP2 => self.unanswered(&error),
            _ => unreachable(&error),
        })?;
        let hello = if hello { replies.pop() } else { None };

        for reply in &replies[..needed.min(replies.len())] {
            match reply {
                Value::Okay => {}
                Value::ServerError(error) => return Err(login.refused(error)),
                _ => return Err(no_redis()),
            }
        }
        let [.., client_id, info] = replies.as_slice() else {
            return Err(no_redis());
        };
        if let Value::ServerError(error) = info
            && matches!(error.code(), "NOAUTH" | "LOADING")
        {
            return Err(login.refused(error));
        }
        let role = hello.as_ref().and_then(tracking_support::role);
        let mode = hello.as_ref().and_then(tracking_support::mode);
        let objection = hello.and_then(|hello| tracking_support::objection(&hello, info));
        let info: String = redis::from_redis_value_ref(info).unwrap_or_default();
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        if field("loading:") == Some("1") {
            return Err(ConnectError::Unreachable(
                "LOADING Redis is loading the dataset in memory".into(),
            ));
        }
        let by_info = role_of_info(&info);
        let question = match &role {
            Some(_) => Some(Question::Hello),
            None => by_info.as_ref().map(|_| Question::Info),
        };
        // Taken from the answer to the question, so that a later answer can be compared.
        let is_master = role
            .as_ref()
            .or(by_info.as_ref())
            .is_some_and(|role| role == "master");
        if self.is_elected() {
            is_primary(by_info.or(role).as_deref())?;
        }
        let mode = field("redis_mode:").or(mode.as_deref());
        // If neither answer tells, as for a user who may not call INFO, the keys are checked all the same.
        let in_cluster = mode.is_none_or(|mode| mode == "cluster");
        if in_cluster && let Some(stem) = &self.options.stem {
            slot_coverage::check(connection.clone(), stem).await?;
        }
        let identity = Identity {
            in_cluster: in_cluster && self.options.stem.is_some(),
            is_primary: is_master,
            question,
            client_id: redis::from_redis_value_ref(client_id).ok(),
            run_id: field("run_id:").map(str::to_owned),
        };
        Ok((identity, objection))
    }
}

/// Fails unless the server is a primary: sentinels name a server before it knows that it is one, and after it has been
/// demoted.
fn is_primary(role: Option<&str>) -> Result<(), ConnectError> {
    match role {
        Some("master") => Ok(()),
        Some(role) => {
            let words = format!("its role is {role}, not master");
            Err(ConnectError::Unreachable(words.into()))
        }
        None => {
            let words =
                "the server found by Sentinel does not tell its role: neither INFO nor HELLO does";
            Err(ConnectError::Refused(words.into()))
        }
    }
}

/// Enables tracking, and makes sure that it works and that everything else that the cache needs is permitted.
pub(super) async fn track(
    connection: &mut MultiplexedConnection,
    cache: &CacheOptions,
) -> Result<CacheOff, ConnectError> {
    let mut pipeline = Pipeline::new();
    pipeline
        .cmd("CLIENT")
        .arg("TRACKING")
        .arg("ON")
        .arg("OPTIN");
    pipeline.cmd("CLIENT").arg("TRACKINGINFO");
    pipeline.add_command(caching());
    // Consumes the caching flag before a key is read, so that nothing of the handshake is tracked.
    pipeline.add_command(forget::<&[u8]>(&[]));
    pipeline.cmd("TOUCH").arg(&cache.probe);
    let replies = send(connection, &pipeline).await?;
    let names = [
        "CLIENT TRACKING",
        "CLIENT TRACKINGINFO",
        "CLIENT CACHING",
        "EVAL",
        "TOUCH",
    ];
    let refused = replies
        .iter()
        .zip(names)
        .find_map(|(reply, name)| match reply {
            Value::ServerError(error) if is_no(error) => Some(format!("{name}: {}", words(error))),
            _ => None,
        });
    let off = match (refused, replies.as_slice()) {
        (Some(refused), _) => refused,
        (None, [_, info, Value::Okay, _, Value::Int(_)]) if is_tracking(info) => {
            return Ok(None);
        }
        _ => "CLIENT TRACKING is not on although it was asked for".to_owned(),
    };
    // Otherwise the server would keep tracking our reads.
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("TRACKING").arg("OFF");
    send(connection, &pipeline).await?;
    Ok(Some(off))
}

/// Returns whether an error is permanent; one like `OOM` is not, because the command may succeed later.
fn is_no(error: &ServerError) -> bool {
    !matches!(error.code(), "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY")
}

/// Returns whether the flags of `CLIENT TRACKINGINFO` say that tracking is on, and only for what we ask for.
pub(super) fn is_tracking(info: &Value) -> bool {
    let Value::Map(fields) = info else {
        return false;
    };
    let text = |value: &Value| redis::from_redis_value_ref::<String>(value).unwrap_or_default();
    fields.iter().any(|(name, flags)| {
        let flags = match flags {
            Value::Array(flags) | Value::Set(flags) => flags.as_slice(),
            _ => &[],
        };
        let has = |wanted: &str| flags.iter().any(|flag| text(flag) == wanted);
        text(name) == "flags" && has("on") && has("optin")
    })
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

async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| unreachable(&error))
}

fn no_redis() -> ConnectError {
    ConnectError::Unreachable("the answer is not Redis's".into())
}
