//! Adds and removes members and channels in a write transaction, and has each change of a channel published
//! ([`super::events`]).

use std::borrow::Cow;

use super::{lmdb, rows::Channel, write_txn::WriteTxn};
use crate::{events::message::Kind, failpoints::fail_point};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The maximum number of new channels in one transaction.
const NUMBERS: u64 = 1 << 20;

impl<'a> WriteTxn<'a> {
    /// Adds members; returns how many are new.
    pub(super) fn add(
        &mut self,
        key: impl Into<Cow<'a, [u8]>>,
        members: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Result<u64> {
        let key = key.into();
        let number = NUMBERS * self.txn.id() as u64 + self.new_channels;
        let touched = self.touch(key.clone())?;
        let is_new = touched.channel.is_none();
        let mut channel = touched.channel.unwrap_or(Channel {
            number,
            version: 0,
            count: 0,
        });
        let mut added = 0;
        let mut told = self.changes(&key);
        for uid in members {
            let uid = uid.as_ref();
            if self.rows.put_member(&mut self.txn, channel.number, uid)? {
                added += 1;
                if let Some(told) = &mut told {
                    told.add(uid);
                }
            }
        }
        channel.count += added;
        if is_new && channel.count > 0 {
            self.use_number();
        }
        if added > 0 {
            if let Some(told) = told {
                self.publish(Kind::Join, &key, &told, is_new)?;
            }
            self.touched(key, Some(channel));
        }
        Ok(added)
    }

    /// Takes the number: the next new channel gets another one.
    fn use_number(&mut self) {
        fail_point!("embedded-same-number", Some(()));
        self.new_channels += 1;
    }

    /// Removes members; returns how many there were.
    pub(super) fn remove(
        &mut self,
        key: impl Into<Cow<'a, [u8]>>,
        members: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Result<u64> {
        self.remove_each(key, members, |_| {})
    }

    /// Removes members, and passes those that there were; returns how many.
    pub(super) fn remove_each(
        &mut self,
        key: impl Into<Cow<'a, [u8]>>,
        members: impl IntoIterator<Item: AsRef<[u8]>>,
        mut removed: impl FnMut(&[u8]),
    ) -> Result<u64> {
        let key = key.into();
        let Some(mut channel) = self.touch(key.clone())?.channel else {
            return Ok(0);
        };
        let mut count = 0;
        let mut told = self.changes(&key);
        for uid in members {
            let uid = uid.as_ref();
            if self
                .rows
                .delete_member(&mut self.txn, channel.number, uid)?
            {
                count += 1;
                removed(uid);
                if let Some(told) = &mut told {
                    told.add(uid);
                }
            }
        }
        channel.count = channel.count.saturating_sub(count);
        if count > 0 {
            if let Some(told) = told {
                self.publish(Kind::Leave, &key, &told, channel.count == 0)?;
            }
            self.touched(key, Some(channel).filter(|channel| channel.count > 0));
        }
        Ok(count)
    }

    /// Removes a channel; returns 1 if there was one.
    pub(super) fn delete(&mut self, key: impl Into<Cow<'a, [u8]>>) -> Result<u64> {
        let key = key.into();
        let Some(channel) = self.touch(key.clone())?.channel else {
            return Ok(0);
        };
        self.reading.budget.write(channel.count)?;
        self.rows.delete_members(&mut self.txn, channel.number)?;
        if self.changes(&key).is_some() {
            self.publish_removal(&key, channel.count)?;
        }
        self.touched(key, None);
        Ok(1)
    }
}
