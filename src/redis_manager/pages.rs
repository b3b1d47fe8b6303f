//! Pages of long lists, from one server: [`crate::pages`] over `SSCAN`, `SCAN` and `SCARD`. A position means something to
//! the server process that gave it only, because each has its own order. With another one, as after a failover, a scan
//! begins anew, so that nothing is missed. As with other reads, the server is asked for its role now and then, in the
//! pipeline of a step: see [`super::role`].

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{Pipeline, Value, aio::MultiplexedConnection};
use tokio::time::Instant;

use super::{
    entering,
    fallbacks::Commands,
    inventory::{count, list_members},
    scan::{ScanResult, ask_by, odd, refused, send},
    state::{State, lock},
};
use crate::{
    error::{Error, Result},
    keys::Key,
    pages::{Entered, KeyFilter, PageSource, Step, StepFuture},
};

/// Where a scan of a server is: the server process, and its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    origin: u64,
    cursor: Vec<u8>,
}

impl Place {
    /// Reads a position.
    fn read(position: &[u8]) -> Option<Self> {
        let (origin, cursor) = position.split_first_chunk()?;
        let is_number = !cursor.is_empty() && cursor.iter().all(u8::is_ascii_digit);
        is_number.then(|| Self {
            origin: u64::from_be_bytes(*origin),
            cursor: cursor.to_vec(),
        })
    }

    /// Returns it as a position.
    fn bytes(&self) -> Vec<u8> {
        [&self.origin.to_be_bytes(), self.cursor.as_slice()].concat()
    }
}

/// What pages are read from.
#[derive(Debug, Clone)]
pub(crate) struct RedisPages {
    connection: MultiplexedConnection,
    commands: Commands,
    origin: u64,
    /// What the server says of its role is noted here; `None` for a node of a cluster, whose slots say it.
    state: Option<Arc<Mutex<State>>>,
}

impl RedisPages {
    pub(super) const fn new(
        connection: MultiplexedConnection,
        commands: Commands,
        origin: u64,
    ) -> Self {
        Self {
            connection,
            commands,
            origin,
            state: None,
        }
    }

    /// Makes the same with steps that note the role of the server.
    pub(super) fn noting_role(self, state: Arc<Mutex<State>>) -> Self {
        Self {
            state: Some(state),
            ..self
        }
    }

    /// Sends the pipeline of a step, with the question for the role if that is due.
    async fn send(&self, mut pipeline: Pipeline) -> ScanResult<Vec<Value>> {
        let Some(state) = &self.state else {
            return send(self.connection.clone(), &pipeline).await;
        };
        let question = lock(state).role.ask(Instant::now());
        if let Some(question) = question {
            pipeline.add_command(question.command());
        }
        let mut answers = send(self.connection.clone(), &pipeline).await?;
        let answer = question.and_then(|question| Some((question, answers.pop()?)));
        lock(state).observe(&answers, answer);
        Ok(answers)
    }

    /// Sends the commands of a step, or those that replace them.
    async fn ask(
        &self,
        name: &'static str,
        fill: impl Fn(&str, &mut Pipeline),
    ) -> ScanResult<(&'static str, Vec<Value>)> {
        ask_by(|pipeline| self.send(pipeline), &self.commands, name, fill).await
    }

    /// Returns the server's cursor of a position; the first one if the position is another server's.
    fn cursor(&self, position: Option<&[u8]>) -> Vec<u8> {
        let place = position.and_then(Place::read);
        let own = place.filter(|place| place.origin == self.origin);
        own.map_or_else(|| b"0".to_vec(), |place| place.cursor)
    }

    /// Returns the position of a cursor of the server; none at the end.
    fn next(&self, cursor: Vec<u8>) -> Option<Vec<u8>> {
        let origin = self.origin;
        (cursor != b"0").then(|| Place { origin, cursor }.bytes())
    }

    /// Reads the answer to `SCAN` or `SSCAN`.
    fn step(&self, name: &str, answer: Option<Value>) -> Result<Step> {
        match answer {
            Some(Value::Array(parts)) => match <[Value; 2]>::try_from(parts) {
                Ok([Value::BulkString(cursor), Value::Array(found)]) => {
                    let bytes = |item| match item {
                        Value::BulkString(bytes) => Some(bytes),
                        _ => None,
                    };
                    let next = self.next(cursor);
                    let found = found.into_iter().filter_map(bytes).collect();
                    Ok(Step { found, next })
                }
                _ => Err(odd(name)),
            },
            Some(Value::ServerError(error)) => Err(refused(&error).into()),
            _ => Err(odd(name)),
        }
    }
}

impl PageSource for RedisPages {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let (source, key, cursor) = (self.clone(), key.to_vec(), self.cursor(position));
        async move {
            let answers = source.ask("SSCAN", |name, pipeline| {
                pipeline.cmd(name).arg(&key);
                if name == "SSCAN" {
                    pipeline.arg(&cursor).arg("COUNT").arg(count);
                }
            });
            let (sent, mut answers) = answers.await.map_err(Error::from)?;
            let answer = answers.pop();
            if sent == "SSCAN" {
                return source.step(sent, answer);
            }
            // All members at once, from a server without that command.
            let found = list_members(answer.unwrap_or(Value::Nil))?;
            Ok(Step { found, next: None })
        }
        .boxed()
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        let (source, pattern, cursor) =
            (self.clone(), filter.pattern.clone(), self.cursor(position));
        async move {
            // Never KEYS in its place, which blocks the server.
            let name = "SCAN";
            let lacks = || {
                Error::Unsupported(
                    "the server has no SCAN for us, without which getChannels would block it"
                        .to_owned(),
                )
            };
            if source.commands.instead_of(name) != name {
                return Err(lacks());
            }
            let mut pipeline = Pipeline::new();
            pipeline.cmd(name).arg(&cursor);
            pipeline.arg("MATCH").arg(&pattern).arg("COUNT").arg(count);
            let answer = source.send(pipeline).await.map_err(Error::from)?.pop();
            match answer {
                Some(Value::ServerError(ref error)) if super::fallbacks::is_missing(error) => {
                    Err(lacks())
                }
                answer => source.step(name, answer),
            }
        }
        .boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let (source, keys) = (self.clone(), keys.to_vec());
        async move {
            let answers = source.ask("SCARD", |name, pipeline| {
                for key in &keys {
                    pipeline.cmd(name).arg(key);
                }
            });
            let (_, answers) = answers.await.map_err(Error::from)?;
            answers.into_iter().map(count).collect()
        }
        .boxed()
    }

    fn enter(
        &self,
        keys: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        let source = self.clone();
        let cursor = self.cursor(position.as_deref());
        let script = entering::enter(&keys, &cursor, count);
        async move {
            let mut pipeline = redis::Pipeline::new();
            pipeline.add_command(script);
            let answers = send(source.connection.clone(), &pipeline).await;
            let answer = answers.map_err(Error::from)?.pop();
            let (cursor, count) = entering::entered(answer)?;
            let next = source.next(cursor);
            Ok(Entered { count, next })
        }
        .boxed()
    }
}
