//! Reads member lists: from memory while the version in the channel's row is the same, otherwise from the rows.

use std::sync::Arc;

use super::{
    budget::Budget,
    expiry,
    leases::Leases,
    lmdb::{self, RoTxn},
    membership,
    rows::{Channel, Rows},
};
use crate::{
    command::{ReadOp, Texts, Value},
    error::Result as CallResult,
    failpoints::fail_point,
    keys::{Key, until_of},
    lease::Lease,
    list::List,
    list_lru::{ListLru, SharedKey},
    stats::Stats,
};

/// The version of a channel without members: no transaction has this number.
const NO_ROW: u64 = 0;

/// The version of a list in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadVersion {
    /// The version of the channel.
    pub(super) version: u64,
    /// A commit at which it was still current: readers of that commit need not look it up. Never the commit of a
    /// transaction under way, which may still change the channel.
    pub(super) seen: Option<u64>,
}

impl ReadVersion {
    /// Returns whether the list was current at this commit.
    fn is_seen(&self, commit: Option<u64>) -> bool {
        fail_point!("embedded-any-commit", Some(self.seen.is_some()));
        self.seen == commit
    }

    /// Returns whether the channel still has the version of the list.
    fn is_of(&self, version: u64) -> bool {
        fail_point!("embedded-no-version", Some(true));
        self.version == version
    }
}

/// The lists in memory, and counters.
#[derive(Debug)]
pub(super) struct ReadTxn {
    lists: ListLru<ReadVersion>,
    pub(super) leases: Leases,
    stats: Arc<Stats>,
    /// Bytes of lists that were read from the rows.
    loaded: usize,
    /// The budget of the transaction.
    pub(super) budget: Budget,
    /// The last key of what is kept that was looked at because it may have expired; `None` at the end.
    pub(super) swept: Option<Key>,
}

/// The kind of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TxnKind {
    /// It sees what is committed.
    Read,
    /// It may change what it sees.
    Write,
}

impl TxnKind {
    /// Returns the commit that a transaction sees, if it has no changes of its own.
    fn commit(self, txn: &RoTxn) -> Option<u64> {
        let commit = txn.id() as u64;
        fail_point!("embedded-seen-by-writer", Some(Some(commit)));
        (self == Self::Read).then_some(commit)
    }
}

impl ReadTxn {
    pub(super) fn new(lists: ListLru<ReadVersion>, leases: Leases, stats: Arc<Stats>) -> Self {
        Self {
            lists,
            leases,
            stats,
            loaded: 0,
            budget: Budget::LIGHT,
            swept: None,
        }
    }

    /// Returns the value of a read for a key, with the members of the read, as the transaction sees it; in a write transaction, for a channel that it
    /// has not changed.
    pub(super) fn value(
        &mut self,
        op: ReadOp,
        rows: &Rows,
        txn: &RoTxn,
        kind: TxnKind,
        (key, members): (&Key, &Texts),
    ) -> Result<CallResult<Value>, lmdb::Error> {
        match op {
            ReadOp::Members => Ok(self.list(rows, txn, kind, key)?.map(Value::List)),
            ReadOp::Count => Ok(Ok(count(rows.channel(txn, key)?))),
            ReadOp::IsMember => {
                let channel = rows.channel(txn, key)?;
                Ok(Ok(is_member(rows, txn, channel, members)?))
            }
            ReadOp::Lease => self.lease(rows, txn, rows.channel(txn, key)?),
            ReadOp::Users | ReadOp::KeptUsers => {
                let mut index = rows.channel(txn, key)?;
                if op == ReadOp::KeptUsers
                    && !expiry::counts(rows, txn, rows.channel(txn, &until_of(key))?)?
                {
                    index = None;
                }
                self.budget.read(index.map_or(0, |index| index.count))?;
                membership::users(rows, txn, index)
            }
            ReadOp::Joined => {
                membership::joined(rows, txn, (key, members), |key| rows.channel(txn, key))
            }
        }
    }

