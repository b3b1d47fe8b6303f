//! Channels and members as rows of LMDB.
//!
//! | table      | key                                       | value                                       |
//! | ---------- | ----------------------------------------- | ------------------------------------------- |
//! | `channels` | the key of the channel on a frontend      | number, version, count of members (8 bytes each) |
//! | `members`  | number of the channel (8 bytes, big-endian), uid | nothing                              |
//!
//! A channel has a row as long as it has members. The *number* says which members are its own; no two
//! channels ever have the same one. The *version* is the number of the transaction that changed its
//! members last: as long as it is the same, so are they.

use std::{ffi::CStr, ops::Bound};

use super::{
    MAX_KEY, MAX_MEMBER,
    lmdb::{self, Env, RoTxn, RwTxn, Table, code},
};
use crate::{command::Member, error::Result as CallResult, list::List};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The tables.
#[derive(Debug)]
pub(super) struct Rows {
    channels: Table,
    members: Table,
}

/// A row of `channels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) number: u64,
    pub(super) version: u64,
    pub(super) count: u64,
}

/// The maximum number of members for which memory is allocated before they are read.
const MOST_ROOM: u64 = 1 << 16;

const WORD: usize = size_of::<u64>();

impl Rows {
    /// The number of tables.
    pub(super) const TABLES: u32 = 2;

    const NAMES: [&CStr; Self::TABLES as usize] = [c"channels", c"members"];

    /// Opens the tables, which are made if they are missing.
    pub(super) fn open(env: &mut Env) -> Result<Self> {
        // Without a write transaction, which might have to wait for another process.
        let [channels, members] = match env.open_tables(Self::NAMES)? {
            Some(tables) => tables,
            None => env.make_tables(Self::NAMES)?,
        };
        Ok(Self { channels, members })
    }

    pub(super) fn channel(&self, txn: &RoTxn, key: &[u8]) -> Result<Option<Channel>> {
        let row = self.channels.get(txn, key)?;
        row.map(Channel::from_bytes).transpose()
    }

    pub(super) fn put_channel(&self, txn: &mut RwTxn, key: &[u8], channel: Channel) -> Result<()> {
        self.channels.put(txn, key, &channel.to_bytes())
    }

    pub(super) fn delete_channel(&self, txn: &mut RwTxn, key: &[u8]) -> Result<()> {
        self.channels.delete(txn, key).map(drop)
    }

    /// Adds a member; returns whether it is new.
    pub(super) fn put_member(&self, txn: &mut RwTxn, number: u64, uid: &[u8]) -> Result<bool> {
        let (row, length) = row(number, uid)?;
        self.members.put_new(txn, &row[..length], &[])
    }

    /// Removes a member; returns whether there was one.
    pub(super) fn delete_member(&self, txn: &mut RwTxn, number: u64, uid: &[u8]) -> Result<bool> {
        let (row, length) = row(number, uid)?;
        self.members.delete(txn, &row[..length])
    }

    /// Returns whether a channel has that member.
    pub(super) fn has_member(&self, txn: &RoTxn, number: u64, uid: &[u8]) -> Result<bool> {
        let (row, length) = row(number, uid)?;
        Ok(self.members.get(txn, &row[..length])?.is_some())
    }

    pub(super) fn delete_members(&self, txn: &mut RwTxn, number: u64) -> Result<()> {
        self.members.delete_prefix(txn, &number.to_be_bytes())
    }

    /// Returns the members of a channel; none if it has no row.
    pub(super) fn list(&self, txn: &RoTxn, channel: Option<Channel>) -> Result<CallResult<List>> {
        let Some(channel) = channel else {
            return Ok(List::new([[0; 0]; 0]));
        };
        let number = channel.number.to_be_bytes();
        // Limited, because a damaged row may have any count.
        let room = channel.count.min(MOST_ROOM);
        let mut uids = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        for row in self.members.range(txn, Bound::Included(&number))? {
            let Some(uid) = row?.0.strip_prefix(&number) else {
                break;
            };
            uids.push(uid);
        }
        Ok(List::new(uids))
    }

    /// Returns all channels, each with its key.
    #[cfg(any(test, feature = "failpoints"))]
    pub(super) fn every_channel(&self, txn: &RoTxn) -> Result<Vec<(String, Channel)>> {
        let all = self.channels.range(txn, Bound::Unbounded)?.map(|row| {
            let (key, row) = row?;
            let key = String::from_utf8_lossy(key).into_owned();
            Ok((key, Channel::from_bytes(row)?))
        });
        all.collect()
    }

