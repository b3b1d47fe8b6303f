//! Combines the lists of several keys: the members of at least one of them, without those of other lists. Each member
//! is in the result once, in the order of its first appearance. [`Unions`] keeps results, so that nothing is combined
//! again while no list changes.

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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::list::Released;

    fn list(members: &[String], released: Option<&Arc<Released>>) -> Arc<List> {
        let list = Arc::new(List::new(members).expect("a list"));
        if let Some(released) = released {
            list.keep(released);
        }
        list
    }

    fn members(list: &List) -> Vec<String> {
        serde_json::from_str(list.json()).expect("JSON")
    }

    fn combine(unions: &mut Unions, lists: &[Arc<List>], groups: Groups) -> Vec<Arc<List>> {
        let values = lists.iter().cloned().map(|list| Ok(Value::List(list)));
        let combined = unions.combine(&values.collect::<Vec<_>>(), groups);
        combined
            .iter()
            .map(|value| list_in(value).expect("a list").clone())
            .collect()
    }

    /// The sets of a store: no member twice.
    fn sets(size: usize) -> impl Strategy<Value = Vec<Vec<String>>> {
        let member = prop::sample::select(vec!["a", "b", "c", "\"", "\\", "\n", "ü", ""]);
        let set = prop::collection::hash_set(member.prop_map(str::to_owned), 0..6);
        vec(set.prop_map(|set| set.into_iter().collect()), size..=size)
    }

    proptest! {
        /// In order of the first appearance, and the same with and without kept results.
        #[test]
        fn it_is_what_the_definition_says(
            groups in vec(sets(5), 0..4),
            with in 1_u32..=5,
            is_kept in any::<bool>(),
        ) {
            let released = Arc::new(Released::default());
            let lists: Vec<Arc<List>> = groups
                .iter()
                .flatten()
                .map(|set| list(set, is_kept.then_some(&released)))
                .collect();
            let expected: Vec<Vec<String>> = groups
                .iter()
                .map(|sets| {
                    let without: HashSet<&String> = sets[with as usize..].iter().flatten().collect();
                    let mut seen = HashSet::new();
                    let all = sets[..with as usize].iter().flatten().cloned();
                    all.filter(|member| !without.contains(member) && seen.insert(member.clone()))
                        .collect()
                })
                .collect();
            let mut unions = Unions::default();
            for _ in 0..2 {
                let combined = combine(&mut unions, &lists, Groups { with, without: 5 - with });
                let combined: Vec<Vec<String>> = combined.iter().map(|list| members(list)).collect();
                prop_assert_eq!(&combined, &expected);
            }
        }
    }

    #[test]
    fn an_error_in_a_group_is_the_answer_of_that_group_only() {
        let [a, b] = ["a", "b"].map(|member| Ok(Value::List(list(&[member.to_owned()], None))));
        let error = Error::Store("WRONGTYPE".into());
        let values = vec![a, Err(error), b.clone(), b];
        let groups = Groups {
            with: 1,
            without: 1,
        };
        let combined = Unions::default().combine(&values, groups);
        assert!(combined[0].is_err());
        assert_eq!(combined[1], Ok(Value::List(Arc::new(List::empty()))));
    }

    #[test]
    fn a_result_is_the_same_list_until_a_list_changes() {
        let released = Arc::new(Released::default());
        let [a, b, c] = ["a", "b", "c"].map(|one| list(&[one.to_owned()], Some(&released)));
        let groups = Groups {
            with: 2,
            without: 0,
        };
        let mut unions = Unions::default();
        let first = combine(&mut unions, &[a.clone(), b.clone()], groups);
        let again = combine(&mut unions, &[a.clone(), b], groups);
        assert_eq!(first[0].id(), again[0].id());
        let other = combine(&mut unions, &[a, c], groups);
        assert_eq!(members(&other[0]), ["a", "c"]);
    }

    #[test]
    fn only_what_is_not_there_is_work() {
        let released = Arc::new(Released::default());
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let long = list(&texts(&["a", "b", "c"]), Some(&released));
        let short = list(&texts(&["d"]), Some(&released));
        let uncached = list(&texts(&["e", "f"]), None);
        let none = list(&[], Some(&released));
        let mut unions = Unions::default();
        let mut work = |lists: &[&Arc<List>], combined: bool| {
            let values: Vec<_> = lists
                .iter()
                .map(|&list| Ok(Value::List(list.clone())))
                .collect();
            let groups = Groups::new(1, 1);
            let work = unions.work(&values, groups);
            if combined {
                let _ = unions.combine(&values, groups);
            }
            work
        };
        assert_eq!(work(&[&long, &none], false), 0);
        assert_eq!(work(&[&none, &long], false), 0);
        assert_eq!(work(&[&long, &short, &short, &long], true), 8);
        assert_eq!(work(&[&long, &short, &short, &long], false), 0);
        assert_eq!(work(&[&long, &short, &long, &uncached], true), 5);
        assert_eq!(work(&[&long, &short, &long, &uncached], true), 5);
        let error = Err(Error::Store("WRONGTYPE".into()));
        assert_eq!(
            unions.work(&[Ok(Value::List(long)), error], Groups::new(1, 1)),
            0
        );
    }

    #[test]
    fn kept_results_are_bounded() {
        let released = Arc::new(Released::default());
        let mut unions = Unions {
            max_bytes: 10_000,
            ..Unions::default()
        };
        let a = list(&["a".to_owned()], Some(&released));
        for number in 0..1000 {
            let other = list(&[number.to_string()], Some(&released));
            combine(
                &mut unions,
                &[a.clone(), other],
                Groups {
                    with: 2,
                    without: 0,
                },
            );
            assert!(unions.bytes <= 10_000);
        }
        assert!(unions.kept.len() > 5);
        let counted = unions.kept.iter().map(|(key, list)| bytes(key, list));
        assert_eq!(counted.sum::<usize>(), unions.bytes);
    }
}
