//! Lists what the store holds, page by page, each in a read transaction of its own: one that stayed open would keep
//! LMDB from reusing pages. See [`crate::inventory`].

use std::sync::{Arc, Weak};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::task::spawn_blocking;

use super::{
    connection::EmbeddedConnection,
    executor::Executor,
    lmdb::{self, RoTxn},
    rows::Rows,
};
use crate::{
    command::Member,
    error::Result,
    keys::Key,
    manager::{Connection as _, Inventory, Lost},
};

/// The number of keys, or members, of a page.
const PAGE: usize = 1000;

/// A store that is being listed, over a connection that can be closed meanwhile. That waits for the step under way: until
/// then the store is open, and its files are in use.
#[derive(Debug, Clone)]
pub(super) struct Walked(Weak<Executor>);

impl Walked {
    /// Returns what executes commands, as long as the connection has not ended.
    pub(super) fn executor(&self) -> Weak<Executor> {
        self.0.clone()
    }

    /// Runs `work` on a blocking thread: a page takes long, and others wait for the runtime's.
    pub(super) async fn read<T: Send + 'static>(
        self,
        work: impl FnMut(&RoTxn, &Rows) -> std::result::Result<T, lmdb::Error> + Send + 'static,
    ) -> Result<T> {
        let read = spawn_blocking(move || {
            let ended = || Lost("the connection has ended".into());
            self.0.upgrade().ok_or_else(ended)?.look(work)
        });
        let read = read.await;
        read.unwrap_or_else(|error| Err(Lost(error.to_string().into()).into()))
    }

    /// See [`Inventory::counts`].
    pub(super) fn counts(self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let keys = keys.to_vec();
        let counts = self.read(move |txn, rows| {
            let channels = keys.iter().map(|key| rows.channel(txn, key));
            channels
                .map(|channel| Ok(channel?.map_or(0, |channel| channel.count)))
                .collect()
        });
        counts.boxed()
    }
}

impl EmbeddedConnection {
    pub(super) fn walked(&self) -> Walked {
        Walked(self.executor().map(Arc::downgrade).unwrap_or_default())
    }
}

impl Inventory for EmbeddedConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let (walked, stem) = (self.walked(), stem.to_vec());
        let page = move |after: Option<Key>| {
            let stem = stem.clone();
            walked.clone().read(move |txn, rows| {
                let found = rows.channels(txn, &stem, after.as_deref(), PAGE)?;
                Ok(found.into_iter().map(|(key, _)| key.to_vec()).collect())
            })
        };
        pages(page)
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let (walked, key) = (self.walked(), key.to_vec());
        let page = move |after: Option<Member>| {
            let key = key.clone();
            walked
                .clone()
                .read(move |txn, rows| match rows.channel(txn, &key)? {
                    Some(channel) => rows.members(txn, channel, after.as_deref(), PAGE),
                    None => Ok(Vec::new()),
                })
        };
        pages(page)
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        self.walked().counts(keys)
    }

    fn version(&self) -> BoxFuture<'static, Option<String>> {
        let version = Some(lmdb::version());
        std::future::ready(version).boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

/// Streams pages; each begins after the last name of the one before.
fn pages<P>(
    page: impl Fn(Option<Vec<u8>>) -> P + Send + 'static,
) -> BoxStream<'static, Result<Vec<Vec<u8>>>>
where
    P: Future<Output = Result<Vec<Vec<u8>>>> + Send + 'static,
{
    let pages = stream::try_unfold(None, move |after: Option<Vec<u8>>| {
        page(after).map(|names| {
            let names = names?;
            let last = names.last().cloned();
            Ok(last.map(|last| (names, Some(last))))
        })
    });
    pages.boxed()
}
