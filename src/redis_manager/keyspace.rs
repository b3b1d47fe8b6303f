//! What is not in our layout, for converting it: hashes, by [`super::scan`].

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use redis::{Value, aio::MultiplexedConnection};

use super::{
    connection::RedisConnection,
    fallbacks::Commands,
    inventory::{scan_inside, up_to_wrong_type},
    scan::{ScanResult, flat, odd},
    server_errors::words,
};
use crate::{
    error::{Error, Result},
    keys::Key,
    manager::{Field, Keyspace},
};

impl Keyspace for RedisConnection {
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>> {
        let steps = field_scan(self.connection.clone(), self.commands.clone(), key.to_vec());
        up_to_wrong_type(steps).map_err(Error::from).boxed()
    }
}

/// Streams the fields of one hash with their values; an error if the key is no hash.
pub(crate) fn field_scan(
    connection: MultiplexedConnection,
    commands: Commands,
    key: Key,
) -> BoxStream<'static, ScanResult<Vec<Field>>> {
    let steps = scan_inside(connection, commands, "HSCAN", key);
    // Each step has an even number of them: see `STEP`.
    steps.map_ok(pairs).boxed()
}

/// Decodes the answer to `HGETALL`.
pub(crate) fn list_fields(reply: Value) -> Result<Vec<Field>> {
    let turns = match reply {
        Value::Array(turns) => turns,
        Value::Map(pairs) => flat(pairs),
        Value::ServerError(error) => return Err(Error::Store(words(&error))),
        _ => return Err(odd("HGETALL")),
    };
    let bytes = |value| match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(odd("HGETALL")),
    };
    turns
        .into_iter()
        .map(bytes)
        .collect::<Result<_>>()
        .map(pairs)
}

/// Makes pairs of fields and values in turns.
fn pairs(turns: Vec<Vec<u8>>) -> Vec<Field> {
    let mut turns = turns.into_iter();
    std::iter::from_fn(|| turns.next().zip(turns.next())).collect()
}