    /// Returns the value of a read for a channel that the transaction has changed to the given state.
    pub(super) fn changed_value(
        &mut self,
        op: ReadOp,
        rows: &Rows,
        txn: &RoTxn,
        (channel, members): (Option<Channel>, &Texts),
    ) -> Result<CallResult<Value>, lmdb::Error> {
        match op {
            ReadOp::Members => Ok(self.load(rows, txn, channel)?.map(Value::List)),
            ReadOp::Count => Ok(Ok(count(channel))),
            ReadOp::IsMember => Ok(Ok(is_member(rows, txn, channel, members)?)),
            ReadOp::Lease => self.lease(rows, txn, channel),
            ReadOp::Users => membership::users(rows, txn, channel),
            // Are about other channels too, and read by `WriteTxn::joined` and `WriteTxn::kept_users`.
            ReadOp::Joined | ReadOp::KeptUsers => {
                Ok(List::new([[0; 0]; 0]).map(Arc::new).map(Value::List))
            }
        }
    }

    /// Returns who holds a lease.
    fn lease(
        &self,
        rows: &Rows,
        txn: &RoTxn,
        channel: Option<Channel>,
    ) -> Result<CallResult<Value>, lmdb::Error> {
        let text = Leases::text(rows, txn, channel)?;
        let lease = Lease::of(self.leases.holder(text.as_deref()));
        Ok(Ok(lease.into()))
    }

    /// Returns the list of a channel that the transaction has not changed.
    fn list(
        &mut self,
        rows: &Rows,
        txn: &RoTxn,
        kind: TxnKind,
        key: &Key,
    ) -> Result<CallResult<Arc<List>>, lmdb::Error> {
        let seen = kind.commit(txn);
        if seen.is_some()
            && let Some(kept) = self.lists.use_of(key)
            && kept.mark.is_seen(seen)
        {
            self.stats.cache.hits.add(1);
            return Ok(Ok(kept.list.clone()));
        }
        let channel = rows.channel(txn, key)?;
        let version = channel.map_or(NO_ROW, |channel| channel.version);
        if let Some(kept) = self.lists.use_of(key) {
            if kept.mark.is_of(version) {
                kept.mark.seen = seen.or(kept.mark.seen);
                self.stats.cache.hits.add(1);
                return Ok(Ok(kept.list.clone()));
            }
            self.stats.cache.invalidations.add(1);
        }
        self.stats.cache.misses.add(1);
        let list = self.load(rows, txn, channel)?;
        self.keep(key, ReadVersion { version, seen }, &list);
        Ok(list)
    }

    pub(super) fn keep(&mut self, key: &Key, mark: ReadVersion, list: &CallResult<Arc<List>>) {
        if let Ok(list) = list
            && self.lists.is_on()
        {
            let key = SharedKey::from(key.as_slice());
            self.lists.keep(&key, mark, list);
        }
    }

    /// Reads the list of a channel from the rows. One that the transaction has changed is not kept: the transaction may
    /// change it again, under the same version, or be aborted.
    fn load(
        &mut self,
        rows: &Rows,
        txn: &RoTxn,
        channel: Option<Channel>,
    ) -> Result<CallResult<Arc<List>>, lmdb::Error> {
        self.budget
            .read(channel.map_or(0, |channel| channel.count))?;
        let list = rows.list(txn, channel)?.map(Arc::new);
        self.loaded += list.as_ref().map_or(0, |list| list.json().len());
        Ok(list)
    }

    /// Takes the number of bytes of lists that were read from the rows since the last call.
    pub(super) fn take_loaded(&mut self) -> usize {
        std::mem::take(&mut self.loaded)
    }

    /// Drops everything in memory.
    pub(super) fn clear(&mut self) {
        self.lists.clear();
    }
}

fn is_member(
    rows: &Rows,
    txn: &RoTxn,
    channel: Option<Channel>,
    members: &Texts,
) -> Result<Value, lmdb::Error> {
    let is = match (channel, members.get(0)) {
        (Some(channel), Some(member)) => rows.has_member(txn, channel.number, member)?,
        _ => false,
    };
    Ok(Value::Bool(is))
}

fn count(channel: Option<Channel>) -> Value {
    Value::Int(channel.map_or(0, |channel| channel.count))
}
