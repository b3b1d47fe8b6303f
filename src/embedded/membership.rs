//! The index of members ([`crate::membership`]) in the embedded store: a channel whose members are the entries, which
//! are in the order of their bytes as all members are. Each operation is within one transaction.

use std::{collections::HashMap, sync::Arc};

use super::{
    lmdb::{self, RoTxn},
    rows::{Channel, Rows},
    write_txn::WriteTxn,
};
use crate::{
    command::{Command, Member, Op, Reply, Texts, Value, WriteOp},
    error::Result as CallResult,
    keys::{Key, gone_beside, gone_under},
    lease::Lease,
    list::List,
    membership::{OfUser, Place, begin, end, entry, field, split},
};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// Returns the users who have entries: of each the first one is found, and the others are skipped.
pub(super) fn users(rows: &Rows, txn: &RoTxn, index: Option<Channel>) -> Result<CallResult<Value>> {
    let mut users = Vec::new();
    let Some(index) = index else {
        return Ok(list(users));
    };
    let mut from = Vec::new();
    while let Some(item) = rows.member_from(txn, index, &from)? {
        from = if let Some((uid, _)) = split(&item) {
            users.push(uid.to_vec());
            end(&begin(uid))
        } else {
            [item.as_slice(), &[0]].concat()
        };
    }
    Ok(list(users))
}

/// Returns the channels of a user in which he is; `channel` looks a channel up.
pub(super) fn joined(
    rows: &Rows,
    txn: &RoTxn,
    (index, arguments): (&Key, &Texts),
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
fn by_field(entries: &[Member]) -> Vec<(&[u8], Vec<&[u8]>)> {
    let mut fields: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut places = HashMap::new();
    for (uid, field) in entries.iter().filter_map(|item| split(item)) {
        let place = *places.entry(field).or_insert_with(|| {
            fields.push((field, Vec::new()));
            fields.len() - 1
        });
        fields[place].1.push(uid);
    }
    fields
}

fn of_user(rows: &Rows, txn: &RoTxn, index: Option<Channel>, uid: &[u8]) -> Result<Vec<Member>> {
    rows.members_with(txn, index, &begin(uid), usize::MAX)
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
            let entries = members.iter().map(|uid| entry(uid, field));
            changed += if is_join {
                self.add(index, entries)?;
                self.add(channel, members)?
            } else {
                let gone = gone_beside(channel, index);
                for uid in members {
                    self.unkeep(&gone, uid, Some(field))?;
                }
                self.remove(index, entries)?;
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
            self.is_for(b"", Some(place.sid));
            self.unkeep(&gone_under(asked.stem, index), asked.uid, None)?;
            let mut fields = Vec::new();
            for (uid, field) in found.iter().filter_map(|item| split(item)) {
                if self.remove(place.key(field), [uid])? > 0 {
                    fields.push(field.to_vec());
                }
            }
            self.remove(index, &found)?;
            lists.push(list(fields));
        }
        Ok(Reply::Values(lists))
    }

    /// Executes a step of a purge.
    pub(super) fn purge(&mut self, command: &'a Command) -> Result<Lease> {
        let (purge, mut lease) = self.purging(command)?;
        let ([index, _, gone], true) = (command.keys(), lease.allows()) else {
            return Ok(lease);
        };
        let place = Place::of(index, purge.stem);
        self.is_for(purge.reason, Some(place.sid));
        let channel = self.channel(index)?;
        let mut room = purge.most;
        let mut items = Vec::new();
        for uid in purge.uids.clone() {
            // One more tells whether that is all.
            let mut found =
                self.rows
                    .members_with(&self.txn, channel, &begin(uid), room.saturating_add(1))?;
            let is_whole = found.len() <= room;
            found.truncate(room);
            room -= found.len();
            items.extend(found);
            if !is_whole {
                break;
            }
            lease.ttl -= 1;
            if room == 0 {
                break;
            }
        }
        self.reading.budget.write(3 * items.len() as u64)?;
        let mut kept = Vec::new();
        for (field, uids) in by_field(&items) {
            self.remove_each(place.key(field), uids, |uid| {
                kept.push((uid.to_vec(), field));
            })?;
        }
        lease.count = kept.len() as u64;
        if purge.keep > 0 {
            self.keep(&purge, gone, &kept)?;
        }
        self.remove(index, &items)?;
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
