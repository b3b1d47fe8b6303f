//! `clean`: removes every set under a prefix, in the small steps of [`super::walk`]; UNLINK instead of
//! DEL.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::{
    link::demoted,
    walk::{Halt, refused, send, sets},
};
use crate::{
    command::Reply,
    error::{Error, Result},
    keys::Key,
    manager::Lost,
};

/// Runs to the end, or to the first error of the server. One that is `elected` is lost when it is demoted.
pub(super) async fn clean(
    connection: MultiplexedConnection,
    stem: Key,
    step_timeout: Option<Duration>,
    elected: bool,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let mut sets = sets(connection.clone(), &stem);
    loop {
        let work = async {
            match sets.next().await {
                Some(sets) => unlink(connection.clone(), sets?).await.map(Some),
                None => Ok(None),
            }
        };
        let done = match step_timeout {
            Some(limit) => tokio::time::timeout(limit, work)
                .await
                .map_err(|_| Lost("no answer to a step of clean".into()))?,
            None => work.await,
        };
        match done {
            Ok(Some(())) => {}
            Ok(None) => return Ok(vec![Ok(Reply::Done)]),
            Err(Halt::Refused(Error::Store(words))) if elected && demoted(&words) => {
                return Err(Lost(words));
            }
            Err(Halt::Refused(error)) => return Ok(vec![Err(error)]),
            Err(Halt::Lost(lost)) => return Err(lost),
        }
    }
}

async fn unlink(
    connection: MultiplexedConnection,
    sets: Vec<Key>,
) -> std::result::Result<(), Halt> {
    if sets.is_empty() {
        return Ok(());
    }
    let mut unlink = Pipeline::new();
    unlink.cmd("UNLINK").arg(sets);
    match send(connection, &unlink).await?.pop() {
        Some(Value::ServerError(error)) => Err(refused(&error)),
        _ => Ok(()),
    }
}
