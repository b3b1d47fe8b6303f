//! Copying: every member of the source is added to the target, and then the counts are compared. It never
//! removes anything, and adding twice is adding once: what was interrupted is run again.
//!
//! The frontends of what is copied get into the target's index ([`crate::keys::KeyLayout::index`]) in front of the members
//! there, and so do those in the index of the source. An index that cannot be read or written is a line for the user, not
//! a failure.

use std::{
    collections::{BTreeMap, HashSet},
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
};

use futures_util::{
    FutureExt as _, TryStreamExt as _,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};

use super::{Opened, left_out::LeftOut};
use crate::{
    command::{Command, Member, Reply, WriteOp},
    error::{Error, Result},
    keys::{Key, index_of, sid_under},
    known_sids::{MOST_BY_KEYS, too_many},
};

/// The number of sets that are read at a time.
const READERS: usize = 32;

/// The number of members in a batch; of their bytes: below.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// The number of batches in flight.
const FLIGHTS: usize = 4;

/// The number of sets that are counted in one step.
const COUNTED: usize = 1000;

/// The progress of a copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Channels (one for each frontend) that were begun.
    pub keys: u64,
    /// Members that the target has acknowledged; one that the source named twice counts twice.
    pub members: u64,
}

/// The result of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Sets that the source holds or held.
    pub keys: u64,
    /// Members of these in the source, after the copy.
    pub members: u64,
    /// The sets whose counts differ, in the order of the keys.
    pub differing: Vec<Difference>,
    /// The sets that the target refused, and why.
    pub refused: BTreeMap<Key, String>,
    /// Keys of the source that are not in our layout, and were not converted.
    pub left_out: Vec<LeftOut>,
    /// Lines for the user.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns whether the target holds as many members of each set as the source.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.differing.is_empty() && self.refused.is_empty()
    }
}

/// A set with another number of members in the target, because the source or the target changed meanwhile, or the
/// target had other members before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key of the set.
    pub key: Key,
    /// Members in the source.
    pub source: u64,
    /// Members in the target.
    pub target: u64,
}

/// Copies every set whose key begins with `stem`, as the source reads, and closes both stores.
pub async fn copy(
    source: Opened,
    target: Opened,
    stem: &[u8],
    progress: impl FnMut(Progress) + Send,
) -> Result<Report> {
    let mut copied = copy_open(&source, &target, stem, progress).await;
    if let Ok(report) = &mut copied {
        report.left_out = source.left_out().await;
        let notes = [&source, &target].map(Opened::take_note);
        report.notes.extend(notes.into_iter().flatten());
    }
    future::join(source.close(), target.close()).await;
    copied
}

async fn copy_open(
    source: &Opened,
    target: &Opened,
    stem: &[u8],
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report> {
    let mut keys = HashSet::new();
    let begun = AtomicU64::new(0);
    let mut writer = Writer::new(target, stem);
    let mut sids = source.members(&writer.index);
    loop {
        match sids.try_next().await {
            Ok(Some(sids)) => writer.put_sids(sids),
            Ok(None) => break,
            Err(error @ Error::Disconnected { .. }) => return Err(error),
            Err(error) => {
                writer.note = Some(format!("the index of frontends cannot be read: {error}"));
                break;
            }
        }
    }
    {
        let parts = source
            .keys(stem)
            .try_filter(|key| {
                let fresh = keys.insert(key.clone());
                begun.fetch_add(u64::from(fresh), Ordering::Relaxed);
                future::ready(fresh)
            })
            .map_ok(|key| {
                let members = source.members(&key);
                members.map_ok(move |members| (key.clone(), members))
            })
            .try_flatten_unordered(READERS);
        let mut parts = pin!(parts);
        while let Some((key, members)) = parts.try_next().await? {
            writer.put(key, members).await?;
            progress(Progress {
                keys: begun.load(Ordering::Relaxed),
                members: writer.acknowledged,
            });
        }
    }
    let (refused, note) = writer.finish().await?;

    // Sets that were added meanwhile were not copied, and must be reported as different.
    let mut again = source.keys(stem);
    while let Some(key) = again.try_next().await? {
        keys.insert(key);
    }
    let report = Report {
        refused,
        notes: note.into_iter().collect(),
        ..Report::default()
    };
    compare(source, target, keys, report).await
}

/// A batch in flight; resolves to its commands and replies.
type Flight = BoxFuture<'static, Result<(Vec<Command>, Vec<Result<Reply>>)>>;

/// Fills batches, and keeps some of them in flight.
struct Writer<'a> {
    target: &'a Opened,
    batch: Vec<Command>,
    members: usize,
    bytes: usize,
    flights: FuturesUnordered<Flight>,
    acknowledged: u64,
    refused: BTreeMap<Key, String>,
    /// What all the keys begin with.
    stem: Key,
    /// The key of the index, and the sids that were put there; those that only a key told of are counted.
    index: Key,
    sids: HashSet<Vec<u8>>,
    by_keys: usize,
    /// Why the index is not complete.
    note: Option<String>,
}

