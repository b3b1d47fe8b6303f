//! Lists what the store holds, page by page, each in a read transaction of its own: one that stayed open would keep
//! LMDB from reusing pages. See [`crate::inventory`].

use std::sync::{Arc, Weak};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use heed::RoTxn;

use super::{connection::EmbeddedConnection, messages::Failure, rows::Rows, store::Store};
use crate::{
    command::Member,
    error::Result,
    keys::Key,
    manager::{Connection as _, Inventory, Lost},
};

/// The number of keys, or members, of a page.
const PAGE: usize = 1000;

/// A store that is being listed. It can be closed meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Walked(Weak<Store>);

impl Walked {
    pub(super) fn read<T>(
        &self,
        mut work: impl FnMut(&RoTxn, &Rows) -> std::result::Result<T, heed::Error>,
    ) -> Result<T> {
        let ended = || Lost("the connection has ended".into());
        let store = self.0.upgrade().ok_or_else(ended)?;
        store.check()?;
        let read = store.read(|txn| work(txn, store.rows()));
        read.map_err(|failure| match failure {
            Failure::Store(words) => Lost(words).into(),
            failure => failure.error(),
        })
    }

    pub(super) fn counts(&self, keys: &[Key]) -> Result<Vec<u64>> {
        self.read(|txn, rows| {
            let channels = keys.iter().map(|key| rows.channel(txn, key));
            channels
                .map(|channel| Ok(channel?.map_or(0, |channel| channel.count)))
                .collect()
        })
    }
}

impl EmbeddedConnection {
    pub(super) fn walked(&self) -> Walked {
        Walked(self.store().map(Arc::downgrade).unwrap_or_default())
    }
}

impl Inventory for EmbeddedConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let (walked, stem) = (self.walked(), stem.to_vec());
        let page = move |after: Option<&Key>| {
            walked.read(|txn, rows| {
                let found = rows.channels(txn, &stem, after.map(Vec::as_slice), PAGE)?;
                Ok(found.into_iter().map(|(key, _)| key.to_vec()).collect())
            })
        };
        pages(page)
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let (walked, key) = (self.walked(), key.to_vec());
        let page = move |after: Option<&Member>| {
            walked.read(|txn, rows| match rows.channel(txn, &key)? {
                Some(channel) => rows.members(txn, channel, after.map(Vec::as_slice), PAGE),
                None => Ok(Vec::new()),
            })
        };
        pages(page)
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        std::future::ready(self.walked().counts(keys)).boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

/// Streams pages; each begins after the last name of the one before.
fn pages(
    page: impl Fn(Option<&Vec<u8>>) -> Result<Vec<Vec<u8>>> + Send + 'static,
) -> BoxStream<'static, Result<Vec<Vec<u8>>>> {
    let pages = stream::try_unfold(None, move |after: Option<Vec<u8>>| {
        let names = page(after.as_ref());
        let next = names.map(|names| {
            let last = names.last().cloned()?;
            Some((names, Some(last)))
        });
        std::future::ready(next)
    });
    pages.boxed()
}
