//! The frontends that a service knows: those of its app, those of its own calls, those in the index of the store
//! ([`crate::keys::KeyLayout::index`]), and those that a scan of the keys has found. They are numbered in the order in
//! which they became known, and none is forgotten: what was asked of the first n of them is complete once the others
//! are asked too.
//!
//! A process writes a sid into the index before it adds members there, so a process that reads the index after that add was
//! answered finds it. 0.0.7 writes no index; its frontends are found by a scan.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{
    command::{Command, Op, ReadOp, Reply, Value, WriteOp},
    error::{Error, Result},
    keys::{DEFAULT_PREFIX, Key, KeyLayout, index_of, may_be_on, on_frontend, sid_under},
    size_limits::Sizes,
};

/// How many frontends may become known by keys alone. Keys of another kind under the same prefix, such as one for each
/// user, may look like those of channels; each of them would cost a command in every call on all frontends.
pub const MOST_BY_KEYS: usize = 1000;

/// Returns the line for the log of keys that would make more frontends known.
#[must_use]
pub fn too_many(stem: &[u8]) -> String {
    format!(
        "more than {MOST_BY_KEYS} frontends are known only by keys under {}, so the others of that kind are left out; \
         are there keys that are not those of channels?",
        String::from_utf8_lossy(stem)
    )
}

/// The frontends that a service knows.
#[derive(Debug)]
pub struct KnownSids {
    stem: Key,
    index: Key,
    sizes: Sizes,
    all: Vec<Arc<[u8]>>,
    places: HashMap<Arc<[u8]>, usize>,
    /// The places of those to which this service has added members.
    own: Vec<usize>,
    /// How many became known by keys alone, and whether there were too many.
    by_keys: usize,
    are_too_many: bool,
    /// The list that the index answered last, by its number.
    last: Option<u64>,
    /// Whether the last read of the index failed.
    is_unreadable: bool,
    /// Whether a fault of the index was reported.
    is_reported: bool,
}

impl Default for KnownSids {
    fn default() -> Self {
        Self::new(&KeyLayout::new(DEFAULT_PREFIX), Sizes::REDIS)
    }
}

impl KnownSids {
    /// Makes an empty list for the prefix of these keys, in a store that takes these sizes.
    #[must_use]
    pub fn new(keys: &KeyLayout, sizes: Sizes) -> Self {
        let stem = keys.stem();
        Self {
            index: index_of(&stem),
            stem,
            sizes,
            all: Vec::new(),
            places: HashMap::new(),
            own: Vec::new(),
            by_keys: 0,
            are_too_many: false,
            last: None,
            is_unreadable: false,
            is_reported: false,
        }
    }

    /// Returns what the keys of all channels begin with.
    #[must_use]
    pub fn stem(&self) -> &Key {
        &self.stem
    }

    /// Returns how many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Iterates over them in the order in which they became known.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// Notes a sid; returns its number.
    pub fn learn(&mut self, sid: &[u8]) -> usize {
        if let Some(&place) = self.places.get(sid) {
            return place;
        }
        let sid: Arc<[u8]> = sid.into();
        let place = self.all.len();
        self.all.push(sid.clone());
        self.places.insert(sid, place);
        place
    }

    /// Notes the sids in keys of channels, up to [`MOST_BY_KEYS`]. Returns a line for the log, once, if there are more.
    pub fn learn_keys(&mut self, keys: &[Key]) -> Option<String> {
        let mut left_out = false;
        for key in keys {
            let Some(sid) = sid_under(&self.stem, key) else {
                continue;
            };
            if self.places.contains_key(sid) {
                continue;
            }
            if self.by_keys >= MOST_BY_KEYS {
                left_out = true;
                continue;
            }
            self.by_keys += 1;
            self.learn(sid);
        }
        let is_first = left_out && !self.are_too_many;
        self.are_too_many |= left_out;
        is_first.then(|| too_many(&self.stem))
    }

