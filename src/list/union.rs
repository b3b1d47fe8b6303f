//! Combines the lists of several keys: the members of at least one of them, without those of other lists. Each member
//! is in the result once, in the order of its first appearance. [`Unions`] keeps results, so that nothing is combined
//! again while no list changes.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use lru::LruCache;

use super::{
    List, Released,
    writer::{LONGEST_PIECE, Writer},
};
use crate::{
    command::Value,
    error::{Error, Result},
};

type HashSet<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;

/// The bytes that kept results may use, with their arrays in JavaScript (estimated). Those of the lists themselves are
/// bounded by the cache.
const MAX_BYTES: usize = 16 << 20;

/// How the lists of a read are combined: consecutive keys are a group, and each group becomes one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// How many keys of a group come first, whose members are in the result; at least one.
    pub with: u32,
    /// How many keys follow, whose members are not in it.
    pub without: u32,
}

impl Groups {
    /// Makes groups of so many keys.
    #[must_use]
    pub fn new(with: usize, without: usize) -> Self {
        let [with, without] = [with, without].map(|keys| u32::try_from(keys).unwrap_or(u32::MAX));
        Self { with, without }
    }

    /// Divides values into the lists of each group.
    fn of(self, values: &[Result<Value>]) -> impl Iterator<Item = Result<Vec<&Arc<List>>>> {
        let size = (self.with as usize + self.without as usize).max(1);
        values
            .chunks(size)
            .map(|group| group.iter().map(list_in).collect())
    }

    /// Divides the lists of a group into its two parts.
    fn parts<T>(self, lists: &[T]) -> (&[T], &[T]) {
        lists.split_at(lists.len().min(self.with as usize))
    }
}

/// Kept results by the ids of the lists that they were made of, the least recently used dropped first.
#[derive(Debug)]
pub struct Unions {
    kept: LruCache<Box<[u64]>, Arc<List>>,
    bytes: usize,
    max_bytes: usize,
    /// The key of the last result that was looked for.
    key: Vec<u64>,
}

impl Default for Unions {
    fn default() -> Self {
        Self {
            kept: LruCache::unbounded(),
            bytes: 0,
            max_bytes: MAX_BYTES,
            key: Vec::new(),
        }
    }
}

impl Unions {
    /// Combines the values of each group to one. A group with an error becomes that error: without all of its lists it
    /// is not known who is in the result.
    #[must_use]
    pub fn combine(&mut self, values: &[Result<Value>], groups: Groups) -> Vec<Result<Value>> {
        let combined = groups.of(values).map(|lists| {
            let lists = lists?;
            let (with, without) = groups.parts(&lists);
            let list = match self.find(with, without) {
                Found::List(list) => list,
                Found::Nothing(None) => Arc::new(unite(with, without)?),
                Found::Nothing(Some(released)) => {
                    let list = Arc::new(unite(with, without)?);
                    list.keep(released);
                    self.keep(self.key.as_slice().into(), &list);
                    list
                }
            };
            Ok(Value::List(list))
        });
        combined.collect()
    }

    /// Returns how many members have to be looked at for that: none if the results are there.
    #[must_use]
    pub fn work(&mut self, values: &[Result<Value>], groups: Groups) -> usize {
        let lists = groups.of(values).flatten();
        let work = lists.map(|lists| {
            let (with, without) = groups.parts(&lists);
            match self.find(with, without) {
                Found::List(_) => 0,
                Found::Nothing(_) => lists.iter().map(|list| list.len()).sum(),
            }
        });
        work.sum()
    }

    /// Looks for the result, a list or a kept one. Leaves its key in `key` if it is to be kept.
    fn find<'a>(&mut self, with: &[&'a Arc<List>], without: &[&'a Arc<List>]) -> Found<'a> {
        let mut first = full(with);
        let Some(one) = first.next() else {
            return Found::List(Arc::new(List::empty()));
        };
        if first.next().is_none() && full(without).next().is_none() {
            return Found::List(one.clone());
        }
        // Only if the cache keeps all of them they can come again.
        let mut all = full(with).chain(full(without));
        let Some(released) = one.kept.get().filter(|_| all.all(|list| list.is_kept())) else {
            return Found::Nothing(None);
        };
        self.key.clear();
        self.key.extend(full(with).map(|list| list.id()));
        // No list has number 0.
        self.key.push(0);
        self.key.extend(full(without).map(|list| list.id()));
        match self.kept.get(&self.key[..]) {
            Some(list) => Found::List(list.clone()),
            None => Found::Nothing(Some(released)),
        }
    }

    fn keep(&mut self, key: Box<[u64]>, list: &Arc<List>) {
        self.bytes += bytes(&key, list);
        self.kept.put(key, list.clone());
        while self.bytes > self.max_bytes {
            let Some((key, list)) = self.kept.pop_lru() else {
                break;
            };
            self.bytes -= bytes(&key, &list);
        }
    }
}

/// What [`Unions::find`] has found: the result, or nothing, and if it is to be kept, where that is noted.
enum Found<'a> {
    List(Arc<List>),
    Nothing(Option<&'a Arc<Released>>),
}

fn list_in(value: &Result<Value>) -> Result<&Arc<List>> {
    match value {
        Ok(Value::List(list)) => Ok(list),
        Ok(Value::Int(_) | Value::Bool(_) | Value::Lease(_)) => Err(Error::Internal(
            "another value in place of a list".to_owned(),
        )),
        Err(error) => Err(error.clone()),
    }
}

/// Iterates over the lists that have members.
fn full<'a, 'b>(lists: &'b [&'a Arc<List>]) -> impl Iterator<Item = &'a Arc<List>> + use<'a, 'b> {
    lists.iter().copied().filter(|list| !list.is_empty())
}

fn unite(with: &[&Arc<List>], without: &[&Arc<List>]) -> Result<List> {
    // A member that was seen is not written again, no matter in which kind of list.
    let mut seen = HashSet::default();
    seen.reserve(with.iter().chain(without).map(|list| list.len()).sum());
    seen.extend(without.iter().flat_map(|list| list.items()));
    let mut writer = Writer::new(LONGEST_PIECE);
    for item in with.iter().flat_map(|list| list.items()) {
        if seen.insert(item) {
            writer.item(item)?;
        }
    }
    writer.finish()
}

/// Estimates the memory of a result: its text, its key, and its array in JavaScript with strings of 24 bytes each.
fn bytes(key: &[u64], list: &List) -> usize {
    512 + size_of_val(key) + 2 * list.json().len() + 24 * list.len()
}
