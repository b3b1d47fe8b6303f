//! The inventory of a Redis, for listing and copying it: sets and their members, by [`super::scan`].

use std::sync::Arc;

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream::BoxStream,
};
use redis::{Value, aio::MultiplexedConnection, cmd};

use super::{
    connection::RedisConnection,
    fallbacks::Commands,
    scan::{STEP, ScanError, ScanResult, ask, odd, sets, steps},
    server_errors::words,
};
use crate::{
    command::Member,
    error::{Error, Result},
    keys::Key,
    manager::{Connection as _, Inventory},
};

impl Inventory for RedisConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let sets = sets(self.connection.clone(), self.commands.clone(), stem);
        sets.map_err(Error::from).boxed()
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let steps = member_scan(self.connection.clone(), self.commands.clone(), key.to_vec());
        // The key is not a set any more.
        up_to_wrong_type(steps).map_err(Error::from).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let (connection, commands) = (self.connection.clone(), self.commands.clone());
        let keys = keys.to_vec();
        async move {
            let replies = ask(&connection, &commands, "SCARD", |name, pipeline| {
                for key in &keys {
                    pipeline.cmd(name).arg(key);
                }
            });
            let (_, replies) = replies.await.map_err(Error::from)?;
            replies.into_iter().map(count).collect()
        }
        .boxed()
    }

    fn kinds(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<Arc<str>>>> {
        let (connection, commands) = (self.connection.clone(), self.commands.clone());
        let keys = keys.to_vec();
        async move {
            // A pipeline without a command is an error.
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let replies = ask(&connection, &commands, "TYPE", |name, pipeline| {
                for key in &keys {
                    pipeline.cmd(name).arg(key);
                }
            });
            let (_, replies) = replies.await.map_err(Error::from)?;
            replies.into_iter().map(kind).collect()
        }
        .boxed()
    }

    fn version(&self) -> BoxFuture<'static, Option<String>> {
        version(self.connection.clone()).boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

/// Decodes the answer to `TYPE`, or to what replaces it: a command for sets only.
pub(crate) fn kind(reply: Value) -> Result<Arc<str>> {
    let is_set = match reply {
        Value::SimpleString(kind) => return Ok(kind.into()),
        Value::ServerError(error) => match Error::Store(words(&error)) {
            error if is_no_set(&error) => return Ok("other".into()),
            error => return Err(error),
        },
        Value::Int(count) => count > 0,
        Value::Array(members) | Value::Set(members) => !members.is_empty(),
        _ => return Err(odd("TYPE")),
    };
    Ok(if is_set { "set" } else { "none" }.into())
}

/// Returns name and version of a server, as `INFO` says it; `None` if it does not.
pub(crate) async fn version(mut connection: MultiplexedConnection) -> Option<String> {
    let mut info = cmd("INFO");
    info.arg("server");
    let answer = connection.send_packed_command(&info).await.ok()?;
    let text: String = redis::from_redis_value(answer).ok()?;
    let field = |name: &str| {
        let of = |line: &str| {
            Some(
                line.strip_prefix(name)?
                    .strip_prefix(':')?
                    .trim()
                    .to_owned(),
            )
        };
        text.lines().find_map(of)
    };
    match field("valkey_version") {
        Some(version) => Some(format!("Valkey {version}")),
        None => field("redis_version").map(|version| format!("Redis {version}")),
    }
}

/// Streams the members of one set; an error if the key is no set.
pub(crate) fn member_scan(
    connection: MultiplexedConnection,
    commands: Commands,
    key: Key,
) -> BoxStream<'static, ScanResult<Vec<Member>>> {
    scan_inside(connection, commands, "SSCAN", key)
}

/// Streams what one key holds, by `name`, a SSCAN or HSCAN; an error if it is of another type.
pub(super) fn scan_inside(
    connection: MultiplexedConnection,
    commands: Commands,
    name: &'static str,
    key: Key,
) -> BoxStream<'static, ScanResult<Vec<Vec<u8>>>> {
    let scan = move |sent: &str, cursor: &[u8]| {
        let mut scan = cmd(sent);
        scan.arg(&key);
        if sent == name {
            scan.arg(cursor).arg("COUNT").arg(STEP);
        }
        scan
    };
    steps(connection, commands, name, scan).boxed()
}

/// Ends a stream where the key is of another type.
pub(super) fn up_to_wrong_type<T: Send + 'static>(
    steps: BoxStream<'static, ScanResult<T>>,
) -> BoxStream<'static, ScanResult<T>> {
    let gone =
        |step: &ScanResult<_>| !matches!(step, Err(ScanError::Refused(error)) if is_no_set(error));
    steps
        .take_while(move |step| std::future::ready(gone(step)))
        .boxed()
}

/// Decodes the answer to `SMEMBERS`, byte for byte.
pub(crate) fn list_members(reply: Value) -> Result<Vec<Member>> {
    match reply {
        Value::Array(members) | Value::Set(members) => {
            let bytes = |member| match member {
                Value::BulkString(bytes) => Ok(bytes),
                _ => Err(odd("SMEMBERS")),
            };
            members.into_iter().map(bytes).collect()
        }
        Value::ServerError(error) => Err(Error::Store(words(&error))),
        _ => Err(odd("SMEMBERS")),
    }
}

/// Decodes the answer to `SCARD`, or to `SMEMBERS` in its place.
pub(crate) fn count(reply: Value) -> Result<u64> {
    match reply {
        Value::Array(members) | Value::Set(members) => Ok(members.len() as u64),
        Value::Int(count) => u64::try_from(count).map_err(|_| odd("SCARD")),
        Value::ServerError(error) => match Error::Store(words(&error)) {
            error if is_no_set(&error) => Ok(0),
            error => Err(error),
        },
        _ => Err(odd("SCARD")),
    }
}

pub(crate) fn is_no_set(error: &Error) -> bool {
    matches!(error, Error::Store(words) if words.starts_with("WRONGTYPE"))
}
