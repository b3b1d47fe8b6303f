//! `clean`: removes every set under a prefix, in small steps. SCAN instead of KEYS, which would
//! block the server; UNLINK instead of DEL; TYPE for each key, because SCAN's own TYPE filter
//! came only with Redis 6.

use std::time::Duration;

use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::{link::lost, words};
use crate::{
    command::Reply,
    error::{Error, Result},
    manager::Lost,
};

/// How many keys the server looks at in one step.
const STEP: usize = 1000;

/// Runs to the end, or to the first error of the server. It is not resumed on another
/// connection, where the cursor means nothing.
pub(super) async fn clean(
    mut connection: MultiplexedConnection,
    pattern: Vec<u8>,
    step_timeout: Option<Duration>,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let mut cursor = "0".to_owned();
    loop {
        let step = step(&mut connection, &cursor, &pattern);
        let next = match step_timeout {
            Some(limit) => tokio::time::timeout(limit, step)
                .await
                .map_err(|_| Lost("no answer to a step of clean".into()))?,
            None => step.await,
        }?;
        match next {
            Ok(next) if next == "0" => return Ok(vec![Ok(Reply::Done)]),
            Ok(next) => cursor = next,
            Err(error) => return Ok(vec![Err(error)]),
        }
    }
}

/// One step; the new cursor.
async fn step(
    connection: &mut MultiplexedConnection,
    cursor: &str,
    pattern: &[u8],
) -> std::result::Result<Result<String>, Lost> {
    let mut scan = Pipeline::new();
    scan.cmd("SCAN").arg(cursor);
    scan.arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
    let (cursor, keys) = match send(connection, &scan).await?.pop() {
        Some(Value::Array(parts)) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::BulkString(cursor), Value::Array(keys)]) => {
                (String::from_utf8_lossy(&cursor).into_owned(), keys)
            }
            _ => return Ok(Err(odd("SCAN"))),
        },
        Some(Value::ServerError(error)) => return Ok(Err(Error::Store(words(&error)))),
        _ => return Ok(Err(odd("SCAN"))),
    };
    let keys: Vec<Vec<u8>> = keys
        .into_iter()
        .filter_map(|key| match key {
            Value::BulkString(key) => Some(key),
            _ => None,
        })
        .collect();
    if keys.is_empty() {
        return Ok(Ok(cursor));
    }

    let mut types = Pipeline::with_capacity(keys.len());
    for key in &keys {
        types.cmd("TYPE").arg(key);
    }
    let mut sets = Vec::new();
    for (key, kind) in keys.into_iter().zip(send(connection, &types).await?) {
        match kind {
            Value::SimpleString(kind) if kind == "set" => sets.push(key),
            Value::ServerError(error) => return Ok(Err(Error::Store(words(&error)))),
            _ => {}
        }
    }
    if sets.is_empty() {
        return Ok(Ok(cursor));
    }

    let mut unlink = Pipeline::new();
    unlink.cmd("UNLINK").arg(sets);
    match send(connection, &unlink).await?.pop() {
        Some(Value::ServerError(error)) => Ok(Err(Error::Store(words(&error)))),
        _ => Ok(Ok(cursor)),
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> std::result::Result<Vec<Value>, Lost> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| lost(&error))
}

fn odd(command: &str) -> Error {
    Error::Internal(format!("{command} answered in an unknown form"))
}
