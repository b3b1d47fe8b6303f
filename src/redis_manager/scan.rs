//! Walking through what Redis holds, in small steps. SCAN instead of KEYS, which would block the
//! server; TYPE for each key, because SCAN's own TYPE filter came only with Redis 6; SSCAN instead of
//! SMEMBERS, for sets of any size. `clean` walks so, and who looks into a store.

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection, cmd};

use super::{
    connection::{RedisConnection, lost},
    slot_coverage::told,
    words,
};
use crate::{
    command::Member,
    error::{Error, Result},
    inventory::Inventory,
    keys::{Key, pattern},
    manager::{Connection as _, Lost},
};

/// How many keys, or members, the server looks at in one step.
const STEP: usize = 1000;

/// Why a walk ended before its end. A cursor means nothing on another connection: it cannot be resumed.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The connection broke.
    Lost(Lost),
    /// The server said no.
    Refused(Error),
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Lost(lost) => lost.into(),
            Halt::Refused(error) => error,
        }
    }
}

pub(crate) type Walk<T> = std::result::Result<T, Halt>;

impl Inventory for RedisConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let sets = sets(self.connection.clone(), stem);
        sets.map_err(Error::from).boxed()
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let key = key.to_vec();
        let sscan = move |cursor: &[u8]| {
            let mut sscan = cmd("SSCAN");
            sscan.arg(&key).arg(cursor).arg("COUNT").arg(STEP);
            sscan
        };
        let steps = steps(self.connection.clone(), sscan);
        // No set any more.
        let gone = |step: &Walk<_>| !matches!(step, Err(Halt::Refused(error)) if is_no_set(error));
        let steps = steps.take_while(move |step| std::future::ready(gone(step)));
        steps.map_err(Error::from).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let connection = self.connection.clone();
        let mut pipeline = Pipeline::with_capacity(keys.len());
        for key in keys {
            pipeline.cmd("SCARD").arg(key);
        }
        async move {
            let replies = send(connection, &pipeline).await.map_err(Error::from)?;
            replies.into_iter().map(count).collect()
        }
        .boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

fn count(reply: Value) -> Result<u64> {
    match reply {
        Value::Int(count) => u64::try_from(count).map_err(|_| odd("SCARD")),
        Value::ServerError(error) => match Error::Store(words(&error)) {
            error if is_no_set(&error) => Ok(0),
            error => Err(error),
        },
        _ => Err(odd("SCARD")),
    }
}

fn is_no_set(error: &Error) -> bool {
    matches!(error, Error::Store(words) if words.starts_with("WRONGTYPE"))
}

/// The keys of all sets that begin with `stem`; one may come twice.
pub(super) fn sets(
    connection: MultiplexedConnection,
    stem: &[u8],
) -> BoxStream<'static, Walk<Vec<Key>>> {
    found(connection.clone(), stem)
        .and_then(move |keys| only_sets(connection.clone(), keys))
        .boxed()
}

/// The keys of whatever kind that begin with `stem`; one may come twice.
pub(crate) fn found(
    connection: MultiplexedConnection,
    stem: &[u8],
) -> BoxStream<'static, Walk<Vec<Key>>> {
    let pattern = pattern(stem);
    let scan = move |cursor: &[u8]| {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern);
        scan.arg("COUNT").arg(STEP);
        scan
    };
    steps(connection, scan).boxed()
}

/// All steps of a SCAN or SSCAN.
fn steps(
    connection: MultiplexedConnection,
    command: impl Fn(&[u8]) -> Cmd + Send + 'static,
) -> impl stream::Stream<Item = Walk<Vec<Vec<u8>>>> + Send + 'static {
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
                    _ => return Err(Halt::Refused(odd("SCAN"))),
                },
                Some(Value::ServerError(error)) => return Err(refused(&error)),
                _ => return Err(Halt::Refused(odd("SCAN"))),
            };
            let found = found.into_iter().filter_map(|name| match name {
                Value::BulkString(name) => Some(name),
                _ => None,
            });
            Ok(Some((found.collect(), (next != b"0").then_some(next))))
        }
    })
}

async fn only_sets(connection: MultiplexedConnection, keys: Vec<Key>) -> Walk<Vec<Key>> {
    if keys.is_empty() {
        return Ok(keys);
    }
    let mut types = Pipeline::with_capacity(keys.len());
    for key in &keys {
        types.cmd("TYPE").arg(key);
    }
    let mut sets = Vec::new();
    for (key, kind) in keys.into_iter().zip(send(connection, &types).await?) {
        match kind {
            Value::SimpleString(kind) if kind == "set" => sets.push(key),
            Value::ServerError(error) => return Err(refused(&error)),
            _ => {}
        }
    }
    Ok(sets)
}

pub(super) async fn send(
    mut connection: MultiplexedConnection,
    pipeline: &Pipeline,
) -> Walk<Vec<Value>> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| Halt::Lost(lost(&error)))
}

pub(super) fn refused(error: &redis::ServerError) -> Halt {
    Halt::Refused(told(error))
}

fn odd(command: &str) -> Error {
    Error::Internal(format!("{command} answered in an unknown form"))
}
