//! Prefixes in the same database that begin with another one, as `P:test` does with `P`. The key `P:test:room:s1` of the longer
//! prefix reads like that of channel `test:room` under the shorter one. What tells them apart are the sets that a service keeps
//! beside its channels ([`KeyLayout::index`] and those of leases). Processes of 0.0.7 keep none, so a prefix that only they use
//! cannot be told from the name of a channel.
//!
//! [`KeyLayout::index`]: crate::keys::KeyLayout::index

use std::collections::HashSet;

use super::{Opened, within};
use crate::{
    error::Result,
    keys::{Key, pattern},
    pages::KeyFilter,
};

/// What follows the prefix in the keys of these sets: see [`crate::keys`].
const SETS: [&[u8]; 3] = [b"@sids", b"@leases", b"@leases:session"];

/// The number of keys in one step of the search.
const STEP: usize = 1000;

/// The longer prefixes that were found.
#[derive(Debug, Default)]
pub(super) struct InnerPrefixes(HashSet<Key>);

impl InnerPrefixes {
    /// Searches all keys that begin with a stem.
    pub(super) async fn find(opened: &Opened, stem: &[u8]) -> Result<Self> {
        let mut pattern = pattern(stem);
        pattern.extend_from_slice(b"@*");
        let filter = KeyFilter {
            stem: stem.to_vec(),
            pattern,
        };
        let source = opened.connection.pages();
        let (mut found, mut position) = (Self::default(), None);
        loop {
            let answer = source.keys(&filter, position.as_deref(), STEP);
            let answer = within(answer, &opened.name).await?;
            for key in &answer.found {
                found.learn(stem, key);
            }
            position = answer.next;
            if position.is_none() {
                return Ok(found);
            }
        }
    }

    /// Notes the prefix of a key that begins with the stem, if it is that of such a set.
    pub(super) fn learn(&mut self, stem: &[u8], key: &[u8]) {
        let prefix = SETS.iter().find_map(|set| key.strip_suffix(*set));
        if let Some(prefix) = prefix.filter(|prefix| prefix.starts_with(stem)) {
            self.0.insert(prefix.to_vec());
        }
    }

    /// Returns whether a key is under one of them.
    pub(super) fn have(&self, key: &[u8]) -> bool {
        let ends = key.iter().enumerate();
        let mut ends = ends.filter(|(_, byte)| matches!(byte, b':' | b'@'));
        !self.0.is_empty() && ends.any(|(end, _)| self.0.contains(&key[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_under_a_longer_prefix_are_told_by_its_sets() {
        for set in ["P:test@sids", "P:test@leases", "P:test@leases:session"] {
            let mut inner = InnerPrefixes::default();
            assert!(!inner.have(b"P:test:room:s1"));
            for key in [set, "P@sids", "P:room:s1", "Q:other@sids"] {
                inner.learn(b"P:", key.as_bytes());
            }
            for key in ["P:test:room:s1", "P:test@online:{s1}", set] {
                assert!(inner.have(key.as_bytes()), "{key}");
            }
            for key in ["P:room:s1", "P:test2:s1", "P@sids", "Q:other:s1"] {
                assert!(!inner.have(key.as_bytes()), "{key}");
            }
        }
    }
}
