//! The keys of channels: taking them apart, making them, and the pattern that finds them.

use super::{KeyFilter, glob};
use crate::keys::{Key, KeyLayout, pattern};

/// The maximum number of stars in a pattern for a server: before 6.0.18, 6.2.11 and 7.0.9 Redis takes exponential time.
const STARS: usize = 2;

/// Takes apart keys of channels.
pub struct KeyParts {
    layout: Layout,
    /// The known frontends whose ids have a colon, the longest first.
    with_colon: Vec<Vec<u8>>,
}

impl KeyParts {
    /// Makes it for a layout and the frontends that are known; of these the longest that fits is the one that a key names.
    pub fn new<S: AsRef<[u8]>>(keys: &KeyLayout, known: impl IntoIterator<Item = S>) -> Self {
        let known = known.into_iter();
        let mut with_colon: Vec<_> = known.map(|sid| sid.as_ref().to_vec()).collect();
        with_colon.retain(|sid| sid.contains(&b':'));
        with_colon.sort_by_key(|sid| std::cmp::Reverse(sid.len()));
        Self {
            layout: Layout::new(keys),
            with_colon,
        }
    }

    /// Returns the name of the channel and the frontend; `None` if the key does not name both.
    #[must_use]
    pub fn of<'a>(&self, key: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let mut with_colon = self.with_colon.iter();
        with_colon
            .find_map(|sid| self.layout.parts_on(key, sid))
            .or_else(|| self.layout.parts(key))
    }
}

/// Takes apart keys, and makes them.
pub(super) struct Layout {
    begin: Key,
    separator: Key,
}

impl Layout {
    pub(super) fn new(keys: &KeyLayout) -> Self {
        let mut layout = Self {
            begin: Key::new(),
            separator: Key::new(),
        };
        keys.begin(&mut layout.begin);
        keys.separate(&mut layout.separator);
        layout
    }

    /// Returns the name of the channel and the frontend.
    pub(super) fn parts<'a>(&self, key: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let rest = key.strip_prefix(self.begin.as_slice())?;
        let at = rest
            .windows(self.separator.len())
            .rposition(|part| part == self.separator)?;
        let (name, sid) = rest.split_at(at);
        Some((name, sid.get(self.separator.len()..)?))
    }

    /// Returns the name of the channel and the frontend, if that can be `sid`.
    fn parts_on<'a>(&self, key: &'a [u8], sid: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
        let base = key.strip_suffix(sid)?.strip_suffix(&self.separator[..])?;
        let name = base.strip_prefix(&self.begin[..])?;
        Some((name, &key[key.len() - sid.len()..]))
    }

    /// Returns the frontend in a key of the channel `name`, whose name or sid may have colons.
    pub(super) fn sid_in<'a>(&self, key: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        key.get(self.begin.len() + name.len() + self.separator.len()..)
    }

    pub(super) fn key(&self, name: &[u8], sid: &[u8]) -> Key {
        [&self.begin, name, &self.separator, sid].concat()
    }

    pub(super) fn filter(&self, stem: Key, glob: &[u8]) -> KeyFilter {
        let mut begin = pattern(&self.begin);
        begin.pop();
        let stars = glob::stars(glob);
        // What is found is compared with the glob here, so the pattern may take in more.
        let tail: &[&[u8]] = if stars.last().is_some_and(|last| last + 1 == glob.len()) {
            &[glob]
        } else {
            &[glob, &self.separator, b"*"]
        };
        let count = stars.len() + usize::from(tail.len() > 1);
        let pattern = if !glob::is_closed(glob) || !glob::is_portable(glob) {
            // What is appended would be taken in by a class, or the server may find less than is meant.
            [&begin, &b"*"[..]].concat()
        } else if count > STARS {
            let head = stars.first().and_then(|first| glob.get(..=*first));
            [&begin, head.unwrap_or(b"*")].concat()
        } else {
            [&begin, tail.concat().as_slice()].concat()
        };
        KeyFilter { stem, pattern }
    }
}
