//! Removes what a frontend that is gone has left: its members in all channels, its part of the index of members, the list of its
//! online users, and its entries in the sets of frontends. It is refused while the frontend holds its lease, also in between.
//! Processes that have option `sessions` do the same by themselves after a lease has expired; this is for members that they
//! leave alone (`membership: 'persistent'`), and for a time when none of them runs.
//!
//! In small steps, so that a store in use is not blocked. Removing twice is removing once: what was interrupted is run again. The
//! entries in the sets go last, and the lease is read once more after that: a frontend that came back meanwhile is noted again.
//!
//! What tells whether the frontend is gone must be readable: without the right to it nothing is removed.

use futures_util::TryStreamExt as _;

use super::{Opened, inner::InnerPrefixes, own_keys::OwnKeys};
use crate::{
    command::{Command, Member, ReadOp, Reply, Value, WriteOp},
    error::{Error, Result},
    keys::{Key, KeyLayout, ended_of, of_user, until_of},
    lease::{Lease, LeaseState},
};

/// The number of keys that are removed in one step.
const STEP: usize = 100;

/// What the epochs of frontends begin with whose members end with their sessions: `SESSION` in `lib/leases.js`.
const SESSION: &str = "session-";

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
    let own = removal.own_keys().await?;
    removal.check_index().await?;
    let mut removed = Removed::default();
    let mut keys = opened.keys(&layout.stem());
    let mut part = Vec::new();
    while let Some(key) = keys.try_next().await? {
        removed.looked += 1;
        if own.have(&key) {
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
    /// Fails if the frontend holds its lease. The lease itself is read: its note in the sets comes a moment later.
    async fn check_lease(&self) -> Result<()> {
        match self.held().await? {
            Some(lease) => Err(self.is_held(&lease)),
            None => Ok(()),
        }
    }

    /// Returns the lease if it is held.
    async fn held(&self) -> Result<Option<Lease>> {
        let read = Command::read(ReadOp::Lease, vec![self.layout.lease(self.sid)]);
        let unread = || Error::Internal("a lease was not read".to_owned());
        let Reply::Values(mut values) = self.execute(&read).await.map_err(without_right)? else {
            return Err(unread());
        };
        match values.pop() {
            Some(Ok(Value::Lease(lease))) if lease.epoch.is_empty() => Ok(None),
            Some(Ok(Value::Lease(lease))) => Ok(Some(*lease)),
            Some(Err(error)) => Err(without_right(self.opened.named(error))),
            _ => Err(unread()),
        }
    }

    /// Returns which keys of channels are those of the frontend. An id with a colon must be noted in the store: otherwise it is
    /// rather a part of the names of channels, on the frontend whose id follows the last colon.
    async fn own_keys(&self) -> Result<OwnKeys> {
        let mut known = Vec::new();
        for set in self.sets() {
            known.extend(self.list(&set).await?);
        }
        let mut sids = known.iter().map(|item| sid_in(item));
        if self.sid.contains(':') && !sids.any(|sid| sid == self.sid.as_bytes()) {
            let index = self.layout.index();
            let words = format!(
                "no frontend {:?} is noted in the store, and its keys may be those of channels with a colon in their names on \
                 another frontend, so nothing is removed; if it is a frontend, add it to the set {:?} first",
                self.sid,
                String::from_utf8_lossy(&index),
            );
            return Err(self.opened.named(Error::Store(words.into())));
        }
        let inner = InnerPrefixes::find(self.opened, &self.layout.stem()).await?;
        let sids = known.iter().map(|item| sid_in(item));
        Ok(OwnKeys::new(self.layout, self.sid, sids, inner))
    }

    /// Fails if the index of members cannot be read.
    async fn check_index(&self) -> Result<()> {
        let index = self.layout.members(self.sid);
        let first = self.opened.members(&index).try_next().await;
        first.map(|_| ()).map_err(without_right)
    }

    /// Returns the keys of the sets in which frontends are noted. The index is the last one: an id with a colon is known by it as
    /// long as a removal may have to be run again.
    fn sets(&self) -> [Key; 3] {
        let keys = self.layout;
        [keys.leases(), keys.session_leases(), keys.index()]
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
        self.remove_index().await?;
        let mut own = Vec::new();
        for set in self.sets() {
            let mut items = self.list(&set).await?;
            items.retain(|item| sid_in(item) == self.sid.as_bytes());
            if !items.is_empty() {
                own.push((set, items));
            }
        }
        self.sweep(!own.is_empty()).await?;
        let mut left = Vec::new();
        for (set, items) in own {
            let remove = Command::write_members(WriteOp::Remove, set.clone(), items);
            self.execute(&remove).await?;
            left.push(set);
        }
        match self.held().await? {
            Some(lease) => {
                self.note_again(&lease, &left).await?;
                Err(self.is_held(&lease))
            }
            None => Ok(()),
        }
    }

    /// Removes the index of the frontend's members, and those that it keeps. Before the sweep: what a frontend that comes back
    /// later adds to them stays.
    async fn remove_index(&self) -> Result<()> {
        let index = self.layout.members(self.sid);
        let mut users = self.opened.members(&index);
        while let Some(uids) = users.try_next().await? {
            for uids in uids.chunks(STEP) {
                // In an embedded store there are no such keys: the index has all entries.
                let keys = uids.iter().map(|uid| of_user(&index, uid)).collect();
                self.check_lease().await?;
                self.execute(&Command::write(WriteOp::Delete, keys)).await?;
            }
        }
        let gone = self.layout.gone(self.sid);
        let beside = [ended_of(&gone), until_of(&gone)];
        for key in [index, gone].into_iter().chain(beside) {
            self.check_lease().await?;
            let remove = Command::write(WriteOp::Delete, vec![key]);
            self.execute(&remove).await?;
        }
        Ok(())
    }

    /// Removes the list of online users, and what is left of the lease, in one step that fails if the lease is held.
    async fn sweep(&self, is_noted: bool) -> Result<()> {
        let keys = [self.layout.online(self.sid), self.layout.lease(self.sid)];
        if !is_noted && self.opened.counts(&keys[..1]).await?.iter().sum::<u64>() == 0 {
            return Ok(());
        }
        let sweep = Command::write_each(WriteOp::Sweep, keys.into(), [""; 4]);
        match self.execute(&sweep).await? {
            Reply::Lease(lease) if lease.state == LeaseState::Held => Err(self.is_held(&lease)),
            _ => Ok(()),
        }
    }

    /// Notes a frontend again that came back while its entries were removed from the sets `left`.
    async fn note_again(&self, lease: &Lease, left: &[Key]) -> Result<()> {
        let [leases, session_leases, index] = self.sets();
        let ends = lease.epoch.starts_with(SESSION).then_some(session_leases);
        let index = left.contains(&index).then_some(index);
        for set in [Some(leases), ends, index].into_iter().flatten() {
            let add = Command::write_members(WriteOp::Add, set, [self.sid]);
            self.execute(&add).await?;
        }
        Ok(())
    }

    fn is_held(&self, lease: &Lease) -> Error {
        let words = format!(
            "the frontend {:?} holds its lease for {} ms more: it is not gone",
            self.sid, lease.ttl
        );
        self.opened.named(Error::Store(words.into()))
    }

    /// Reads a set of server ids.
    async fn list(&self, key: &[u8]) -> Result<Vec<Member>> {
        let parts = self.opened.members(key).try_concat();
        parts.await.map_err(without_right)
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

/// Adds to an error about a missing right what follows from it.
fn without_right(error: Error) -> Error {
    match error {
        Error::Store(words) if words.contains("NOPERM") => Error::Store(
            format!("{words} (whether the frontend is gone cannot be known without this right)")
                .into(),
        ),
        error => error,
    }
}

/// Returns the server id in an item of a set of frontends: the item, or what a mark of when that frontend was released or swept
/// is about (`lib/leaseMarks.js`).
fn sid_in(item: &[u8]) -> &[u8] {
    let mark = item.strip_prefix(b"\0");
    let space = mark.and_then(|mark| mark.iter().position(|&byte| byte == b' '));
    match (mark, space) {
        (Some(mark), Some(space)) => &mark[space + 1..],
        _ => item,
    }
}
