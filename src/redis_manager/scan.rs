//! Scans what Redis holds, in small steps. SCAN instead of KEYS, which would block the server; TYPE for each key,
//! because SCAN's own TYPE filter needs Redis 6; SSCAN instead of SMEMBERS, for sets of any size. Used by `clean` and
//! by [`super::inventory`].

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use redis::{Cmd, Pipeline, ServerError, Value, aio::MultiplexedConnection, cmd};

use super::server_errors::{lost, store_error};
use crate::{
    error::Error,
    keys::{Key, pattern},
    manager::Lost,
};

/// The number of keys, or members, that the server looks at in one step.
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
    stem: &[u8],
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    found(connection.clone(), stem)
        .and_then(move |keys| sets_among(connection.clone(), keys))
        .boxed()
}

/// Streams the keys of any type that begin with `stem`; a key may come twice.
pub(crate) fn found(
    connection: MultiplexedConnection,
    stem: &[u8],
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    let pattern = pattern(stem);
    let scan = move |cursor: &[u8]| {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern);
        scan.arg("COUNT").arg(STEP);
        scan
    };
    steps(connection, scan).boxed()
}

/// Streams all steps of a SCAN or SSCAN.
pub(super) fn steps(
    connection: MultiplexedConnection,
    command: impl Fn(&[u8]) -> Cmd + Send + 'static,
) -> impl stream::Stream<Item = ScanResult<Vec<Vec<u8>>>> + Send + 'static {
    stream::try_unfold(Some(b"0".to_vec()), move |cursor| {
        let scan = cursor.map(|cursor| command(&cursor));
        let connection = connection.clone();
        async move {
            let Some(scan) = scan else { return Ok(None) };
            let mut pipeline = Pipeline::new();
            pipeline.add_command(scan);
            let (next, found) = match send(connection, &pipeline).await?.pop() {
                Some(Value::Array(parts)) => match <[Value; 2]>::try_from(parts) {
                    Ok([Value::BulkString(next), Value::Array(found)]) => (next, found),
                    _ => return Err(ScanError::Refused(odd("SCAN"))),
                },
                Some(Value::ServerError(error)) => return Err(refused(&error)),
                _ => return Err(ScanError::Refused(odd("SCAN"))),
            };
            let found = found.into_iter().filter_map(|name| match name {
                Value::BulkString(name) => Some(name),
                _ => None,
            });
            Ok(Some((found.collect(), (next != b"0").then_some(next))))
        }
    })
}

async fn sets_among(connection: MultiplexedConnection, keys: Vec<Key>) -> ScanResult<Vec<Key>> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let mut types = Pipeline::with_capacity(keys.len());
    for key in &keys {
        types.cmd("TYPE").arg(key);
    }
    let kinds = send(connection, &types).await?;
    only_sets(keys, kinds.into_iter().map(Ok), store_error)
}

/// Returns those keys that are sets, by the answers to `TYPE`; `refusal` makes the error of a refused `TYPE`.
pub(crate) fn only_sets(
    keys: Vec<Key>,
    kinds: impl IntoIterator<Item = Result<Value, Error>>,
    refusal: impl Fn(&ServerError) -> Error,
) -> ScanResult<Vec<Key>> {
    let mut sets = Vec::new();
    for (key, kind) in keys.into_iter().zip(kinds) {
        match kind.map_err(ScanError::Refused)? {
            Value::SimpleString(kind) if kind == "set" => sets.push(key),
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
