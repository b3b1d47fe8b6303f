//! Executes commands in one write transaction, in order: each sees the effects of earlier ones. What they do to the members
//! of a channel is in [`super::changes`].

use std::{borrow::Cow, collections::HashMap};

use super::{
    events::{CALL, Recorder},
    leases::Leases,
    lmdb::{self, RwTxn},
    read_txn::{ReadTxn, TxnKind},
    rows::{Channel, Rows},
};
use crate::{
    command::{Command, Items, Op, ReadOp, Reply, Texts, Value, WriteOp},
    error::Result as CallResult,
    failpoints::fail_point,
    keys::Key,
    lease::{Asked, Change, Lease, Online},
    removal::Removal,
};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The number of keys that a removal looks at together, and how often in one transaction.
const PAGE: usize = 100;
const PAGES: usize = 100;

/// A write transaction. Nothing changes unless it is committed.
pub(super) struct WriteTxn<'a> {
    pub(super) rows: &'a Rows,
    pub(super) txn: RwTxn<'a>,
    pub(super) reading: &'a mut ReadTxn,
    /// `None` if changes are not published.
    pub(super) recorder: Option<Recorder<'a>>,
    /// What the keys of channels begin with, if members that end with their sessions are kept.
    pub(super) kept: Option<&'a Key>,
    /// The channels that were looked up, in their present state.
    channels: HashMap<Cow<'a, [u8]>, Touched, foldhash::fast::RandomState>,
    /// The number of new channels in this transaction.
    pub(super) new_channels: u64,
}

pub(super) struct Touched {
    pub(super) channel: Option<Channel>,
    changed: bool,
}

impl<'a> WriteTxn<'a> {
    pub(super) fn new(
        rows: &'a Rows,
        txn: RwTxn<'a>,
        reading: &'a mut ReadTxn,
        (recorder, kept): (Option<Recorder<'a>>, Option<&'a Key>),
    ) -> Self {
        Self {
            rows,
            txn,
            reading,
            recorder,
            kept,
            channels: HashMap::default(),
            new_channels: 0,
        }
    }

    /// Executes a command.
    pub(super) fn execute(&mut self, command: &'a Command) -> Result<CallResult<Reply>> {
        let members = command.members();
        let rows = members.len() * command.keys().len();
        self.reading.budget.write(rows as u64)?;
        self.is_for(CALL, None);
        let op = match command.op() {
            Op::Read(ReadOp::Joined) => return Ok(Ok(self.joined(command)?)),
            Op::Write(WriteOp::Join | WriteOp::Part) => {
                return Ok(Ok(Reply::Changed(self.change_both(command)?)));
            }
            Op::Write(WriteOp::LeaveAll) => return Ok(Ok(self.leave_all(command)?)),
            Op::Write(WriteOp::Purge) => return Ok(Ok(self.purge(command)?.into())),
            Op::Write(WriteOp::PutBack) => return Ok(Ok(self.put_back(command)?.into())),
            Op::Write(WriteOp::Forget) => return Ok(Ok(self.forget(command)?.into())),
            Op::Write(op @ (WriteOp::AddOnline | WriteOp::RemoveOnline)) => {
                return Ok(Ok(self.change_online(op, command)?.into()));
            }
            Op::Read(op) => {
                let values = command
                    .keys()
                    .iter()
                    .map(|key| self.value(op, key, members));
                return Ok(Ok(Reply::Values(values.collect::<Result<_>>()?)));
            }
            Op::Write(op) => op,
        };
        if op.items() == Items::OneSlot {
            return Ok(Ok(self.lease(op, command)?.into()));
        }
        let mut changed = 0;
        for key in command.keys() {
            changed += match op {
                WriteOp::Add => self.add(key, members)?,
                WriteOp::Remove => self.remove(key, members)?,
                _ => {
                    self.mark_ended(key)?;
                    self.delete(key)?
                }
            };
        }
        Ok(Ok(Reply::Changed(changed)))
    }

    /// Deletes channels by their keys, from `after` on, until they had `most` members or many keys were looked at. Returns
    /// how many channels these were, and the key after which to go on; `None` at the end.
    pub(super) fn clean(
        mut self,
        removal: &Removal,
        after: Option<&Key>,
        most: u64,
    ) -> Result<(u64, Option<Key>)> {
        let (mut left, mut deleted) = (most, 0);
        let mut after = after.cloned();
        if after.is_none() {
            self.unkeep_all(removal)?;
        }
        for _ in 0..PAGES {
            let found = self
                .rows
                .channels(&self.txn, removal.stem(), after.as_deref(), PAGE)?;
            if found.is_empty() {
                self.unkeep_all(removal)?;
                self.finish()?;
                return Ok((deleted, None));
            }
            let found: Vec<(Key, Channel)> = found
                .into_iter()
                .map(|(key, channel)| (key.to_vec(), channel))
                .collect();
            for (key, channel) in found {
                if removal.takes(&key) {
                    self.rows.delete_members(&mut self.txn, channel.number)?;
                    self.rows.delete_channel(&mut self.txn, &key)?;
                    self.publish_removal(&key, channel.count)?;
                    self.mark_ended(&key)?;
                    deleted += 1;
                    left = left.saturating_sub(channel.count);
                }
                after = Some(key);
                if left == 0 {
                    self.finish()?;
                    return Ok((deleted, after));
                }
            }
        }
        self.finish()?;
        Ok((deleted, after))
    }

    /// Returns whether the budget is used, so that the next command goes into another transaction.
    pub(super) fn is_enough(&self) -> bool {
        self.reading.budget.is_enough()
    }

