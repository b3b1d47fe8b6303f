//! A store of a fork, read as if it had our layout: an [`Inventory`] over another one, by a row of [`super::layout`].
//! Copying and listing do not know of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _,
    future::{BoxFuture, try_join_all},
    stream::{self, BoxStream},
};

use super::layout::{Conversion, Holds, Other};
use crate::{
    command::{Command, Member, Reply},
    error::Result,
    keys::{Key, names_frontend},
    manager::{Connection, Field, Inventory, Keyspace, Lost, Others},
    pages::PageSource,
    removal::Removal,
    steps::Steps,
};

/// A connection to a fork's store, with keys as ours.
pub struct Converted<C> {
    source: Arc<C>,
    conversion: Arc<Conversion>,
    hashes: Arc<Mutex<Hashes>>,
}

/// What is known of hashes that hold the sid of each uid.
#[derive(Default)]
struct Hashes {
    /// Where the members of each key of ours are, and how many, by the last listing of the keys.
    places: HashMap<Key, BTreeMap<Place, u64>>,
    /// The members by sid of the hash that was read last, until they are asked for.
    latest: HashMap<Place, Vec<Member>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    hash: Key,
    sid: Vec<u8>,
}

impl<C: Keyspace> Converted<C> {
    /// Wraps a connection.
    #[must_use]
    pub fn new(source: C, conversion: Conversion) -> Self {
        Self {
            source: Arc::new(source),
            conversion: Arc::new(conversion),
            hashes: Arc::default(),
        }
    }

    /// Returns the fork's key for one of ours, where each of its keys is one of ours; `None` for a key that is none.
    fn source_key(&self, key: &[u8]) -> Option<Key> {
        let rest = key.strip_prefix(&self.conversion.stem()[..])?;
        let mut source = self.conversion.source_stem();
        source.extend_from_slice(rest);
        names_frontend(rest).then_some(source)
    }

    fn keys_of_sets(&self) -> BoxStream<'static, Result<Vec<Key>>> {
        let (begin, stem) = (self.conversion.source_stem(), self.conversion.stem());
        let ours = move |key: Key| {
            let rest = key.strip_prefix(&begin[..])?;
            names_frontend(rest).then(|| [&stem[..], rest].concat())
        };
        let keys = self.source.keys(&self.conversion.source_stem());
        keys.map_ok(move |keys| keys.into_iter().filter_map(&ours).collect())
            .boxed()
    }

    /// Reads each hash as a whole, because the sids are among its values.
    fn keys_of_hashes(&self) -> BoxStream<'static, Result<Vec<Key>>> {
        let (source, hashes) = (self.source.clone(), self.hashes.clone());
        let conversion = self.conversion.clone();
        lock(&hashes).places.clear();
        let names = self.source.found(&conversion.source_stem());
        let names = names.map_ok(|names| stream::iter(names).map(Result::Ok));
        let keys = names.try_flatten().and_then(move |hash| {
            let begin = conversion.source_stem().len();
            let (conversion, hashes) = (conversion.clone(), hashes.clone());
            let pairs = source.fields(&hash).try_concat();
            async move {
                let mut by_sid: HashMap<Vec<u8>, HashSet<Member>> = HashMap::new();
                for (uid, sid) in pairs.await? {
                    by_sid.entry(sid).or_default().insert(uid);
                }
                let mut known = lock(&hashes);
                known.latest.clear();
                let mut keys = Vec::new();
                for (sid, uids) in by_sid {
                    let key = conversion.key(&hash[begin..], &sid);
                    let hash = hash.clone();
                    let place = Place { hash, sid };
                    let counts = known.places.entry(key.clone()).or_default();
                    counts.insert(place.clone(), uids.len() as u64);
                    known.latest.insert(place, uids.into_iter().collect());
                    keys.push(key);
                }
                Ok(keys)
            }
        });
        keys.boxed()
    }

    fn members_of_hashes(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let mut parts = Vec::new();
        let mut known = lock(&self.hashes);
        for place in self.places(key) {
            if let Some(members) = known.latest.remove(&place) {
                parts.push(stream::iter([Ok(members)]).boxed());
                continue;
            }
            let Place { hash, sid } = place;
            let fields = self.source.fields(&hash);
            let of_sid = move |pairs: Vec<Field>| {
                let pairs = pairs.into_iter().filter(|(_, of)| *of == sid);
                pairs.map(|(uid, _)| uid).collect()
            };
            parts.push(fields.map_ok(of_sid).boxed());
        }
        stream::iter(parts).flatten().boxed()
    }

    /// Returns where members of a key of ours may be: colons in names and sids may bring several places to one key.
    fn places(&self, key: &[u8]) -> Vec<Place> {
        let (begin, stem) = (self.conversion.source_stem(), self.conversion.stem());
        // None in a key that is not one of ours.
        let rest = key.strip_prefix(&stem[..]).unwrap_or_default();
        let colons = rest.iter().enumerate().filter(|(_, byte)| **byte == b':');
        let place = |(at, _)| Place {
            hash: [&begin[..], &rest[..at]].concat(),
            sid: rest[at + 1..].to_vec(),
        };
        colons.map(place).collect()
    }

    fn counts_of_hashes(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let known = lock(&self.hashes);
        let counts = keys.iter().map(|key| {
            let places = known.places.get(key).map(BTreeMap::values);
            match places
                .map(|counts| counts.copied().collect::<Vec<_>>())
                .as_deref()
            {
                None | Some([]) => Ok(0),
                Some([count]) => Ok(*count),
                // One user may be at several of them.
                Some(_) => Err(key.clone()),
            }
        });
        let counts: Vec<_> = counts.collect();
        drop(known);
        let counts = counts.into_iter().map(|count| match count {
            Ok(count) => std::future::ready(Ok(count)).boxed(),
            Err(key) => {
                let members = self.members_of_hashes(&key).try_concat();
                members
                    .map_ok(|members| members.into_iter().collect::<HashSet<_>>().len() as u64)
                    .boxed()
            }
        });
        try_join_all(counts).boxed()
    }
}

