//! Which sets a [`crate::command::Request::Clean`] removes: all under a prefix, or those of some channels, on every
//! frontend, also on those that nothing but their keys tells of.

use std::collections::HashSet;

use crate::keys::Key;

/// Which sets are removed, by their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    stem: Key,
    channels: Option<Channels>,
}

/// Channels, by the parts of their keys before the sid.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Channels {
    bases: HashSet<Key>,
    /// Frontends that the caller knows.
    sids: Vec<Vec<u8>>,
    /// Frontends with a colon in their sids, which their keys alone do not tell.
    with_colon: HashSet<Vec<u8>>,
    /// All frontends that are known when it is sent.
    known: Vec<Vec<u8>>,
}

impl Removal {
    /// Makes the removal of every set whose key begins with `stem`.
    #[must_use]
    pub fn all(stem: Key) -> Self {
        Self {
            stem,
            channels: None,
        }
    }

    /// Makes the removal of channels under the prefix with this stem. `bases` are the parts of their keys before the sid,
    /// `sids` the frontends that are known. What has another colon in it is another channel's, unless
    /// [`Self::with_sids`] says that it is a sid.
    #[must_use]
    pub fn channels(stem: &[u8], bases: Vec<Key>, sids: Vec<Vec<u8>>) -> Self {
        let stem = match bases.as_slice() {
            [base] => base.clone(),
            _ => stem.to_vec(),
        };
        let channels = Channels {
            bases: bases.into_iter().collect(),
            sids,
            with_colon: HashSet::new(),
            known: Vec::new(),
        };
        Self {
            stem,
            channels: Some(channels),
        }
    }

    /// Returns what all the keys begin with.
    #[must_use]
    pub fn stem(&self) -> &[u8] {
        &self.stem
    }

    /// Returns the frontends that the caller knows; `None` if it removes all channels.
    #[must_use]
    pub fn sids(&self) -> Option<&[Vec<u8>]> {
        Some(&self.channels.as_ref()?.sids)
    }

    /// Returns whether it removes channels, not all there are.
    #[must_use]
    pub const fn is_of_channels(&self) -> bool {
        self.channels.is_some()
    }

    /// Adds frontends that are known by now.
    pub fn with_sids<'a>(&mut self, sids: impl IntoIterator<Item = &'a [u8]>) {
        let Some(channels) = &mut self.channels else {
            return;
        };
        channels.known = sids.into_iter().map(<[u8]>::to_vec).collect();
        let with_colon = channels.known.iter().filter(|sid| sid.contains(&b':'));
        channels.with_colon.extend(with_colon.cloned());
    }

    /// Returns the keys of the channels on all known frontends, whether there are such sets or not; none if all
    /// channels are removed.
    #[must_use]
    pub fn named(&self) -> Vec<Key> {
        let Some(Channels { bases, known, .. }) = &self.channels else {
            return Vec::new();
        };
        let of = |base: &Key| {
            let key = |sid: &Vec<u8>| [base.as_slice(), sid].concat();
            known.iter().map(key).collect::<Vec<_>>()
        };
        bases.iter().flat_map(of).collect()
    }

    /// Returns whether a key that begins with the stem is among those that are removed.
    #[must_use]
    pub fn takes(&self, key: &[u8]) -> bool {
        let Some(Channels {
            bases, with_colon, ..
        }) = &self.channels
        else {
            return true;
        };
        let is_sid = |sid: &[u8]| !sid.contains(&b':') || with_colon.contains(sid);
        let colons = key.iter().enumerate().filter(|(_, byte)| **byte == b':');
        let mut halves = colons.map(|(colon, _)| key.split_at(colon + 1));
        halves.any(|(base, sid)| bases.contains(base) && is_sid(sid))
    }

    /// Returns those of these keys that are removed.
    #[must_use]
    pub fn among(&self, mut keys: Vec<Key>) -> Vec<Key> {
        keys.retain(|key| self.takes(key));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyLayout;

    #[test]
    fn a_channel_goes_on_every_sid_without_a_colon_and_on_known_ones_with() {
        for tagged in [false, true] {
            let keys = KeyLayout::new("P").with_hash_tag(tagged);
            let bases = vec![keys.base("a"), keys.base("b:c")];
            let mut removal = Removal::channels(&keys.stem(), bases, Vec::new());
            removal.with_sids([&b"gone"[..], b"h:1"]);
            for (name, sid) in [
                ("a", "s1"),
                ("a", ""),
                ("b:c", "s1"),
                ("a", "h:1"),
                ("b:c", "h:1"),
            ] {
                assert!(removal.takes(&keys.key(name, sid)), "{name} on {sid}");
            }
            for (name, sid) in [
                ("b", "s1"),
                ("a:x", "s1"),
                ("a", "h:2"),
                ("c", "h:1"),
                ("", "a"),
            ] {
                assert!(!removal.takes(&keys.key(name, sid)), "{name} on {sid}");
            }
        }
    }

    #[test]
    fn one_channel_is_looked_for_by_its_own_keys() {
        let one = Removal::channels(b"P:", vec![b"P:a:".to_vec()], Vec::new());
        assert_eq!(one.stem(), b"P:a:");
        let two = vec![b"P:a:".to_vec(), b"P:b:".to_vec()];
        assert_eq!(Removal::channels(b"P:", two, Vec::new()).stem(), b"P:");
        assert!(Removal::all(b"P:".to_vec()).takes(b"P:a:s"));
    }
}
