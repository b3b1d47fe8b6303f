//! Publishing what a write transaction changes (option `events`, [`crate::events`]): the changes are one row of the
//! [`super::ring`], written in the same transaction, so that there is neither a change without its row nor a row without
//! its change. [`super::following`] reads the rows.

use super::{
    lmdb::{self, RwTxn},
    ring::Ring,
    write_txn::WriteTxn,
};
use crate::{
    command::Member,
    events::{
        Publishing, clock,
        message::{Change, Kind, put_text},
    },
    keys::sid_of,
    membership::Place,
};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The reason of what the app has called for, and that of what removes channels.
pub(super) const CALL: &[u8] = b"call";
const DESTROY: &[u8] = b"destroy";

/// The changes of a transaction.
#[derive(Debug)]
pub(super) struct Recorder<'a> {
    publishing: &'a Publishing,
    ring: Ring,
    /// The row; empty as long as nothing has changed.
    row: Vec<u8>,
    /// Why the command changes members.
    reason: &'a [u8],
    /// Their frontend, if the command tells it.
    sid: Option<&'a [u8]>,
    /// The frontends in the index, as long as it has not changed.
    sids: Option<Vec<Member>>,
}

/// Some uids of a change.
#[derive(Debug, Default)]
pub(super) struct Uids {
    count: usize,
    /// As in a message.
    text: Vec<u8>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(publishing: &'a Publishing, ring: Ring) -> Self {
        Self {
            publishing,
            ring,
            row: Vec::new(),
            reason: CALL,
            sid: None,
            sids: None,
        }
    }

    /// Returns what the row of a publisher begins with.
    pub(super) fn head(publishing: &Publishing) -> Vec<u8> {
        let mut head = Vec::new();
        put_text(&mut head, &publishing.channel);
        head
    }

    /// Returns what the key of a channel has before its frontend, and the frontend.
    fn split<'k>(&self, key: &'k [u8]) -> (&'k [u8], &'k [u8]) {
        let named = self.sid.filter(|sid| {
            let base = key.strip_suffix(*sid);
            base.is_some_and(|base| base.ends_with(b":"))
        });
        let length = named.unwrap_or_else(|| sid_of(key)).len();
        key.split_at(key.len() - length)
    }

    /// Writes the row, if something has changed.
    pub(super) fn finish(self, txn: &mut RwTxn) -> Result<()> {
        if self.row.is_empty() {
            return Ok(());
        }
        self.ring.append(txn, &self.row)
    }
}

impl Uids {
    pub(super) fn add(&mut self, uid: &[u8]) {
        self.count += 1;
        put_text(&mut self.text, uid);
    }
}

impl<'a> WriteTxn<'a> {
    /// Notes that the index of the frontends may have changed, if this is its key. Returns where to collect the uids that
    /// a command changes, if changes of this key are published.
    pub(super) fn changes(&mut self, key: &[u8]) -> Option<Uids> {
        let recorder = self.recorder.as_mut()?;
        if *key == *recorder.publishing.sids {
            recorder.sids = None;
        }
        recorder.publishing.has(key).then(Uids::default)
    }

    /// Notes why the members that change from now on do, and on which frontend, if the command tells it.
    pub(super) fn is_for(&mut self, reason: &'a [u8], sid: Option<&'a [u8]>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.reason = if reason.is_empty() { CALL } else { reason };
            recorder.sid = sid;
        }
    }

    /// Notes that the members that change from now on are on the frontend of this index.
    pub(super) fn is_at(&mut self, index: &'a [u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.sid = Some(Place::of(index, &recorder.publishing.stem).sid);
        }
    }

    /// Publishes that members were added or removed. `is_only` tells whether the channel had no other members on this
    /// frontend before, or has none any more.
    pub(super) fn publish(
        &mut self,
        kind: Kind,
        key: &[u8],
        uids: &Uids,
        is_only: bool,
    ) -> Result<()> {
        if uids.count == 0 {
            return Ok(());
        }
        let reason = self.recorder.as_ref().map_or(CALL, |its| its.reason);
        let (count, uids) = (uids.count, uids.text.as_slice());
        self.record(key, change(kind, reason, count, uids), is_only)
    }

    /// Publishes that a channel was removed on a frontend, with this number of members.
    pub(super) fn publish_removal(&mut self, key: &[u8], count: u64) -> Result<()> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.record(key, change(Kind::Destroy, DESTROY, count, b""), true)
    }

    fn record(&mut self, key: &[u8], change: Change, is_only: bool) -> Result<()> {
        let Some(recorder) = self.recorder.as_ref().filter(|its| its.publishing.has(key)) else {
            return Ok(());
        };
        let (base, sid) = recorder.split(key);
        let is_edge = is_only && !self.is_elsewhere(base, sid)?;
        if let Some(recorder) = &mut self.recorder {
            let from = recorder.publishing.stem.len();
            let field = base.get(from..base.len().saturating_sub(1));
            if recorder.row.is_empty() {
                recorder.row = Recorder::head(recorder.publishing);
            }
            Change {
                is_edge,
                field: field.unwrap_or_default(),
                sid,
                ..change
            }
            .write(&mut recorder.row);
        }
        Ok(())
    }

    /// Returns whether a channel has members on another frontend of the index.
    fn is_elsewhere(&mut self, base: &[u8], sid: &[u8]) -> Result<bool> {
        let sids = self.sids()?;
        self.reading.budget.read(sids.len() as u64)?;
        let mut is_elsewhere = false;
        for other in sids.iter().filter(|other| *other != sid) {
            if self.has_members(&[base, other].concat())? {
                is_elsewhere = true;
                break;
            }
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.sids = Some(sids);
        }
        Ok(is_elsewhere)
    }

    /// Takes the frontends of the index.
    fn sids(&mut self) -> Result<Vec<Member>> {
        let Some(recorder) = &mut self.recorder else {
            return Ok(Vec::new());
        };
        if let Some(sids) = recorder.sids.take() {
            return Ok(sids);
        }
        let key: &'a [u8] = &recorder.publishing.sids;
        match self.channel(key)? {
            Some(channel) => self.rows.members(&self.txn, channel, None, usize::MAX),
            None => Ok(Vec::new()),
        }
    }
}

fn change<'c>(kind: Kind, reason: &'c [u8], count: usize, uids: &'c [u8]) -> Change<'c> {
    Change {
        kind,
        is_edge: false,
        time: Some(clock()),
        reason,
        field: b"",
        sid: b"",
        count,
        uids,
    }
}
