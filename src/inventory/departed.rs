//! Removes what a frontend that is gone has left: its members in all channels, its part of the index of members, the list of its
//! online users, and its entries in the sets of frontends. It is refused while the frontend holds its lease, also in between.
//! Processes that have option `sessions` do the same by themselves after a lease has expired; this is for members that they
//! leave alone (`membership: 'persistent'`), and for a time when none of them runs.
//!
//! In small steps, so that a store in use is not blocked. Removing twice is removing once: what was interrupted is run again.

use futures_util::TryStreamExt as _;

use super::Opened;
use crate::{
    command::{Command, Op, ReadOp, Reply, Value, WriteOp},
    error::{Error, Result},
    keys::{Key, KeyLayout, of_user},
    lease::{Lease, LeaseState},
};

/// The number of keys that are removed in one step.
const STEP: usize = 100;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Keys that were looked at.
    pub looked: u64,
    /// Channels in which the frontend had members.
    pub channels: u64,
    /// These members.
    pub members: u64,
}

/// Removes what the frontend `sid` has left; with `dry` only counts it.
pub async fn remove(
    opened: &Opened,
    layout: &KeyLayout,
    (sid, dry): (&str, bool),
    mut progress: impl FnMut(Removed) + Send,
) -> Result<Removed> {
    let removal = Removal {
        opened,
        layout,
        sid,
    };
    removal.check_lease().await?;
    let longer = removal.longer_sids().await?;
    let mut removed = Removed::default();
    let mut keys = opened.keys(&layout.stem());
    let mut part = Vec::new();
    while let Some(key) = keys.try_next().await? {
        removed.looked += 1;
        if removal.is_own(&key, &longer) {
            part.push(key);
        }
        if part.len() == STEP || removed.looked.is_multiple_of(1000) {
            removal.remove(&mut part, dry, &mut removed).await?;
            progress(removed);
        }
    }
    removal.remove(&mut part, dry, &mut removed).await?;
    if !dry {
        removal.forget().await?;
    }
    Ok(removed)
}

struct Removal<'a> {
    opened: &'a Opened,
    layout: &'a KeyLayout,
    sid: &'a str,
}

