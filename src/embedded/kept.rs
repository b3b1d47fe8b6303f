//! What a purge keeps of the members that it removed ([`crate::membership`]), in the embedded store: a channel with an
//! entry for each of them, as an index is. Beside it is one of the channels that were removed meanwhile
//! ([`crate::keys::ended_of`]), with how often. Each operation is within the transaction of the change that it belongs
//! to. For how long that is kept is in [`super::expiry`].

use super::{MAX_MEMBER, lmdb, membership::users, write_txn::WriteTxn};
use crate::{
    command::{Command, Member, Value},
    error::Result as CallResult,
    keys::{Key, ended_of, expired_stem, gone_stem, gone_with, until_of},
    lease::Lease,
    membership::{Place, Purge, begin, entry, kept, split, split_kept},
    removal::Removal,
};

type Result<T> = std::result::Result<T, lmdb::Error>;

impl<'a> WriteTxn<'a> {
    /// Returns the arguments of an operation that the lease allows, and the lease: its state is lost if it does not allow it.
    pub(super) fn purging(&mut self, command: &'a Command) -> Result<(Purge<'a>, Lease)> {
        let purge = Purge::of(command.members());
        let mut lease = self.fenced(command, purge.epoch)?;
        lease.ttl = purge.uids.len() as u64;
        Ok((purge, lease))
    }

    /// Keeps members that were removed, given by their entries. One whose entry is too long with what is noted beside
    /// it is not kept.
    pub(super) fn keep(
        &mut self,
        purge: &Purge,
        gone: &'a Key,
        removed: &[(Member, &[u8])],
    ) -> Result<()> {
        self.expire(purge.stem, gone)?;
        let mut entries = Vec::with_capacity(removed.len());
        for (uid, field) in removed {
            let times = self.times(gone, field)?;
            entries.push(entry(uid, &kept(&times, field)));
        }
        entries.retain(|entry| entry.len() <= MAX_MEMBER);
        if entries.is_empty() {
            return Ok(());
        }
        self.add(gone, &entries)?;
        self.expire_after(gone, purge.keep)
    }

    /// Keeps a member of a channel no longer, or with `None` one of all channels, because the app has removed it.
    pub(super) fn unkeep(&mut self, gone: &Key, uid: &[u8], field: Option<&[u8]>) -> Result<()> {
        if !self.has_members(gone)? {
            return Ok(());
        }
        let channel = self.channel(gone.clone())?;
        let begin = begin(uid);
        let mut found = self
            .rows
            .members_with(&self.txn, channel, &begin, usize::MAX)?;
        if let Some(field) = field {
            found.retain(|entry| split_kept(&entry[begin.len()..]).is_some_and(|it| it.1 == field));
        }
        self.reading.budget.write(found.len() as u64)?;
        self.remove(gone.clone(), &found)?;
        self.clear(gone)
    }

    /// Counts the removal of a channel, if something is kept of its frontend.
    pub(super) fn mark_ended(&mut self, key: &[u8]) -> Result<()> {
        let Some(stem) = self.kept else {
            return Ok(());
        };
        for (gone, field) in gone_with(stem, key) {
            if !self.has_members(&gone)? {
                continue;
            }
            let ended = ended_of(&gone);
            let before = self.times(&gone, field)?;
            let times = std::str::from_utf8(&before).ok();
            let times: u64 = times.and_then(|text| text.parse().ok()).unwrap_or_default();
            self.remove(ended.clone(), [entry(field, &before)])?;
            let after = entry(field, times.saturating_add(1).to_string().as_bytes());
            // With a name that is too long nothing is kept either.
            if after.len() <= MAX_MEMBER {
                self.add(ended, [after])?;
            }
        }
        Ok(())
    }

    /// Keeps members of removed channels no longer: also of those that have no other members. To be called at the
    /// beginning and at the end: in between others may write.
    pub(super) fn unkeep_all(&mut self, removal: &Removal) -> Result<()> {
        let Some(stem) = self.kept else {
            return Ok(());
        };
        for key in removal.named() {
            self.mark_ended(&key)?;
        }
        if removal.is_of_channels() {
            return Ok(());
        }
        for begin in [gone_stem(stem), expired_stem(stem)] {
            let all = self.rows.channels(&self.txn, &begin, None, usize::MAX)?;
            let all: Vec<Key> = all.into_iter().map(|(key, _)| key.to_vec()).collect();
            for key in all {
                self.delete(key)?;
            }
        }
        Ok(())
    }

    /// Returns how often a channel was removed since something is kept of its frontend: as text, empty for never.
    fn times(&mut self, gone: &[u8], field: &[u8]) -> Result<Vec<u8>> {
        let channel = self.channel(ended_of(gone))?;
        let found = self
            .rows
            .members_with(&self.txn, channel, &begin(field), 1)?;
        let times = found.first().and_then(|entry| split(entry));
        Ok(times.map(|(_, times)| times.to_vec()).unwrap_or_default())
    }

    /// Adds the members of some users that are kept.
    pub(super) fn put_back(&mut self, command: &'a Command) -> Result<Lease> {
        let (purge, mut lease) = self.purging(command)?;
        let ([index, _, gone], true) = (command.keys(), lease.allows()) else {
            return Ok(lease);
        };
        let place = Place::of(index, purge.stem);
        self.is_for(b"", Some(place.sid));
        self.expire(purge.stem, gone)?;
        let channel = self.channel(gone)?;
        for uid in purge.uids.clone() {
            let begin = begin(uid);
            let found = self
                .rows
                .members_with(&self.txn, channel, &begin, usize::MAX)?;
            self.reading.budget.write(3 * found.len() as u64)?;
            for item in &found {
                let Some((was, field)) = split_kept(&item[begin.len()..]) else {
                    continue;
                };
                if self.times(gone, field)? == was {
                    self.add(index, [entry(uid, field)])?;
                    lease.count += self.add(place.key(field), [uid])?;
                }
            }
            self.remove(gone, &found)?;
        }
        self.clear(gone)?;
        lease.ttl = 0;
        Ok(lease)
    }

    /// Reads the users of whom something is kept, as this transaction has changed it.
    pub(super) fn kept_users(&mut self, gone: &'a Key) -> Result<CallResult<Value>> {
        let channel = self.channel(gone)?;
        let channel = if self.counts(gone)? { channel } else { None };
        let count = channel.map_or(0, |channel| channel.count);
        self.reading.budget.read(count)?;
        users(self.rows, &self.txn, channel)
    }

    /// Keeps users no longer; all, if none is given.
    pub(super) fn forget(&mut self, command: &'a Command) -> Result<Lease> {
        let (purge, mut lease) = self.purging(command)?;
        let ([_, _, gone], true) = (command.keys(), lease.allows()) else {
            return Ok(lease);
        };
        if purge.uids.len() == 0 {
            self.delete(gone)?;
        }
        for uid in purge.uids {
            self.unkeep(gone, uid, None)?;
        }
        self.clear(gone)?;
        lease.ttl = 0;
        Ok(lease)
    }

    /// Forgets until when something was kept and which channels were removed, if nothing is kept.
    fn clear(&mut self, gone: &[u8]) -> Result<()> {
        if self.has_members(gone)? {
            return Ok(());
        }
        self.delete(ended_of(gone))?;
        self.delete(until_of(gone))?;
        Ok(())
    }
}
