//! Which keys of channels are those of one frontend. A key alone does not tell: `P:a:b:c` is that of channel `a:b` on `c`, and of
//! channel `a` on `b:c`. So the other frontends that the store knows are needed, and the longer prefixes in it.

use super::inner::InnerPrefixes;
use crate::keys::{Key, KeyLayout};

/// Tells the keys of one frontend from all others.
pub(super) struct OwnKeys {
    stem: Key,
    /// What its keys end with, with hash tags and without.
    end: Key,
    /// The same with a hash tag, if the channels have one.
    tagged_end: Option<Key>,
    /// What the keys of other frontends end with that end like its own.
    longer: Vec<Key>,
    inner: InnerPrefixes,
}

impl OwnKeys {
    /// Makes it for the frontend `sid`, in a store that also knows the frontends `known`.
    pub(super) fn new<'a>(
        layout: &KeyLayout,
        sid: &str,
        known: impl Iterator<Item = &'a [u8]>,
        inner: InnerPrefixes,
    ) -> Self {
        let end = format!(":{sid}").into_bytes();
        let longer = known.filter(|other| other.ends_with(&end));
        Self {
            stem: layout.stem(),
            longer: longer.map(|other| [b":", other].concat()).collect(),
            tagged_end: layout.has_hash_tag().then(|| [b"}", &end[..]].concat()),
            end,
            inner,
        }
    }

    /// Returns whether a key is one of them. Channels of both layouts count, whatever option `hashTag` says.
    pub(super) fn have(&self, key: &[u8]) -> bool {
        let Some(rest) = key.strip_prefix(&self.stem[..]) else {
            return false;
        };
        rest.ends_with(&self.end)
            && !self.longer.iter().any(|end| rest.ends_with(end))
            && !self.is_tagged_otherwise(rest)
            && !self.inner.have(key)
    }

    /// Returns whether a hash tag says that the sid is longer.
    fn is_tagged_otherwise(&self, rest: &[u8]) -> bool {
        let is_tagged = rest.starts_with(b"{") && rest.windows(2).any(|part| part == b"}:");
        let end = self.tagged_end.as_ref();
        is_tagged && end.is_some_and(|end| !rest.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(hash_tag: bool, known: &[&str]) -> OwnKeys {
        let layout = KeyLayout::new("P").with_hash_tag(hash_tag);
        let known = known.iter().map(|sid| sid.as_bytes());
        OwnKeys::new(&layout, "s", known, InnerPrefixes::default())
    }

    #[test]
    fn both_layouts_count_whatever_the_option_is() {
        for hash_tag in [false, true] {
            let own = own(hash_tag, &["s", "x:s"]);
            for key in ["P:a:s", "P:{a}:s", "P:{a:b}:s", "P:a:b:s", "P::s"] {
                assert!(own.have(key.as_bytes()), "{key} {hash_tag}");
            }
            for key in ["P:s", "P:a:t", "P:a:xs", "P:a:x:s", "P:{a}:x:s", "Q:a:s"] {
                assert!(!own.have(key.as_bytes()), "{key} {hash_tag}");
            }
        }
    }

    #[test]
    fn a_hash_tag_tells_where_the_sid_begins() {
        assert!(!own(true, &[]).have(b"P:{a}:y:s"));
        // Without the option it is channel `{a}:y` too.
        assert!(own(false, &[]).have(b"P:{a}:y:s"));
    }
}