impl<'a> Writer<'a> {
    fn new(target: &'a Opened, stem: &[u8]) -> Self {
        Self {
            target,
            batch: Vec::new(),
            members: 0,
            bytes: 0,
            flights: FuturesUnordered::new(),
            acknowledged: 0,
            refused: BTreeMap::new(),
            stem: stem.to_vec(),
            index: index_of(stem),
            sids: HashSet::new(),
            by_keys: 0,
            note: None,
        }
    }

    /// Adds sids to the index, each once.
    fn put_sids(&mut self, sids: Vec<Vec<u8>>) {
        let most = self.target.sizes.member;
        let mut fresh = Vec::new();
        for sid in sids {
            if sid.len() <= most && self.sids.insert(sid.clone()) {
                fresh.push(sid);
            }
        }
        if !fresh.is_empty() {
            let index = self.index.clone();
            self.batch
                .push(Command::write_members(WriteOp::Add, index, fresh));
        }
    }

    /// Adds the sid in a key to the index, up to the number that keys alone may tell of.
    fn put_sid_of(&mut self, key: &[u8]) {
        let Some(sid) = sid_under(&self.stem, key) else {
            return;
        };
        if self.sids.contains(sid) {
            return;
        }
        if self.by_keys < MOST_BY_KEYS {
            self.by_keys += 1;
            let sid = sid.to_vec();
            self.put_sids(vec![sid]);
        } else {
            self.note.get_or_insert_with(|| too_many(&self.stem));
        }
    }

    /// Takes a part of a set; waits while too many batches are in flight.
    async fn put(&mut self, key: Key, mut members: Vec<Member>) -> Result<()> {
        if let Some(why) = too_long("the key", key.len(), self.target.sizes.key) {
            self.refused.insert(key, why);
            return Ok(());
        }
        let most = self.target.sizes.member;
        if let Some(long) = members.iter().find(|member| member.len() > most)
            && let Some(why) = too_long("a uid", long.len(), most)
        {
            self.refused.insert(key.clone(), why);
            members.retain(|member| member.len() <= most);
        }
        if members.is_empty() {
            return Ok(());
        }
        self.put_sid_of(&key);
        self.members += members.len();
        self.bytes += key.len() + members.iter().map(Vec::len).sum::<usize>();
        self.batch
            .push(Command::write_members(WriteOp::Add, key, members));
        if self.members >= BATCH || self.bytes >= BATCH_BYTES {
            self.send();
        }
        while self.flights.len() > FLIGHTS {
            self.land().await?;
        }
        Ok(())
    }

    /// Waits for all batches; returns what the target refused, and why the index is not complete.
    async fn finish(mut self) -> Result<(BTreeMap<Key, String>, Option<String>)> {
        self.send();
        while !self.flights.is_empty() {
            self.land().await?;
        }
        Ok((self.refused, self.note))
    }

    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        (self.members, self.bytes) = (0, 0);
        let batch = std::mem::take(&mut self.batch);
        let replies = self.target.execute(&batch.iter().collect::<Vec<_>>());
        let flight = async move { Ok((batch, replies.await?)) };
        self.flights.push(flight.boxed());
    }

    async fn land(&mut self) -> Result<()> {
        let Some((batch, replies)) = self.flights.try_next().await? else {
            return Ok(());
        };
        for (command, reply) in batch.into_iter().zip(replies) {
            match reply {
                Ok(_) if command.keys().contains(&self.index) => {}
                Err(Error::Store(words)) if command.keys().contains(&self.index) => {
                    let line = format!("the index of frontends cannot be written: {words}");
                    self.note.get_or_insert(line);
                }
                Ok(_) => self.acknowledged += command.members().len() as u64,
                Err(error) if is_of_one_key(&error) => {
                    let keys = command.keys().iter().cloned();
                    self.refused
                        .extend(keys.map(|key| (key, error.to_string())));
                }
                Err(error) => return Err(self.target.named(error)),
            }
        }
        Ok(())
    }
}

fn too_long(what: &str, len: usize, most: usize) -> Option<String> {
    (len > most).then(|| format!("{what} has {len} bytes, and the target takes {most}"))
}

/// Returns whether the error is about one key only (of another type, or too long), so that others may succeed.
fn is_of_one_key(error: &Error) -> bool {
    match error {
        Error::Store(words) => words.starts_with("WRONGTYPE "),
        error => matches!(error, Error::InvalidArgument(_)),
    }
}

/// Compares the counts of both stores.
async fn compare(
    source: &Opened,
    target: &Opened,
    keys: HashSet<Key>,
    mut report: Report,
) -> Result<Report> {
    let mut keys: Vec<Key> = keys.into_iter().collect();
    keys.sort_unstable();
    for keys in keys.chunks(COUNTED) {
        let counts = future::try_join(source.counts(keys), target.counts(keys)).await?;
        for (key, (source, target)) in keys.iter().zip(counts.0.into_iter().zip(counts.1)) {
            report.keys += 1;
            report.members += source;
            if source != target {
                let key = key.clone();
                let difference = Difference {
                    key,
                    source,
                    target,
                };
                report.differing.push(difference);
            }
        }
    }
    Ok(report)
}
