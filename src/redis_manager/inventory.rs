//! The inventory of a Redis, for listing and copying it: sets and their members, by [`super::scan`].

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream::BoxStream,
};
use redis::{Pipeline, Value, cmd};

use super::{
    connection::RedisConnection,
    scan::{STEP, ScanError, ScanResult, odd, send, sets, steps},
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
        // The key is not a set any more.
        let gone = |step: &ScanResult<_>| !matches!(step, Err(ScanError::Refused(error)) if is_no_set(error));
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