impl Removal<'_> {
    /// Fails if the frontend holds its lease. Where no lease was ever noted there is none, and the user of the store may have no
    /// right to look for it.
    async fn check_lease(&self) -> Result<()> {
        let mut noted = false;
        for set in [self.layout.leases(), self.layout.session_leases()] {
            noted |= self.list(&set).await?.contains(&self.sid.to_owned());
        }
        if !noted {
            return Ok(());
        }
        let read = Command::read(ReadOp::Lease, vec![self.layout.lease(self.sid)]);
        match self.execute(&read).await? {
            Reply::Values(values) => match values.into_iter().next() {
                Some(Ok(Value::Lease(lease))) if lease.epoch.is_empty() => Ok(()),
                Some(Ok(Value::Lease(lease))) => Err(self.is_held(&lease)),
                Some(Err(error)) => Err(error),
                _ => Err(Error::Internal("a lease was not read".to_owned())),
            },
            _ => Err(Error::Internal("a lease was not read".to_owned())),
        }
    }

    /// Returns what the keys of other frontends end with that end like those of this one: the key of channel `a:b` on `c` is that
    /// of `a` on `b:c`.
    async fn longer_sids(&self) -> Result<Vec<Key>> {
        let end = format!(":{}", self.sid);
        let sids = self.list(&self.layout.index()).await?;
        let longer = sids.into_iter().filter(|sid| sid.ends_with(&end));
        Ok(longer.map(|sid| self.end_of(&sid)).collect())
    }

    /// Returns what comes after the name in the keys on a frontend.
    fn end_of(&self, sid: &str) -> Key {
        let mut end = Key::new();
        self.layout.separate(&mut end);
        end.extend_from_slice(sid.as_bytes());
        end
    }

    fn is_own(&self, key: &[u8], longer: &[Key]) -> bool {
        let mut begin = Key::new();
        self.layout.begin(&mut begin);
        let Some(rest) = key.strip_prefix(begin.as_slice()) else {
            return false;
        };
        rest.ends_with(&self.end_of(self.sid)) && !longer.iter().any(|end| rest.ends_with(end))
    }

    /// Removes these sets, unless the frontend is back.
    async fn remove(&self, keys: &mut Vec<Key>, dry: bool, removed: &mut Removed) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = std::mem::take(keys);
        let counts = self.opened.counts(&keys).await?;
        removed.channels += counts.iter().filter(|count| **count > 0).count() as u64;
        removed.members += counts.iter().sum::<u64>();
        if !dry {
            self.check_lease().await?;
            self.execute(&Command::write(WriteOp::Delete, keys)).await?;
        }
        Ok(())
    }

    /// Removes what the frontend has beside members.
    async fn forget(&self) -> Result<()> {
        let (keys, sid) = (self.layout, self.sid);
        let index = keys.members(sid);
        let mut users = self.opened.members(&index);
        let mut is_indexed = false;
        while let Some(uids) = users.try_next().await? {
            is_indexed |= !uids.is_empty();
            for uids in uids.chunks(STEP) {
                // In an embedded store there are no such keys: the index has all entries.
                let keys = uids.iter().map(|uid| of_user(&index, uid)).collect();
                self.check_lease().await?;
                self.execute(&Command::write(WriteOp::Delete, keys)).await?;
            }
        }
        let mut is_swept = false;
        for set in [keys.leases(), keys.session_leases()] {
            let items = self.list(&set).await?;
            let is_own = |item: &String| item == sid || is_mark_of(item, sid);
            let own = items.into_iter().filter(is_own).map(String::into_bytes);
            let own: Vec<_> = own.collect();
            if !own.is_empty() {
                if !is_swept {
                    self.sweep().await?;
                    is_swept = true;
                }
                let remove = Command::write_members(WriteOp::Remove, set, own);
                self.execute(&remove).await?;
            }
        }
        if is_swept || is_indexed {
            for key in [index, keys.gone(sid)] {
                let remove = Command::write(WriteOp::Delete, vec![key]);
                self.execute(&remove).await?;
            }
        }
        let sids = self.list(&keys.index()).await?;
        if sids.iter().any(|other| other == sid) {
            let own = [sid.as_bytes().to_vec()];
            let remove = Command::write_members(WriteOp::Remove, keys.index(), own);
            self.execute(&remove).await?;
        }
        Ok(())
    }

    /// Removes the list of online users, and what is left of the lease, in one step that fails if the lease is held.
    async fn sweep(&self) -> Result<()> {
        let keys = [self.layout.online(self.sid), self.layout.lease(self.sid)];
        let arguments = [const { Vec::new() }; 4];
        let items = keys.into_iter().chain(arguments).collect();
        let sweep = Command::new(Op::Write(WriteOp::Sweep), 2, items);
        match self.execute(&sweep).await? {
            Reply::Lease(lease) if lease.state == LeaseState::Held => Err(self.is_held(&lease)),
            _ => Ok(()),
        }
    }

    fn is_held(&self, lease: &Lease) -> Error {
        let words = format!(
            "the frontend {:?} holds its lease for {} ms more: it is not gone",
            self.sid, lease.ttl
        );
        self.opened.named(Error::Store(words.into()))
    }

    /// Reads a set of server ids; empty if the user of the store may not.
    async fn list(&self, key: &[u8]) -> Result<Vec<String>> {
        let mut items = Vec::new();
        let mut parts = self.opened.members(key);
        loop {
            match parts.try_next().await {
                Ok(None) => return Ok(items),
                Ok(Some(part)) => {
                    let texts = part
                        .into_iter()
                        .map(|item| String::from_utf8_lossy(&item).into_owned());
                    items.extend(texts);
                }
                Err(Error::Store(words)) if words.contains("NOPERM") => return Ok(items),
                Err(error) => return Err(error),
            }
        }
    }

    async fn execute(&self, command: &Command) -> Result<Reply> {
        let replies = self.opened.execute(&[command]).await?;
        let reply = replies.into_iter().next();
        let lost = || Error::Internal("a command was not answered".to_owned());
        reply
            .ok_or_else(lost)?
            .map_err(|error| self.opened.named(error))
    }
}

/// Returns whether an item of the set of leases is a mark of when that frontend was released or swept (`lib/leaseMarks.js`).
fn is_mark_of(item: &str, sid: &str) -> bool {
    let mark = item
        .strip_prefix('\0')
        .and_then(|mark| mark.split_once(' '));
    mark.is_some_and(|(_, of)| of == sid)
}
