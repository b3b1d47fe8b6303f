//! Remembers the server ids that were given to calls, so that JavaScript looks at each only once: `lib/sids.js` warns of
//! those that are no frontends.

use std::collections::HashSet;

/// The maximum number of ids that are remembered; further ones are not looked at.
const MOST: usize = 1000;

/// The maximum length of an id that is looked at, in bytes.
const LONGEST: usize = 256;

/// The server ids that were given to calls.
#[derive(Default)]
pub struct Sids {
    known: HashSet<Vec<u8>>,
    /// The last one: mostly it is the next one too.
    last: Vec<u8>,
    /// Those that were not given before, until they are taken.
    new: Vec<Vec<u8>>,
}

impl Sids {
    /// Notes the id of a call.
    pub fn note(&mut self, sid: &[u8]) {
        if self.last == sid {
            return;
        }
        if sid.len() > LONGEST || self.known.len() >= MOST {
            return;
        }
        self.last.clear();
        self.last.extend_from_slice(sid);
        if !self.known.contains(sid) {
            self.known.insert(sid.to_vec());
            self.new.push(sid.to_vec());
        }
    }

    /// Returns all ids, as texts.
    pub fn given(&self) -> Vec<String> {
        let texts = self.known.iter().map(|sid| String::from_utf8_lossy(sid));
        texts.map(Into::into).collect()
    }

    /// Returns the ids of the last call that were not given before.
    pub fn take_new(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.new)
    }
}
