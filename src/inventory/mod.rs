//! What a store holds, byte for byte: which channels there are and who is in them, a few at a time, for
//! moving it to another store or looking into it. What a store offers for that is [`Inventory`]; here is [`Opened`], a
//! connection with a name and a time limit. [`address`] finds a store by its address, [`copy`] and [`ndjson`]
//! are what is done with it. Offline work: a connection that is lost is not made again.

pub mod address;
pub mod copy;
pub mod ndjson;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

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

/// How long one step may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A connection with what its store takes, and with its name, which stands in all errors. A store that does not answer within
/// [`PATIENCE`] counts as lost.
pub struct Opened {
    connection: Box<dyn Inventory>,
    sizes: Sizes,
    name: Arc<str>,
}

impl Opened {
    /// `name` is [`crate::manager::Manager::describe`]'s.
    #[must_use]
    pub fn new(connection: impl Inventory, sizes: Sizes, name: &str) -> Self {
        Self {
            connection: Box::new(connection),
            sizes,
            name: name.into(),
        }
    }

    /// One by one; some may come twice.
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

    /// The errors in the replies are one command's each, and do not name the store.
    fn execute(&self, batch: &[&Command]) -> BoxFuture<'static, Result<Vec<Result<Reply>>>> {
        let (replies, name) = (self.connection.execute(batch), self.name.clone());
        async move { within(replies.map_err(Error::from), &name).await }.boxed()
    }

    /// Closes it in order.
    pub async fn close(self) {
        // Nothing is lost where it takes too long.
        let _ = tokio::time::timeout(PATIENCE, self.connection.end()).await;
    }

    /// An error of this store.
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
