//! Commands to wire commands, wire replies to replies: one pipeline for each batch.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{Pipeline, RedisError, Value, aio::MultiplexedConnection};
use tokio::task::AbortHandle;

use super::{clean::clean, words};
use crate::{
    command::{Command, Reply},
    error::{Error, Result},
    list::List,
    manager::{Link, Lost},
};

/// An open connection. The socket is kept by a task, which ends with this.
#[derive(Debug)]
pub struct RedisLink {
    pub(super) connection: MultiplexedConnection,
    pub(super) task: AbortHandle,
    pub(super) step_timeout: Option<Duration>,
}

impl Drop for RedisLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link for RedisLink {
    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let mut connection = self.connection.clone();
        if let [Command::Clean { pattern }] = batch {
            return clean(connection, pattern.clone(), self.step_timeout).boxed();
        }
        let mut pipeline = Pipeline::with_capacity(batch.len());
        let shapes: Vec<Shape> = batch
            .iter()
            .map(|command| append(&mut pipeline, command))
            .collect();
        async move {
            let count = pipeline.len();
            let values = connection
                .send_packed_commands(&pipeline, 0, count)
                .await
                .map_err(|error| lost(&error))?;
            let mut values = values.into_iter();
            Ok(shapes
                .into_iter()
                .map(|shape| decode(shape, &mut values))
                .collect())
        }
        .boxed()
    }
}

/// How the replies of one command look on the wire.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Write,
    Lists(usize),
}

fn append(pipeline: &mut Pipeline, command: &Command) -> Shape {
    match command {
        Command::Add { key, members } => pipeline.cmd("SADD").arg(key).arg(members),
        Command::Remove { key, members } => pipeline.cmd("SREM").arg(key).arg(members),
        Command::Delete { keys } => pipeline.cmd("UNLINK").arg(keys),
        Command::Members { keys } => {
            for key in keys {
                pipeline.cmd("SMEMBERS").arg(key);
            }
            return Shape::Lists(keys.len());
        }
        // The driver sends it alone, and execute() took it before.
        Command::Clean { .. } => return Shape::Lists(0),
    };
    Shape::Write
}

fn decode(shape: Shape, values: &mut impl Iterator<Item = Value>) -> Result<Reply> {
    let missing = || Error::Internal("a reply is missing".to_owned());
    match shape {
        Shape::Write => match values.next() {
            Some(Value::ServerError(error)) => Err(Error::Store(words(&error))),
            Some(_) => Ok(Reply::Done),
            None => Err(missing()),
        },
        Shape::Lists(count) => Ok(Reply::Members(
            (0..count)
                .map(|_| values.next().ok_or_else(missing).and_then(list))
                .collect(),
        )),
    }
}

fn list(value: Value) -> Result<Arc<List>> {
    match value {
        Value::Array(items) | Value::Set(items) => {
            let members: Vec<Vec<u8>> = items.into_iter().map(member).collect::<Result<_>>()?;
            List::new(members).map(Arc::new)
        }
        Value::ServerError(error) => Err(Error::Store(words(&error))),
        _ => Err(Error::Internal("SMEMBERS answered no list".to_owned())),
    }
}

fn member(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(Error::Internal("a member is no string".to_owned())),
    }
}

pub(super) fn lost(error: &RedisError) -> Lost {
    Lost(error.to_string().into())
}