    /// Returns keys, given by the parts before the sid ([`on_frontend`]), on the frontends with these numbers; without
    /// those that are too long for the store, which has no members there, and without indexes that there cannot be.
    #[must_use]
    pub fn keys(&self, bases: &[Key], numbers: Range<usize>) -> Vec<Key> {
        let sids = self.all.get(numbers).unwrap_or_default();
        let keys = bases.iter().flat_map(|base| {
            let sids = sids.iter().filter(|sid| may_be_on(base, sid));
            sids.map(|sid| on_frontend(base, sid))
        });
        keys.filter(|key: &Key| key.len() <= self.sizes.key)
            .collect()
    }

    /// Returns pairs of keys ([`crate::command::Items::Pairs`]), given by pairs of such parts, on the same frontends.
    #[must_use]
    pub fn pairs(&self, bases: &[Key], numbers: Range<usize>) -> Vec<Key> {
        let sids = self.all.get(numbers).unwrap_or_default();
        let pairs = bases.chunks_exact(2).flat_map(|pair| {
            let keys = |sid: &Arc<[u8]>| [on_frontend(&pair[0], sid), on_frontend(&pair[1], sid)];
            sids.iter().map(keys)
        });
        pairs
            .filter(|pair| pair.iter().all(|key| key.len() <= self.sizes.key))
            .flatten()
            .collect()
    }

    /// Returns the write that precedes the adding of members there; `None` for a sid that the store does not take as a
    /// member.
    pub fn write(&mut self, sid: &[u8]) -> Option<Command> {
        let place = self.learn(sid);
        if sid.len() > self.sizes.member {
            return None;
        }
        if !self.own.contains(&place) {
            self.own.push(place);
        }
        let index = self.index.clone();
        Some(Command::write_members(WriteOp::Add, index, [sid]))
    }

    /// Returns the write of all sids to which this service has added members, for a store that may have lost the index;
    /// `None` if there are none.
    #[must_use]
    pub fn write_again(&self) -> Option<Command> {
        let sids: Vec<_> = self
            .own
            .iter()
            .filter_map(|&place| self.all.get(place))
            .collect();
        let key = self.index.clone();
        (!sids.is_empty()).then(|| Command::write_members(WriteOp::Add, key, sids))
    }

    /// Returns the read of the index.
    #[must_use]
    pub fn read(&self) -> Command {
        Command::read(ReadOp::Members, vec![self.index.clone()])
    }

