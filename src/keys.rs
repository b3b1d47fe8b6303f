//! The one place that builds keys. The layout, `PREFIX:name:sid`, is that of 0.0.7 and frozen:
//! old and new processes share one Redis. It is ambiguous where names hold colons (channel `a` on
//! frontend `b:c` is channel `a:b` on frontend `c`), as it was in 0.0.7.
//!
//! Option `hashTag` makes it `PREFIX:{name}:sid`, which no process without that option finds: what a Redis
//! Cluster reads in braces decides alone where a key lives.

/// The bytes of one key: the set of the members of one channel on one frontend.
pub type Key = Vec<u8>;

/// What 0.0.7 uses when no prefix, or an empty one, is given.
pub const DEFAULT_PREFIX: &str = "POMELO:CHANNEL";

/// Builds keys under one prefix.
#[derive(Debug, Clone)]
pub struct KeyLayout {
    prefix: String,
    hash_tag: bool,
}

impl KeyLayout {
    /// A layout under `prefix`; empty means [`DEFAULT_PREFIX`].
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let prefix = if prefix.is_empty() {
            DEFAULT_PREFIX
        } else {
            prefix
        };
        Self {
            prefix: prefix.to_owned(),
            hash_tag: false,
        }
    }

    /// The same with the names of the channels as hash tags, or without.
    #[must_use]
    pub fn with_hash_tag(mut self, hash_tag: bool) -> Self {
        self.hash_tag = hash_tag;
        self
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of channel `name` on frontend `sid`.
    #[must_use]
    pub fn key(&self, name: &str, sid: &str) -> Key {
        let mut key = Vec::with_capacity(self.prefix.len() + name.len() + sid.len() + 4);
        self.begin(&mut key);
        key.extend_from_slice(name.as_bytes());
        self.separate(&mut key);
        key.extend_from_slice(sid.as_bytes());
        key
    }

    /// Appends what comes before the name of the channel.
    pub fn begin(&self, key: &mut Key) {
        self.lead(key);
        if self.hash_tag {
            key.push(b'{');
        }
    }

    /// Appends what comes between the name of the channel and the frontend.
    pub fn separate(&self, key: &mut Key) {
        if self.hash_tag {
            key.push(b'}');
        }
        key.push(b':');
    }

    /// What every key under the prefix begins with, with hash tags or without, and none of a longer prefix.
    #[must_use]
    pub fn stem(&self) -> Key {
        let mut stem = Key::new();
        self.lead(&mut stem);
        stem
    }

    fn lead(&self, key: &mut Key) {
        key.extend_from_slice(self.prefix.as_bytes());
        key.push(b':');
    }
}

/// A `SCAN` pattern that matches what begins with a stem, and nothing else.
#[must_use]
pub fn pattern(stem: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(stem.len() + 1);
    for &byte in stem {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'^' | b'-' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_layout_is_that_of_0_0_7() {
        let keys = KeyLayout::new("");
        assert_eq!(
            keys.key("room", "connector-1"),
            b"POMELO:CHANNEL:room:connector-1"
        );
        assert_eq!(KeyLayout::new("MY").key("", ""), b"MY::");
    }

    proptest! {
        /// Whatever is in a name or an id: the key is under its prefix, and says both.
        #[test]
        fn a_key_stays_under_its_prefix(prefix: String, name: String, sid: String) {
            let keys = KeyLayout::new(&prefix);
            let key = keys.key(&name, &sid);
            let stem = keys.stem();
            prop_assert!(key.starts_with(&stem));
            prop_assert_eq!(key[stem.len()..].to_vec(), format!("{name}:{sid}").into_bytes());
        }

        /// Without colons in them, names and ids can be told apart by their key.
        #[test]
        fn no_two_places_have_one_key(places in vec(("[^:]{0,5}", "[^:]{0,5}"), 2)) {
            let keys = KeyLayout::new("");
            let of = |(name, sid): &(String, String)| keys.key(name, sid);
            prop_assert_eq!(of(&places[0]) == of(&places[1]), places[0] == places[1]);
        }

        /// A pattern is its stem, to the letter, and a star.
        #[test]
        fn a_pattern_matches_its_stem_only(stem in vec(any::<u8>(), 0..20)) {
            let pattern = pattern(&stem);
            let mut plain = Vec::new();
            let mut bytes = pattern[..pattern.len() - 1].iter();
            while let Some(&byte) = bytes.next() {
                let escaped = byte == b'\\';
                plain.push(if escaped { *bytes.next().expect("escaped") } else { byte });
                prop_assert!(escaped || !b"*?[".contains(&byte));
            }
            prop_assert_eq!(plain, stem);
            prop_assert!(pattern.ends_with(b"*"));
        }
    }

    #[test]
    fn a_hash_tag_is_the_name_of_the_channel_and_the_stem_stays() {
        let keys = KeyLayout::new("P").with_hash_tag(true);
        assert_eq!(keys.key("room", "s:1"), b"P:{room}:s:1");
        assert_eq!(keys.stem(), b"P:");
    }

    #[test]
    fn glob_characters_of_the_prefix_stand_for_themselves() {
        assert_eq!(pattern(&KeyLayout::new("P[1]*").stem()), br"P\[1\]\*:*");
    }
}