    /// Commits, if anything has changed.
    pub(super) fn commit(mut self) -> Result<()> {
        if self.write_channels()? {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes the rows of the channels that have changed; returns whether there are any.
    fn write_channels(&mut self) -> Result<bool> {
        let version = self.txn.id() as u64;
        let mut changed = false;
        for (key, touched) in std::mem::take(&mut self.channels) {
            if !touched.changed {
                continue;
            }
            changed = true;
            match touched.channel {
                Some(channel) => {
                    let channel = committed(channel, version);
                    self.rows.put_channel(&mut self.txn, &key, channel)?;
                }
                None => self.rows.delete_channel(&mut self.txn, &key)?,
            }
        }
        Ok(changed)
    }

    /// Commits with what was changed in the rows themselves.
    fn finish(mut self) -> Result<()> {
        self.write_channels()?;
        if let Some(recorder) = self.recorder {
            recorder.finish(&mut self.txn)?;
        }
        self.txn.commit()
    }

    /// Executes an operation on a lease: its keys are the list of online users and the lease.
    fn lease(&mut self, op: WriteOp, command: &'a Command) -> Result<Lease> {
        let [online, key] = command.keys() else {
            return Err(lmdb::Error::Lmdb(lmdb::code::BAD_VAL_SIZE));
        };
        let asked = Asked::of(command.members());
        self.sweep_expired(asked.ttl)?;
        let count = self.channel(online)?.map_or(0, |channel| channel.count);
        let channel = self.channel(key)?;
        let text = Leases::text(self.rows, &self.txn, channel)?;
        let holder = self.reading.leases.holder(text.as_deref());
        let (step, lease) = asked.apply(op, holder, count);
        if step.clears {
            self.delete(online)?;
        }
        if step.lease.is_some() {
            self.delete(key)?;
        }
        if let Some(Change::Hold(nonce)) = step.lease {
            let own = Leases::own(asked.epoch, nonce, asked.ttl);
            self.add(key, [own])?;
        }
        Ok(lease)
    }

    /// Returns the answer to an operation that is allowed as long as this epoch holds the lease, the second of its keys:
    /// its state is lost if it does not.
    pub(super) fn fenced(&mut self, command: &'a Command, epoch: &[u8]) -> Result<Lease> {
        let [_, key, ..] = command.keys() else {
            return Err(lmdb::Error::Lmdb(lmdb::code::BAD_VAL_SIZE));
        };
        let channel = self.channel(key)?;
        let text = Leases::text(self.rows, &self.txn, channel)?;
        let holder = self.reading.leases.holder(text.as_deref());
        Ok(Lease::fencing(holder, epoch))
    }

    /// Adds users to those who are online on a frontend, or removes them.
    fn change_online(&mut self, op: WriteOp, command: &'a Command) -> Result<Lease> {
        let Online { epoch, uids } = Online::of(command.members());
        let mut lease = self.fenced(command, epoch)?;
        let ([online, ..], true) = (command.keys(), lease.allows()) else {
            return Ok(lease);
        };
        lease.count = match op {
            WriteOp::AddOnline => self.add(online, uids)?,
            _ => self.remove(online, uids)?,
        };
        Ok(lease)
    }

    /// Returns a channel in its present state.
    pub(super) fn channel(&mut self, key: impl Into<Cow<'a, [u8]>>) -> Result<Option<Channel>> {
        Ok(self.touch(key.into())?.channel)
    }

    /// Returns whether a channel has members now, without keeping what was looked up.
    pub(super) fn has_members(&self, key: &[u8]) -> Result<bool> {
        match self.channels.get(key) {
            Some(touched) => Ok(touched.channel.is_some()),
            None => Ok(self.rows.channel(&self.txn, key)?.is_some()),
        }
    }

    fn value(&mut self, op: ReadOp, key: &'a Key, members: &Texts) -> Result<CallResult<Value>> {
        if op == ReadOp::KeptUsers {
            return self.kept_users(key);
        }
        let (rows, txn) = (self.rows, &self.txn);
        match self.changed(key) {
            // The transaction's own changes have no version yet.
            Some(&Touched { channel, .. }) => {
                let value = self
                    .reading
                    .changed_value(op, rows, txn, (channel, members))?;
                fail_point!("embedded-keep-own", self.reading.keep_own(txn, key, &value));
                Ok(value)
            }
            None => self
                .reading
                .value(op, rows, txn, TxnKind::Write, (key, members)),
        }
    }

    /// Returns a channel that this transaction has changed, in its present state.
    fn changed(&self, key: &[u8]) -> Option<&Touched> {
        fail_point!("embedded-own-as-others", Some(None));
        self.channels.get(key).filter(|touched| touched.changed)
    }

    pub(super) fn touch(&mut self, key: Cow<'a, [u8]>) -> Result<&mut Touched> {
        use std::collections::hash_map::Entry;
        match self.channels.entry(key) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let channel = self.rows.channel(&self.txn, entry.key())?;
                let changed = false;
                Ok(entry.insert(Touched { channel, changed }))
            }
        }
    }

    pub(super) fn touched(&mut self, key: Cow<'a, [u8]>, channel: Option<Channel>) {
        let changed = true;
        self.channels.insert(key, Touched { channel, changed });
    }
}

/// Returns a channel as it is committed in the transaction of this version.
fn committed(channel: Channel, version: u64) -> Channel {
    fail_point!("embedded-version-stays", Some(channel));
    Channel { version, ..channel }
}
