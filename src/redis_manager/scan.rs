//! Scans what Redis holds, in small steps. SCAN instead of KEYS, which would block the server; TYPE for each key,
//! because SCAN's own TYPE filter needs Redis 6; SSCAN instead of SMEMBERS, for sets of any size. Where the server lacks
//! them, what [`super::fallbacks`] names in their place. Used by `clean` and by [`super::inventory`].

use std::sync::Arc;

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use redis::{Cmd, Pipeline, ServerError, Value, aio::MultiplexedConnection, cmd};

use super::{
    fallbacks::{Commands, exact},
    server_errors::{lost, store_error},
};
use crate::{
    error::Error,
    keys::{Key, pattern},
    manager::Lost,
};

/// The number of keys, or members, that the server looks at in one step. Even, because long answers are cut into parts of
/// this length, and a field of a hash belongs to its value.
pub(super) const STEP: usize = 1000;

/// Why a scan ended early. It cannot be resumed: a cursor is not valid on another connection.
#[derive(Debug)]
pub(crate) enum ScanError {
    /// The connection broke.
    Lost(Lost),
    /// The server answered with an error.
    Refused(Error),
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Lost(lost) => lost.into(),
            ScanError::Refused(error) => error,
        }
    }
}

pub(crate) type ScanResult<T> = std::result::Result<T, ScanError>;

/// Streams the keys of all sets that begin with `stem`; a key may come twice.
pub(super) fn sets(
    connection: MultiplexedConnection,
    commands: Commands,
    stem: &[u8],
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    found(connection.clone(), commands.clone(), stem)
        .and_then(move |keys| sets_among(connection.clone(), commands.clone(), keys))
        .boxed()
}

/// Streams the keys of any type that begin with `stem`; a key may come twice.
pub(crate) fn found(
    connection: MultiplexedConnection,
    commands: Commands,
    stem: &[u8],
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    let pattern = pattern(stem);
    let scan = move |name: &str, cursor: &[u8]| {
        let mut scan = cmd(name);
        if name == "SCAN" {
            scan.arg(cursor).arg("MATCH");
        }
        scan.arg(&pattern);
        if name == "SCAN" {
            scan.arg("COUNT").arg(STEP);
        }
        scan
    };
    steps(connection, commands, "SCAN", scan).boxed()
}

/// Streams all steps of `name`, a SCAN, SSCAN or HSCAN, or of the command that replaces it, which answers everything at once;
/// `command` makes a step of either.
pub(super) fn steps(
    connection: MultiplexedConnection,
    commands: Commands,
    name: &'static str,
    command: impl Fn(&str, &[u8]) -> Cmd + Send + Sync + 'static,
) -> impl stream::Stream<Item = ScanResult<Vec<Vec<u8>>>> + Send + 'static {
    let command = Arc::new(command);
    let steps = stream::try_unfold(Some(b"0".to_vec()), move |cursor| {
        let (connection, commands) = (connection.clone(), commands.clone());
        let command = command.clone();
        async move {
            let Some(cursor) = cursor else {
                return Ok(None);
            };
            let answer = ask(&connection, &commands, name, |name, pipeline| {
                pipeline.add_command(command(name, &cursor));
            });
            // Not by what is missing now: another node of a cluster may have said so meanwhile.
            let (sent, mut answers) = answer.await?;
            let (next, found) = match answers.pop() {
                Some(Value::Array(parts)) if sent == name => match <[Value; 2]>::try_from(parts) {
                    Ok([Value::BulkString(next), Value::Array(found)]) => (next, found),
                    _ => return Err(ScanError::Refused(odd(name))),
                },
                Some(Value::Array(found) | Value::Set(found)) => (b"0".to_vec(), found),
                Some(Value::Map(pairs)) => (b"0".to_vec(), flat(pairs)),
                Some(Value::ServerError(error)) => return Err(refused(&error)),
                _ => return Err(ScanError::Refused(odd(name))),
            };
            let found = found.into_iter().filter_map(|name| match name {
                Value::BulkString(name) => Some(name),
                _ => None,
            });
            let found: Vec<_> = found.collect();
            Ok(Some((found, (next != b"0").then_some(next))))
        }
    });
    // What came at once is handed on in parts too: what follows is a command for each.
    steps.flat_map(|step| {
        stream::iter(match step {
            Ok(found) if found.len() > 2 * STEP => {
                found.chunks(STEP).map(|part| Ok(part.to_vec())).collect()
            }
            step => vec![step],
        })
    })
}

