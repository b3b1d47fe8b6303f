//! A store in memory, and reading pages of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    error::{Error, Result},
    keys::Key,
    membership,
    pages::{
        Entered, Given, KeyFilter, Page, PageQuery, PageSource, Step, StepFuture, cursor, read,
    },
};

pub(super) type Sets = BTreeMap<Key, BTreeSet<Vec<u8>>>;

/// A store in memory. Names come in the order of their hashes, and every third name comes twice.
#[derive(Clone, Default)]
pub(super) struct Fake {
    pub(super) sets: Arc<Mutex<Sets>>,
    /// The number of steps, and the largest number of keys counted at once.
    pub(super) work: Arc<Mutex<(usize, usize)>>,
    /// The number of keys counted.
    pub(super) counted: Arc<Mutex<usize>>,
    /// The pattern of the last step.
    pub(super) pattern: Arc<Mutex<Vec<u8>>>,
    /// Whether keys cannot be read.
    pub(super) fails: Arc<Mutex<bool>>,
}

impl Fake {
    fn step(&self, names: impl Iterator<Item = Vec<u8>>, at: Option<&[u8]>, count: usize) -> Step {
        self.work.lock().unwrap().0 += 1;
        let at = at.map_or(0, |at| u64::from_be_bytes(at.try_into().unwrap()));
        let hash = |name: &Vec<u8>| xxh3_64(name) >> 1;
        let mut names: Vec<_> = names.filter(|name| hash(name) >= at).collect();
        names.sort_by_key(hash);
        let next = names.get(count).map(hash);
        names.truncate(count);
        let twice = names.iter().filter(|name| hash(name) % 3 == 0).cloned();
        let found = names.iter().cloned().chain(twice.collect::<Vec<_>>());
        Step {
            found: found.collect(),
            next: next.map(|next| next.to_be_bytes().to_vec()),
        }
    }

    pub(super) fn change(&self, adds: bool, key: &str, member: &str) {
        let mut sets = self.sets.lock().unwrap();
        let set = sets.entry(key.into()).or_default();
        if adds {
            set.insert(member.into());
        } else {
            set.remove(member.as_bytes());
        }
        sets.retain(|_, set| !set.is_empty());
    }
}

impl PageSource for Fake {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let set = self.sets.lock().unwrap().get(key).cloned();
        let step = self.step(set.unwrap_or_default().into_iter(), position, count);
        std::future::ready(Ok(step)).boxed()
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        if *self.fails.lock().unwrap() {
            return std::future::ready(Err(Error::Store("ERR no".into()))).boxed();
        }
        self.pattern.lock().unwrap().clone_from(&filter.pattern);
        let sets = self.sets.lock().unwrap().clone();
        let keys = sets.into_keys();
        let keys = keys.filter(|key| key.starts_with(&filter.stem));
        std::future::ready(Ok(self.step(keys, position, count))).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let mut work = self.work.lock().unwrap();
        work.1 = work.1.max(keys.len());
        *self.counted.lock().unwrap() += keys.len();
        let sets = self.sets.lock().unwrap();
        let count = |key| sets.get(key).map_or(0, BTreeSet::len) as u64;
        std::future::ready(Ok(keys.iter().map(count).collect())).boxed()
    }

    fn enter(
        &self,
        [channel, index]: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        let set = self.sets.lock().unwrap().get(&channel).cloned();
        let step = self.step(
            set.unwrap_or_default().into_iter(),
            position.as_deref(),
            count,
        );
        let field = membership::field(&channel, &index).expect("of one frontend");
        let entries = step
            .found
            .iter()
            .map(|uid| membership::entry(uid, field))
            .collect::<Vec<_>>();
        let mut sets = self.sets.lock().unwrap();
        let indexed = sets.entry(index.clone()).or_default();
        let count = entries
            .into_iter()
            .filter(|entry| indexed.insert(entry.clone()))
            .count() as u64;
        let next = step.next;
        std::future::ready(Ok(Entered { count, next })).boxed()
    }
}

/// Reads a page of a scan; what a store in memory answers is there at once.
pub(super) fn read_now(fake: &Fake, query: &PageQuery, given: &Given) -> Page {
    read(fake, query, given)
        .now_or_never()
        .expect("at once")
        .expect("a page")
}

pub(super) fn next(page: &Page, seed: u64) -> Option<Vec<u8>> {
    let cursor = page.cursor.as_deref()?;
    Some(cursor::open(seed, cursor).expect("a cursor of the scan"))
}