    /// Returns whether the index could not be read, so that only the keys themselves tell which frontends there are.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// Takes the answer to [`Self::read`] or to a write. Returns a line for the log, once, if the store refuses it.
    pub fn answered(&mut self, op: Op, reply: Result<Reply>) -> Option<String> {
        let value = match reply {
            Ok(Reply::Values(mut values)) => values.pop(),
            Ok(_) => return None,
            Err(error) => Some(Err(error)),
        };
        let error = match value {
            Some(Ok(Value::List(list))) => {
                self.is_unreadable = false;
                if self.last != Some(list.id()) {
                    self.last = Some(list.id());
                    for sid in list.texts() {
                        self.learn(sid.as_bytes());
                    }
                }
                return None;
            }
            Some(Err(error)) => error,
            _ => return None,
        };
        self.is_unreadable |= !op.is_write();
        let Error::Store(words) = error else {
            return None;
        };
        if std::mem::replace(&mut self.is_reported, true) {
            return None;
        }
        let index = String::from_utf8_lossy(&self.index);
        let (done, then) = if op.is_write() {
            (
                "written",
                "other processes may not find members on frontends that are gone",
            )
        } else {
            (
                "read",
                "what concerns all frontends scans the keys each time",
            )
        };
        Some(format!(
            "the index of frontends {index} cannot be {done}, so {then}: {words}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::Texts, list::List};

    fn values(sids: &[&str]) -> Reply {
        let list = List::new(sids).map(Arc::new).map(Value::List);
        Reply::Values(vec![list])
    }

    #[test]
    fn each_keeps_the_number_with_which_it_became_known() {
        let mut sids = KnownSids::new(&KeyLayout::new("P"), Sizes::REDIS);
        assert_eq!(
            (sids.learn(b"a"), sids.learn(b"b"), sids.learn(b"a")),
            (0, 1, 0)
        );
        let keys = [b"P:x:y:c".to_vec(), b"P:x:b".to_vec(), b"P:uid".to_vec()];
        assert_eq!(sids.learn_keys(&keys), None);
        assert_eq!(
            sids.answered(sids.read().op(), Ok(values(&["b", "d:\u{fc}"]))),
            None
        );
        let all: Vec<_> = sids.iter().map(String::from_utf8_lossy).collect();
        assert_eq!(all, ["a", "b", "c", "d:\u{fc}"]);
        let keys = sids.keys(&[b"P:n:".to_vec(), b"P:m:".to_vec()], 2..4);
        let keys: Vec<_> = keys
            .iter()
            .map(|key| String::from_utf8_lossy(key))
            .collect();
        assert_eq!(keys, ["P:n:c", "P:n:d:\u{fc}", "P:m:c", "P:m:d:\u{fc}"]);
    }

    #[test]
    fn keys_alone_make_so_many_known_and_no_more() {
        let mut sids = KnownSids::new(&KeyLayout::new("P"), Sizes::REDIS);
        sids.learn(b"app");
        let keys: Vec<_> = (0..MOST_BY_KEYS + 5)
            .map(|uid| format!("P:user:{uid}").into_bytes())
            .collect();
        let line = sids.learn_keys(&keys).expect("a line");
        assert!(line.contains("more than 1000 frontends"), "{line}");
        assert_eq!(sids.len(), 1 + MOST_BY_KEYS);
        assert_eq!(sids.learn_keys(&keys), None);
        // What calls and the index tell of is not limited.
        sids.learn(b"late");
        assert_eq!(
            sids.answered(sids.read().op(), Ok(values(&["later"]))),
            None
        );
        assert_eq!(sids.len(), 3 + MOST_BY_KEYS);
    }

    #[test]
    fn only_those_of_own_adds_are_written_again() {
        let mut sids = KnownSids::new(&KeyLayout::new("P"), Sizes::REDIS);
        sids.learn(b"other");
        assert_eq!(sids.write_again(), None);
        for sid in [b"a", b"b", b"a"] {
            let write = sids.write(sid).expect("short");
            assert_eq!(
                (write.keys(), write.members()),
                (&[b"P@sids".to_vec()][..], &Texts::from_iter([sid]))
            );
        }
        let again = sids.write_again().expect("two");
        assert_eq!(again.members(), &Texts::from_iter(["a", "b"]));
    }

    #[test]
    fn a_refusal_is_reported_once_and_what_cannot_be_read_is_remembered() {
        let mut sids = KnownSids::new(&KeyLayout::new("P"), Sizes::REDIS);
        let (write, read) = (sids.write(b"a").expect("short").op(), sids.read().op());
        let refused = || Err(Error::Store("NOPERM no".into()));
        let lost = || Err(Error::Disconnected { cause: None });
        assert_eq!(sids.answered(write, lost()), None);
        let line = sids.answered(write, refused()).expect("a line");
        assert!(
            line.contains("P@sids cannot be written") && line.ends_with("NOPERM no"),
            "{line}"
        );
        assert!(!sids.is_unreadable());
        let no = Ok(Reply::Values(vec![Err(Error::Store("NOPERM no".into()))]));
        assert_eq!(sids.answered(read, no), None);
        assert!(sids.is_unreadable());
        sids.answered(read, Ok(values(&[])));
        assert!(!sids.is_unreadable());
    }
}