/// Returns fields and values in turns, as protocol 2 sends them.
pub(super) fn flat(pairs: Vec<(Value, Value)>) -> Vec<Value> {
    let pair = |(field, value)| [field, value];
    pairs.into_iter().flat_map(pair).collect()
}

/// Sends a pipeline of `name`, made by `fill`, and again with the command that replaces it if the server lacks it.
/// Returns the command that was answered, and the answers.
pub(super) async fn ask(
    connection: &MultiplexedConnection,
    commands: &Commands,
    name: &'static str,
    fill: impl Fn(&str, &mut Pipeline),
) -> ScanResult<(&'static str, Vec<Value>)> {
    let over = |pipeline| {
        let connection = connection.clone();
        async move { send(connection, &pipeline).await }
    };
    ask_by(over, commands, name, fill).await
}

/// Does the same with pipelines that `over` sends.
pub(super) async fn ask_by<F: Future<Output = ScanResult<Vec<Value>>>>(
    over: impl Fn(Pipeline) -> F,
    commands: &Commands,
    name: &'static str,
    fill: impl Fn(&str, &mut Pipeline),
) -> ScanResult<(&'static str, Vec<Value>)> {
    loop {
        let sent = commands.instead_of(name);
        let mut pipeline = Pipeline::new();
        fill(exact(sent), &mut pipeline);
        let answers = over(pipeline).await?;
        if !answers.iter().any(|answer| commands.lacks(sent, answer)) {
            return Ok((sent, answers));
        }
    }
}

pub(super) async fn sets_among(
    connection: MultiplexedConnection,
    commands: Commands,
    keys: Vec<Key>,
) -> ScanResult<Vec<Key>> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let kinds = ask(&connection, &commands, "TYPE", |name, pipeline| {
        for key in &keys {
            pipeline.cmd(name).arg(key);
        }
    });
    let (_, kinds) = kinds.await?;
    only_sets(keys, kinds.into_iter().map(Ok), store_error)
}

/// Returns those keys that are sets, by the answers to `TYPE`, or to what replaces it: a command for sets only.
/// `refusal` makes the error of a refusal.
pub(crate) fn only_sets(
    keys: Vec<Key>,
    kinds: impl IntoIterator<Item = Result<Value, Error>>,
    refusal: impl Fn(&ServerError) -> Error,
) -> ScanResult<Vec<Key>> {
    let mut sets = Vec::new();
    for (key, kind) in keys.into_iter().zip(kinds) {
        match kind.map_err(ScanError::Refused)? {
            Value::SimpleString(kind) if kind == "set" => sets.push(key),
            Value::Int(1..) => sets.push(key),
            Value::Array(members) | Value::Set(members) if !members.is_empty() => sets.push(key),
            Value::ServerError(error) if error.code() == "WRONGTYPE" => {}
            Value::ServerError(error) => return Err(ScanError::Refused(refusal(&error))),
            _ => {}
        }
    }
    Ok(sets)
}

pub(super) async fn send(
    mut connection: MultiplexedConnection,
    pipeline: &Pipeline,
) -> ScanResult<Vec<Value>> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| ScanError::Lost(lost(&error)))
}

pub(super) fn refused(error: &ServerError) -> ScanError {
    ScanError::Refused(store_error(error))
}

pub(super) fn odd(command: &str) -> Error {
    Error::Internal(format!("{command} answered in an unknown form"))
}
