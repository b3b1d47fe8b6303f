//! Remembers the server ids that were given to calls, and those of the app that calls on all servers of a type are
//! about. JavaScript looks at each that was given once: `lib/sids.js` warns of those that are no frontends. The driver
//! hears of each before the first call about it, and of those to which members are added again and again, because the
//! index of the store may be lost ([`crate::known_sids`]).

use std::collections::HashMap;

use crate::packed::Mark;

/// The maximum number of ids that JavaScript looks at.
const MOST: usize = 1000;

/// The maximum length of an id that JavaScript looks at, in bytes.
const LONGEST: usize = 256;

/// The maximum number of ids that are remembered; of further ones the driver hears with each call.
const REMEMBERED: usize = 10_000;

/// How long an id counts as written to the index, in microseconds.
const WRITTEN: u64 = 1_000_000;

/// What is known of an id.
#[derive(Clone, Copy, Default)]
struct Noted {
    /// Whether the driver has heard that it is there.
    told: bool,
    /// Whether it was given to a call, and not only named by the app.
    given: bool,
    /// When the driver was last told to write it to the index.
    written: Option<u64>,
}

/// The server ids that were given to calls.
#[derive(Default)]
pub struct Sids {
    known: HashMap<Vec<u8>, Noted>,
    /// The last one: mostly it is the next one too.
    last: Vec<u8>,
    last_told: Noted,
    /// Those that were not given before, until they are taken.
    new: Vec<Vec<u8>>,
    /// How many were taken, and are to be.
    looked_at: usize,
}

impl Sids {
    /// Notes the id of a call.
    pub fn note(&mut self, sid: &[u8]) {
        // The first one may be empty, as `last` is.
        if self.last == sid && self.last_told.told {
            return;
        }
        self.last.clear();
        self.last.extend_from_slice(sid);
        let known = self.known.get(sid).copied();
        self.last_told = known.unwrap_or_default();
        if self.last_told.given {
            return;
        }
        self.last_told.given = true;
        if sid.len() <= LONGEST && self.looked_at < MOST {
            self.looked_at += 1;
            self.new.push(sid.to_vec());
        }
        self.remember();
    }

    /// Notes an id that the app has named; returns whether the driver has to hear of it.
    pub fn is_news(&mut self, sid: &[u8]) -> bool {
        if self.known.get(sid).is_some_and(|told| told.told) {
            return false;
        }
        let is_last = self.last == sid && self.last_told.given;
        if is_last {
            self.last_told.told = true;
            self.remember();
        } else if let Some(told) = self.known.get_mut(sid) {
            told.told = true;
        } else if self.known.len() < REMEMBERED {
            let told = Noted {
                told: true,
                ..Noted::default()
            };
            self.known.insert(sid.to_vec(), told);
        }
        true
    }

    /// Returns the id that was noted last.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// Returns what the driver has to hear of the id of this call, which `adds` members, at this time.
    pub fn mark(&mut self, adds: bool, now: u64) -> Option<Mark> {
        let Noted { told, written, .. } = self.last_told;
        let adds = adds && written.is_none_or(|at| now.saturating_sub(at) >= WRITTEN);
        if told && !adds {
            return None;
        }
        self.last_told = Noted {
            told: true,
            given: true,
            written: if adds { Some(now) } else { written },
        };
        self.remember();
        Some(Mark {
            len: self.last.len(),
            tail: 0,
            adds,
        })
    }

    fn remember(&mut self) {
        if let Some(told) = self.known.get_mut(&self.last) {
            *told = self.last_told;
        } else if self.known.len() < REMEMBERED {
            self.known.insert(self.last.clone(), self.last_told);
        }
    }

    /// Returns all ids that were given to calls, as texts.
    pub fn given(&self) -> Vec<String> {
        let given = self.known.iter().filter(|(_, told)| told.given);
        let texts = given.map(|(sid, _)| String::from_utf8_lossy(sid));
        texts.map(Into::into).collect()
    }

    /// Returns the ids of the last call that were not given before.
    pub fn take_new(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.new)
    }
}