impl<C: Keyspace> Inventory for Converted<C> {
    /// Those of the layout; `stem` is that of the conversion.
    fn keys(&self, _stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        match self.conversion.layout.holds {
            Holds::Uids => self.keys_of_sets(),
            Holds::Sids => self.keys_of_hashes(),
        }
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        match self.conversion.layout.holds {
            Holds::Uids => match self.source_key(key) {
                Some(key) => self.source.members(&key),
                None => stream::empty().boxed(),
            },
            Holds::Sids => self.members_of_hashes(key),
        }
    }

    /// Of hashes: what the last listing of the keys has found.
    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        match self.conversion.layout.holds {
            Holds::Uids => {
                // One that is none of them is not there.
                let source = |key: &Key| self.source_key(key).unwrap_or_default();
                self.source
                    .counts(&keys.iter().map(source).collect::<Vec<_>>())
            }
            Holds::Sids => self.counts_of_hashes(keys),
        }
    }

    fn others(&self) -> Vec<Others> {
        let of = |(other, stem): (&'static Other, Key)| {
            let len = stem.len();
            let of_kind = move |name: &Key| other.has(&name[len..]);
            let names = self.source.found(&stem);
            let names = names.map_ok(move |names| names.into_iter().filter(of_kind).collect());
            Others {
                what: other.what,
                stem,
                keys: names.boxed(),
            }
        };
        self.conversion.others().map(of).collect()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        // A stream that was not read to its end may still hold it; then it ends with that.
        match Arc::try_unwrap(self.source) {
            Ok(source) => Box::new(source).end(),
            Err(_) => std::future::ready(()).boxed(),
        }
    }
}

impl<C: Keyspace> Connection for Converted<C> {
    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.source.execute(batch)
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.source.clean(removal, steps)
    }

    fn pages(&self) -> Arc<dyn PageSource> {
        self.source.pages()
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        self.source.found(stem)
    }

    fn take_note(&self) -> Option<String> {
        self.source.take_note()
    }
}

fn lock(hashes: &Mutex<Hashes>) -> MutexGuard<'_, Hashes> {
    hashes.lock().unwrap_or_else(PoisonError::into_inner)
}
