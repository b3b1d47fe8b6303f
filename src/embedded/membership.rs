//! The index of members ([`crate::membership`]) in the embedded store: a channel whose members are the entries, which
//! are in the order of their bytes as all members are. Each operation is within one transaction.

use std::{collections::HashMap, sync::Arc};

use super::{
    leases::Leases,
    lmdb::{self, RoTxn},
    rows::{Channel, Rows},
    write_txn::WriteTxn,
};
use crate::{
    command::{Command, Member, Op, Reply, Value, WriteOp},
    error::Result as CallResult,
    keys::Key,
    lease::{Lease, LeaseState},
    list::List,
    membership::{OfUser, Page, Place, Purge, begin, end, entry, field, split},
};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// Returns a page of entries.
pub(super) fn entries(
    rows: &Rows,
    txn: &RoTxn,
    index: Option<Channel>,
    arguments: &[Member],
) -> Result<CallResult<Value>> {
    Ok(list(rows.page(txn, index, Page::of(arguments))?))
}

/// Returns the channels of a user in which he is; `channel` looks a channel up.
pub(super) fn joined(
    rows: &Rows,
    txn: &RoTxn,
    (index, arguments): (&Key, &[Member]),
    mut channel: impl FnMut(&[u8]) -> Result<Option<Channel>>,
) -> Result<CallResult<Value>> {
    let asked = OfUser::of(arguments);
    let place = Place::of(index, asked.stem);
    let found = of_user(rows, txn, channel(index)?, asked.uid)?;
    let mut fields = Vec::new();
    for (_, field) in found.iter().filter_map(|item| split(item)) {
        if let Some(channel) = channel(&place.key(field))?
            && rows.has_member(txn, channel.number, asked.uid)?
        {
            fields.push(field.to_vec());
        }
    }
    Ok(list(fields))
}

/// Returns the users of entries by their fields, in the order of the first entry of each field.
fn by_field(entries: &[Member]) -> Vec<(&[u8], Vec<Member>)> {
    let mut fields: Vec<(&[u8], Vec<Member>)> = Vec::new();
    let mut places = HashMap::new();
    for (uid, field) in entries.iter().filter_map(|item| split(item)) {
        let place = *places.entry(field).or_insert_with(|| {
            fields.push((field, Vec::new()));
            fields.len() - 1
        });
        fields[place].1.push(uid.to_vec());
    }
    fields
}

fn of_user(rows: &Rows, txn: &RoTxn, index: Option<Channel>, uid: &[u8]) -> Result<Vec<Member>> {
    let begin = begin(uid);
    let page = Page {
        from: &begin,
        to: &end(&begin),
        most: usize::MAX,
    };
    rows.page(txn, index, page)
}

fn list(items: Vec<Member>) -> CallResult<Value> {
    List::new(items).map(Arc::new).map(Value::List)
}

impl<'a> WriteTxn<'a> {
    /// Adds or removes members and their entries; returns how many members.
    pub(super) fn change_both(&mut self, command: &'a Command) -> Result<u64> {
        let is_join = command.op() == Op::Write(WriteOp::Join);
        let members = command.members();
        let mut changed = 0;
        for pair in command.targets() {
            let [channel, index] = pair else { continue };
            self.is_at(index);
            let field = field(channel, index).unwrap_or_default();
            let items: Vec<_> = members.iter().map(|uid| entry(uid, field)).collect();
            changed += if is_join {
                self.add(index, &items)?;
                self.add(channel, members)?
            } else {
                self.remove(index, &items)?;
                self.remove(channel, members)?
            };
        }
        Ok(changed)
    }

    /// Reads the channels of a user, as this transaction has changed them.
    pub(super) fn joined(&mut self, command: &'a Command) -> Result<Reply> {
        let mut lists = Vec::new();
        for index in command.keys() {
            let (asked, found) = self.entries_of(index, command)?;
            let place = Place::of(index, asked.stem);
            let mut fields = Vec::new();
            for (_, field) in found.iter().filter_map(|item| split(item)) {
                if let Some(channel) = self.channel(place.key(field))?
                    && self.rows.has_member(&self.txn, channel.number, asked.uid)?
                {
                    fields.push(field.to_vec());
                }
            }
            lists.push(list(fields));
        }
        Ok(Reply::Values(lists))
    }

    /// Removes a user from all channels; answers which he was in.
    pub(super) fn leave_all(&mut self, command: &'a Command) -> Result<Reply> {
        let mut lists = Vec::new();
        for index in command.keys() {
            let (asked, found) = self.entries_of(index, command)?;
            let place = Place::of(index, asked.stem);
            self.is_for(asked.reason, Some(place.sid));
            let mut fields = Vec::new();
            for (uid, field) in found.iter().filter_map(|item| split(item)) {
                if self.remove(place.key(field), &[uid.to_vec()])? > 0 {
                    fields.push(field.to_vec());
                }
            }
            self.remove(index, &found)?;
            lists.push(list(fields));
        }
        Ok(Reply::Values(lists))
    }

    /// Executes a step of a purge. In the place of the time of a lease is the number of entries that are left.
    pub(super) fn purge(&mut self, command: &'a Command) -> Result<Lease> {
        let [index, key, gone] = command.keys() else {
            return Err(lmdb::Error::Lmdb(lmdb::code::BAD_VAL_SIZE));
        };
        let purge = Purge::of(command.members());
        let channel = self.channel(key)?;
        let text = Leases::text(self.rows, &self.txn, channel)?;
        let mut lease = Lease::of(self.reading.leases.holder(text.as_deref()));
        let channel = self.channel(index)?;
        lease.ttl = channel.map_or(0, |channel| channel.count);
        if lease.epoch.as_bytes() != purge.epoch {
            lease.state = LeaseState::Lost;
            return Ok(lease);
        }
        let page = Page {
            from: b"",
            to: b"",
            most: purge.most,
        };
        let found = self.rows.page(&self.txn, channel, page)?;
        self.reading.budget.write(3 * found.len() as u64)?;
        let place = Place::of(index, purge.stem);
        self.is_for(purge.reason, Some(place.sid));
        let mut kept = Vec::new();
        for (field, uids) in by_field(&found) {
            self.remove_each(place.key(field), &uids, |uid| kept.push(entry(uid, field)))?;
        }
        lease.count = kept.len() as u64;
        if purge.keep > 0 {
            self.add(gone, &kept)?;
        }
        lease.ttl -= self.remove(index, &found)?;
        Ok(lease)
    }

    fn entries_of(
        &mut self,
        index: &'a Key,
        command: &'a Command,
    ) -> Result<(OfUser<'a>, Vec<Member>)> {
        let asked = OfUser::of(command.members());
        let channel = self.channel(index)?;
        let found = of_user(self.rows, &self.txn, channel, asked.uid)?;
        self.reading.budget.write(2 * found.len() as u64)?;
        Ok((asked, found))
    }
}
