//! Which channels a scan has given already. A channel has a key for each of its frontends, in any order, and is given
//! at the first of them. What is remembered here is bounded, of this process, and lost with it: a channel may then come
//! again, but is never missed.
//!
//! An app may ask for a page again, because it did not get the answer, or with one cursor twice. So each cursor has a
//! token, and what was given after it does not count.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// The maximum number of scans that are remembered.
const SCANS: usize = 16;

/// The maximum number of bytes of names that are remembered of all of them.
const BYTES: usize = 16 << 20;

/// What a name takes beside its bytes, about.
const EACH: usize = 64;

/// The maximum number of frontends that a scan learns of the store.
const SIDS: usize = 1000;

/// The scans that are not at their end, least recently used first.
#[derive(Debug, Default)]
pub struct Given {
    scans: Mutex<VecDeque<Scan>>,
    random: RandomState,
}

/// What a scan has given up to a cursor.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Each name, with the number of the page that it was on.
    names: HashMap<Vec<u8>, usize>,
    bytes: usize,
    /// The token of the cursor after each page.
    tokens: Vec<u64>,
    sids: BTreeSet<Vec<u8>>,
    /// How many of them only the store knows.
    met: usize,
}

/// A scan while a page of it is read. Dropped before [`Self::end`], as when the connection is lost, it is remembered as
/// it was before that page.
pub(super) struct Reading<'a> {
    given: &'a Given,
    /// Empty once it was given back.
    scan: Scan,
}

impl Given {
    /// Takes the scan that continues at a token; a new one without one, or if it is not remembered.
    pub(super) fn begin(&self, token: Option<u64>) -> Reading<'_> {
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        let found = token.and_then(|token| {
            let at = |scan: &Scan| scan.tokens.iter().position(|other| *other == token);
            let (index, page) = scans
                .iter()
                .enumerate()
                .find_map(|(index, scan)| Some((index, at(scan)?)))?;
            let mut scan = scans.remove(index)?;
            if page + 1 < scan.tokens.len() {
                scan.cut(page + 1);
            }
            Some(scan)
        });
        Reading {
            given: self,
            scan: found.unwrap_or_default(),
        }
    }

    fn remember(&self, scan: Scan) {
        let mut scans = self.scans.lock().unwrap_or_else(PoisonError::into_inner);
        scans.push_back(scan);
        while scans.len() > SCANS || scans.iter().map(|scan| scan.bytes).sum::<usize>() > BYTES {
            if scans.pop_front().is_none() {
                break;
            }
        }
    }
}

impl Reading<'_> {
    /// Remembers the scan after a page; returns the token of its cursor.
    pub(super) fn end(mut self) -> u64 {
        let mut scan = std::mem::take(&mut self.scan);
        // Unlike those of other processes, with which cursors may be shared.
        let token = self
            .given
            .random
            .hash_one((scan.tokens.len(), RandomState::new().hash_one(0)));
        scan.tokens.push(token);
        self.given.remember(scan);
        token
    }
}

impl Deref for Reading<'_> {
    type Target = Scan;

    fn deref(&self) -> &Scan {
        &self.scan
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut Scan {
        &mut self.scan
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Nothing was given before the first page.
        let mut scan = std::mem::take(&mut self.scan);
        if !scan.tokens.is_empty() {
            scan.cut(scan.tokens.len());
            self.given.remember(scan);
        }
    }
}

impl Scan {
    /// Forgets what was given after the first pages.
    fn cut(&mut self, pages: usize) {
        self.tokens.truncate(pages);
        self.names.retain(|_, page| *page < pages);
        self.bytes = self.names.keys().map(|name| name.len() + EACH).sum();
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.names.contains_key(name)
    }

    /// Notes a channel that is on the page.
    pub(super) fn give(&mut self, name: &[u8]) {
        if !self.has(name) {
            self.bytes += name.len() + EACH;
            self.names.insert(name.to_vec(), self.tokens.len());
        }
    }

    /// Notes the frontends that the app knows.
    pub(super) fn know<'a>(&mut self, sids: impl IntoIterator<Item = &'a [u8]>) {
        self.sids.extend(sids.into_iter().map(<[u8]>::to_vec));
    }

    /// Notes a frontend that the store knows, unless there are too many; returns whether it is noted.
    pub(super) fn meet(&mut self, sid: &[u8]) -> bool {
        if self.sids.contains(sid) {
            return true;
        }
        let has_room = self.met < SIDS;
        if has_room {
            self.met += 1;
            self.sids.insert(sid.to_vec());
        }
        has_room
    }

    pub(super) fn sids(&self) -> &BTreeSet<Vec<u8>> {
        &self.sids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(given: &Given, token: Option<u64>, names: &[&str]) -> (Vec<bool>, u64) {
        let mut scan = given.begin(token);
        let had = names.iter().map(|name| scan.has(name.as_bytes())).collect();
        for name in names {
            scan.give(name.as_bytes());
        }
        (had, scan.end())
    }

    #[test]
    fn a_name_is_new_until_a_page_before_the_cursor_has_it() {
        let given = Given::default();
        let (had, first) = page(&given, None, &["a", "b"]);
        assert_eq!(had, [false, false]);
        let (had, second) = page(&given, Some(first), &["a", "c"]);
        assert_eq!(had, [true, false]);
        // The same page again: what was given after its cursor is new.
        let (had, again) = page(&given, Some(first), &["a", "c"]);
        assert_eq!(had, [true, false]);
        let (had, _) = page(&given, Some(again), &["a", "b", "c", "d"]);
        assert_eq!(had, [true, true, true, false]);
        // A page that followed on what was cut off: all is new.
        assert_eq!(page(&given, Some(second), &["a"]).0, [false]);
        assert_eq!(page(&given, None, &["a"]).0, [false]);
    }

    #[test]
    fn a_page_that_does_not_end_counts_for_nothing() {
        let given = Given::default();
        let (_, first) = page(&given, None, &["a"]);
        let mut scan = given.begin(Some(first));
        scan.give(b"b");
        drop(scan);
        let (had, _) = page(&given, Some(first), &["a", "b"]);
        assert_eq!(had, [true, false]);
    }

    #[test]
    fn scans_that_were_left_are_forgotten() {
        let given = Given::default();
        let (_, first) = page(&given, None, &["a"]);
        for _ in 0..SCANS {
            page(&given, None, &["a"]);
        }
        assert_eq!(page(&given, Some(first), &["a"]).0, [false]);
        let long = "n".repeat(BYTES);
        let (_, large) = page(&given, None, &[&long]);
        assert_eq!(page(&given, Some(large), &[&long]).0, [false]);
        let scans = given.scans.lock().expect("the scans");
        assert!(scans.iter().map(|scan| scan.bytes).sum::<usize>() <= BYTES);
    }
}
