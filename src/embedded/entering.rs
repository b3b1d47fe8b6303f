//! Adds members to the index that it does not have ([`crate::pages::unindexed`]). Those that are missing are looked for in
//! a read transaction, because mostly there are none; they are added in a write transaction, if they are members still.

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::task::spawn_blocking;

use super::{MAX_MEMBER, connection::lock, lmdb, pages::after, pages::step, scan::Walked};
use crate::{
    command::Member,
    error::Result,
    failpoints,
    keys::Key,
    manager::Lost,
    membership::{entry, field},
    pages::Entered,
};

/// The members of a part of a channel that are not in the index.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) channel: Key,
    pub(super) index: Key,
    /// Each with its entry.
    pub(super) members: Vec<(Member, Member)>,
}

/// Does a step.
pub(super) fn enter(
    walked: Walked,
    [channel, index]: [Key; 2],
    position: Option<Vec<u8>>,
    count: usize,
) -> BoxFuture<'static, Result<Entered>> {
    async move {
        let keys = [channel.clone(), index.clone()];
        let executor = walked.executor();
        let read = walked.read(move |txn, rows| {
            let [channel, index] = &keys;
            let Some(row) = rows.channel(txn, channel)? else {
                return Ok((Vec::new(), Vec::new()));
            };
            let found = rows.members(txn, row, after(position.as_deref()), count)?;
            let indexed = rows.channel(txn, index)?;
            let field = field(channel, index).unwrap_or_default();
            let mut missing = Vec::new();
            for uid in &found {
                let entry = entry(uid, field);
                let is_there = match indexed {
                    Some(indexed) => rows.has_member(txn, indexed.number, &entry)?,
                    None => false,
                };
                // One that is too long was added without the option, and stays without it.
                if !is_there && entry.len() <= MAX_MEMBER {
                    missing.push((uid.clone(), entry));
                }
            }
            Ok((found, missing))
        });
        let (found, members) = read.await?;
        let next = step(found, count).next;
        if members.is_empty() {
            return Ok(Entered { count: 0, next });
        }
        let ended = || Lost("the connection has ended".into());
        let executor = executor.upgrade().ok_or_else(ended)?;
        let local = executor.store.write_lock().lock_local().await;
        let missing = Missing {
            channel,
            index,
            members,
        };
        let work = move || executor.enter(&missing, &lock(local)?);
        let done = spawn_blocking(failpoints::carried(work)).await;
        let count = done.unwrap_or_else(|error| Err(Lost(error.to_string().into()).into()))?;
        Ok(Entered { count, next })
    }
    .boxed()
}

impl super::write_txn::WriteTxn<'_> {
    /// Adds the entries of those who are members still; returns how many were not there.
    pub(super) fn enter(&mut self, missing: &Missing) -> std::result::Result<u64, lmdb::Error> {
        let Some(channel) = self.channel(missing.channel.clone())? else {
            return Ok(0);
        };
        let mut entries = Vec::with_capacity(missing.members.len());
        for (uid, entry) in &missing.members {
            if self.rows.has_member(&self.txn, channel.number, uid)? {
                entries.push(entry.clone());
            }
        }
        self.add(missing.index.clone(), &entries)
    }
}
