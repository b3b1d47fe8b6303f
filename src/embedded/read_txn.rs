//! Member lists, from memory as long as they are what the store says, else from the rows.

use std::sync::Arc;

use heed::RoTxn;

use super::{
    budget::Budget,
    rows::{Channel, Rows},
};
use crate::{
    command::{ReadOp, Value},
    error::Result as CallResult,
    failpoints::Broken,
    keys::Key,
    list::List,
    list_lru::{ListLru, SharedKey},
    stats::Stats,
};

/// The version of a channel without members: no transaction has this number.
const NO_ROW: u64 = 0;

/// When a list was right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The version of the channel.
    version: u64,
    /// A commit after which it was still that: for readers of that very commit there is nothing to look
    /// up. Never that of a transaction under way, which may yet change the channel.
    seen: Option<u64>,
}

/// What is in memory, and what is counted of it.
#[derive(Debug)]
pub(super) struct ReadTxn {
    shelf: ListLru<Mark>,
    stats: Arc<Stats>,
    /// Bytes of lists that were read from the rows.
    loaded: usize,
    /// Of the transaction.
    pub(super) effort: Budget,
    broken: Broken,
}

/// Whose eyes a transaction has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eyes {
    /// It sees what was committed.
    Reader,
    /// It will change things itself, and has not changed this channel.
    Writer,
    /// It has changed this channel, which is now as given.
    Own(Option<Channel>),
}

impl ReadTxn {
    pub(super) fn new(shelf: ListLru<Mark>, stats: Arc<Stats>, broken: Broken) -> Self {
        Self {
            shelf,
            stats,
            loaded: 0,
            effort: Budget::LIGHT,
            broken,
        }
    }

    /// What a read answers for a key, as the transaction sees it.
    pub(super) fn value(
        &mut self,
        op: ReadOp,
        rows: &Rows,
        txn: &RoTxn,
        eyes: Eyes,
        key: &Key,
    ) -> Result<CallResult<Value>, heed::Error> {
        match op {
            ReadOp::Members => {
                let list = match eyes {
                    Eyes::Own(channel) => self.own(rows, txn, key, channel),
                    Eyes::Reader | Eyes::Writer => self.list(rows, txn, eyes, key),
                };
                Ok(list?.map(Value::List))
            }
            ReadOp::Count => {
                let channel = match eyes {
                    Eyes::Own(channel) => channel,
                    Eyes::Reader | Eyes::Writer => rows.channel(txn, key)?,
                };
                Ok(Ok(Value::Int(channel.map_or(0, |channel| channel.count))))
            }
        }
    }

    /// The list of a channel that the transaction has not changed.
    fn list(
        &mut self,
        rows: &Rows,
        txn: &RoTxn,
        eyes: Eyes,
        key: &Key,
    ) -> Result<CallResult<Arc<List>>, heed::Error> {
        let broken = self.broken;
        let commits = eyes == Eyes::Reader || broken.is("embedded-seen-by-writer");
        let seen = commits.then(|| txn.id() as u64);
        if seen.is_some()
            && let Some(kept) = self.shelf.use_of(key)
            && (kept.mark.seen == seen
                || broken.is("embedded-any-commit") && kept.mark.seen.is_some())
        {
            self.stats.cache.hits.add(1);
            return Ok(Ok(kept.list.clone()));
        }
        let channel = rows.channel(txn, key)?;
        let version = channel.map_or(NO_ROW, |channel| channel.version);
        if let Some(kept) = self.shelf.use_of(key) {
            if kept.mark.version == version || broken.is("embedded-no-version") {
                kept.mark.seen = seen.or(kept.mark.seen);
                self.stats.cache.hits.add(1);
                return Ok(Ok(kept.list.clone()));
            }
            self.stats.cache.invalidations.add(1);
        }
        self.stats.cache.misses.add(1);
        let list = self.load(rows, txn, channel)?;
        self.keep(key, Mark { version, seen }, &list);
        Ok(list)
    }

    fn keep(&mut self, key: &Key, mark: Mark, list: &CallResult<Arc<List>>) {
        if let Ok(list) = list
            && self.shelf.is_on()
        {
            let key = SharedKey::from(key.as_slice());
            self.shelf.keep(&key, mark, list);
        }
    }

    /// The list of a channel, from the rows.
    fn load(
        &mut self,
        rows: &Rows,
        txn: &RoTxn,
        channel: Option<Channel>,
    ) -> Result<CallResult<Arc<List>>, heed::Error> {
        self.effort
            .read(channel.map_or(0, |channel| channel.count))?;
        let list = rows.list(txn, channel)?.map(Arc::new);
        self.loaded += list.as_ref().map_or(0, |list| list.json().len());
        Ok(list)
    }

    /// Of a channel that the transaction has changed. It is not kept: the transaction may change it once
    /// more, under the same version, or be given up.
    fn own(
        &mut self,
        rows: &Rows,
        txn: &RoTxn,
        key: &Key,
        channel: Option<Channel>,
    ) -> Result<CallResult<Arc<List>>, heed::Error> {
        let list = self.load(rows, txn, channel)?;
        if self.broken.is("embedded-keep-own") {
            let version = txn.id() as u64;
            self.keep(
                key,
                Mark {
                    version,
                    seen: None,
                },
                &list,
            );
        }
        Ok(list)
    }

    /// Bytes of lists that were read from the rows since it was asked last.
    pub(super) fn take_loaded(&mut self) -> usize {
        std::mem::take(&mut self.loaded)
    }

    /// Nothing is in memory any more.
    pub(super) fn clear(&mut self) {
        self.shelf.clear();
    }
}