    /// Returns the number of the channel of each member.
    #[cfg(any(test, feature = "failpoints"))]
    pub(super) fn numbers<'txn>(
        &self,
        txn: &'txn RoTxn,
    ) -> Result<impl Iterator<Item = Result<u64>> + use<'txn>> {
        Ok(self.members.range(txn, Bound::Unbounded)?.map(|row| {
            let number = row?.0.first_chunk::<WORD>().copied();
            let number = number.ok_or(lmdb::Error::Lmdb(code::CORRUPTED))?;
            Ok(u64::from_be_bytes(number))
        }))
    }

    /// Returns at most `most` channels whose keys begin with `stem`, in key order, after `after`, if given.
    pub(super) fn channels<'txn>(
        &self,
        txn: &'txn RoTxn,
        stem: &[u8],
        after: Option<&[u8]>,
        most: usize,
    ) -> Result<Vec<(&'txn [u8], Channel)>> {
        let begin = match after {
            Some(after) => Bound::Excluded(after),
            // LMDB takes no empty key.
            None if stem.is_empty() => Bound::Unbounded,
            None => Bound::Included(stem),
        };
        let found = self.channels.range(txn, begin)?;
        found
            .take_while(|row| !matches!(row, Ok((key, _)) if !key.starts_with(stem)))
            .take(most)
            .map(|row| row.and_then(|(key, row)| Ok((key, Channel::from_bytes(row)?))))
            .collect()
    }

    /// Returns the first members of a channel that begin with `begin`, in the order of their bytes, at most `most`.
    pub(super) fn members_with(
        &self,
        txn: &RoTxn,
        channel: Option<Channel>,
        begin: &[u8],
        most: usize,
    ) -> Result<Vec<Member>> {
        let Some(channel) = channel.filter(|_| begin.len() <= MAX_MEMBER) else {
            return Ok(Vec::new());
        };
        let (first, length) = row(channel.number, begin)?;
        let first = &first[..length];
        let found = self.members.range(txn, Bound::Included(first))?;
        found
            .take_while(|row| !matches!(row, Ok((key, _)) if !key.starts_with(first)))
            .take(most)
            .map(|row| Ok(row?.0[WORD..].to_vec()))
            .collect()
    }

    /// Returns the first member of a channel from `from` on, in the order of their bytes.
    pub(super) fn member_from(
        &self,
        txn: &RoTxn,
        channel: Channel,
        from: &[u8],
    ) -> Result<Option<Member>> {
        if from.len() > MAX_MEMBER {
            return Ok(None);
        }
        let (first, length) = row(channel.number, from)?;
        let mut found = self.members.range(txn, Bound::Included(&first[..length]))?;
        let member = found.next().transpose()?;
        let number = channel.number.to_be_bytes();
        Ok(member.and_then(|(key, _)| Some(key.strip_prefix(&number)?.to_vec())))
    }

    /// Returns at most `most` members of a channel, in the order of their bytes, after `after`, if given.
    pub(super) fn members(
        &self,
        txn: &RoTxn,
        channel: Channel,
        after: Option<&[u8]>,
        most: usize,
    ) -> Result<Vec<Member>> {
        let (first, length) = row(channel.number, after.unwrap_or_default())?;
        let begin = match after {
            Some(_) => Bound::Excluded(&first[..length]),
            None => Bound::Included(&first[..length]),
        };
        let number = channel.number.to_be_bytes();
        let found = self.members.range(txn, begin)?;
        found
            .take_while(|row| !matches!(row, Ok((key, _)) if !key.starts_with(&number)))
            .take(most)
            .map(|row| Ok(row?.0[WORD..].to_vec()))
            .collect()
    }
}

/// Returns the key of a member, and its length.
fn row(number: u64, uid: &[u8]) -> Result<([u8; MAX_KEY], usize)> {
    if uid.len() > MAX_MEMBER {
        return Err(lmdb::Error::Lmdb(code::BAD_VAL_SIZE));
    }
    let mut row = [0; MAX_KEY];
    row[..WORD].copy_from_slice(&number.to_be_bytes());
    row[WORD..WORD + uid.len()].copy_from_slice(uid);
    Ok((row, WORD + uid.len()))
}

impl Channel {
    fn to_bytes(self) -> [u8; 3 * WORD] {
        let mut row = [0; 3 * WORD];
        for (bytes, word) in row
            .chunks_exact_mut(WORD)
            .zip([self.number, self.version, self.count])
        {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        row
    }

    fn from_bytes(row: &[u8]) -> Result<Self> {
        let (words, rest) = row.as_chunks::<WORD>();
        match (words, rest) {
            (&[number, version, count], []) => Ok(Self {
                number: u64::from_le_bytes(number),
                version: u64::from_le_bytes(version),
                count: u64::from_le_bytes(count),
            }),
            _ => Err(lmdb::Error::Lmdb(code::CORRUPTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// What is in a damaged file: a channel or an error.
        #[test]
        fn any_bytes_are_a_channel_or_damage(bytes in vec(any::<u8>(), 0..64)) {
            if let Ok(channel) = Channel::from_bytes(&bytes) {
                prop_assert_eq!(channel.to_bytes().to_vec(), bytes);
            } else {
                prop_assert_ne!(bytes.len(), 3 * WORD);
            }
        }

        /// Members of one channel are never those of another one, and none is cut.
        #[test]
        fn a_row_is_its_number_and_its_member(
            number: u64, other: u64, uid in vec(any::<u8>(), 0..MAX_KEY), more in vec(any::<u8>(), 0..20),
        ) {
            match row(number, &uid) {
                Ok((bytes, length)) => {
                    prop_assert_eq!(bytes[..WORD].to_vec(), number.to_be_bytes().to_vec());
                    prop_assert_eq!(bytes[WORD..length].to_vec(), uid);
                    if number != other {
                        let (others, length) = row(other, &more).expect("it is short");
                        prop_assert!(!others[..length].starts_with(&number.to_be_bytes()));
                    }
                }
                Err(_) => prop_assert!(uid.len() > MAX_MEMBER),
            }
        }
    }

    #[test]
    fn a_damaged_count_takes_no_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = lmdb::Options {
            map_size: 1 << 20,
            max_readers: 10,
            max_tables: Rows::TABLES,
            no_sync: true,
        };
        // SAFETY: a folder of this test's own, opened once.
        let mut env = unsafe { options.open(folder.path()) }.expect("it opens");
        let rows = Rows::open(&mut env).expect("tables");
        let mut slot = lmdb::ReadSlot::begin(&env).expect("a slot");
        let txn = slot.renew().expect("a transaction");
        for count in [0, 1 << 30, 1 << 40, u64::MAX] {
            let (number, version) = (1, 1);
            let channel = Some(Channel {
                number,
                version,
                count,
            });
            let list = rows.list(&txn, channel).expect("it is read");
            assert_eq!(list.expect("a list").json(), "[]");
        }
    }
}
