//! The contents of a store, byte for byte, read a few items at a time, for copying and listing stores. [`Inventory`] is
//! what a store offers for that; [`Opened`] is a connection with a name and a time limit. [`address`] opens a store by
//! its address; [`copy`] and [`ndjson`] are the jobs. [`layout`] knows how forks keep their channels, and [`converted`]
//! reads these as ours. For offline work: a lost connection is not reopened, except by [`views`], which look at a store while it
//! is in use.

pub mod address;
pub mod converted;
pub mod copy;
pub mod departed;
mod inner;
pub mod layout;
pub mod left_out;
pub mod ndjson;
mod own_keys;
pub mod selection;
#[cfg(test)]
mod tests;
pub mod views;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};

use crate::{
    command::{Command, Member, Reply},
    error::{Error, Result},
    keys::Key,
    manager::{Inventory, Lost},
    size_limits::Sizes,
};

/// The time limit of one step.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An open store, with the sizes that it accepts and its name, which all errors contain. A store that does not answer
/// within [`PATIENCE`] counts as lost.
pub struct Opened {
    connection: Box<dyn Inventory>,
    sizes: Sizes,
    name: Arc<str>,
    /// Completes when the connection is gone; until it is taken.
    closed: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Opened {
    /// Wraps a connection; `name` is that of [`crate::manager::Manager::describe`].
    #[must_use]
    pub fn new(connection: impl Inventory, sizes: Sizes, name: &str) -> Self {
        Self {
            connection: Box::new(connection),
            sizes,
            name: name.into(),
            closed: Mutex::default(),
        }
    }

    /// Adds what completes when the connection is gone: see [`crate::manager::Connected::closed`].
    #[must_use]
    pub fn until(self, closed: BoxFuture<'static, ()>) -> Self {
        Self {
            closed: Mutex::new(Some(closed)),
            ..self
        }
    }

    /// Takes what completes when the connection is gone, which must be polled for a connection that is in use for long.
    fn closed(&self) -> BoxFuture<'static, ()> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed
            .take()
            .unwrap_or_else(|| std::future::pending().boxed())
    }

    /// Streams the keys one by one; some may come twice.
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Key>> {
        patient(self.connection.keys(stem), self.name.clone())
            .map_ok(|keys| stream::iter(keys).map(Result::Ok))
            .try_flatten()
            .boxed()
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        patient(self.connection.members(key), self.name.clone())
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let (counts, name) = (self.connection.counts(keys), self.name.clone());
        async move { within(counts, &name).await }.boxed()
    }

    /// Executes a batch. Errors in the replies are each about one command, and do not name the store.
    fn execute(&self, batch: &[&Command]) -> BoxFuture<'static, Result<Vec<Result<Reply>>>> {
        let (replies, name) = (self.connection.execute(batch), self.name.clone());
        async move { within(replies.map_err(Error::from), &name).await }.boxed()
    }

    /// Returns a line for the user that came up, once; it names the store.
    #[must_use]
    pub fn take_note(&self) -> Option<String> {
        let note = self.connection.take_note()?;
        Some(format!("{}: {note}", self.name))
    }

    /// Closes the connection in order.
    pub async fn close(self) {
        // If it takes too long, nothing is lost.
        let _ = tokio::time::timeout(PATIENCE, self.connection.end()).await;
    }

    /// Adds the store's name to an error.
    fn named(&self, error: Error) -> Error {
        named(error, &self.name)
    }
}

fn patient<T: Send + 'static>(
    steps: BoxStream<'static, Result<T>>,
    name: Arc<str>,
) -> BoxStream<'static, Result<T>> {
    stream::try_unfold((steps, name), |(mut steps, name)| async {
        let next = within(steps.try_next(), &name).await?;
        Ok(next.map(|item| (item, (steps, name))))
    })
    .boxed()
}

async fn within<T>(step: impl Future<Output = Result<T>>, name: &str) -> Result<T> {
    let done = tokio::time::timeout(PATIENCE, step).await;
    let done = done.unwrap_or_else(|_| {
        let words = format!("no answer within {} s", PATIENCE.as_secs());
        Err(Lost(words.into()).into())
    });
    done.map_err(|error| named(error, name))
}

fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Store(words) => Error::Store(format!("{name}: {words}").into()),
        Error::Disconnected { cause } => {
            let words = cause.as_deref().unwrap_or_default();
            let cause = Some(format!("{name}: {words}").into());
            Error::Disconnected { cause }
        }
        error => error,
    }
}
