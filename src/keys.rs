//! Builds keys, and is the only place that does. The layout, `PREFIX:name:sid`, is that of 0.0.7 and frozen, because
//! old and new processes share one Redis. It is ambiguous if names contain colons (channel `a` on frontend `b:c` is
//! channel `a:b` on frontend `c`), as in 0.0.7.
//!
//! Option `hashTag` makes it `PREFIX:{name}:sid`, which processes without that option do not find. In a Redis Cluster
//! only the hash tag decides on which node a key is. It reaches from the first `{` to the first `}` after it, and an
//! empty one does not count; names and prefixes that would make it empty are refused.
//!
//! The keys of the session registry begin with `PREFIX@`, and so are never keys of channels. The lease of a frontend,
//! the set of its online users and the index of its members have its server id as hash tag, because one step changes
//! several of them ([`crate::lease`], [`crate::membership`]).
//!
//! One more key, `PREFIX@sids`, is the index of the frontends on which there are or were members ([`KeyLayout::index`]).
//! No key of a channel under the prefix is like it, because those begin with `PREFIX:`.
//!
//! A key alone does not tell where the name ends. What reads keys takes what follows the last colon for the sid
//! ([`sid_of`]): right for every sid without a colon. Sids with colons are known only where they were given to a call, or
//! are in the index.

use crate::error::{Error, Result};

/// The bytes of one key: the set of the members of one channel on one frontend.
pub type Key = Vec<u8>;

/// The prefix if none, or an empty one, is given, as in 0.0.7.
pub const DEFAULT_PREFIX: &str = "POMELO:CHANNEL";

/// Builds keys under one prefix.
#[derive(Debug, Clone)]
pub struct KeyLayout {
    prefix: String,
    hash_tag: bool,
    /// Whether the name alone is the hash tag. A `{` in the prefix comes before it, and then the tag is not empty,
    /// whatever the name.
    name_is_tag: bool,
}

impl KeyLayout {
    /// Makes a layout under `prefix`; empty means [`DEFAULT_PREFIX`].
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
            name_is_tag: false,
        }
    }

    /// Returns the same layout with the names of the channels as hash tags, or without.
    #[must_use]
    pub fn with_hash_tag(mut self, hash_tag: bool) -> Self {
        self.hash_tag = hash_tag;
        self.name_is_tag = hash_tag && !self.prefix.contains('{');
        self
    }

    /// Returns whether all keys of that channel are in one slot, if they have to be.
    #[must_use]
    pub fn takes(&self, name: &[u8]) -> bool {
        !self.name_is_tag || !matches!(name, [] | [b'}', ..])
    }

    /// Refuses a name for which [`Self::takes`] is false.
    pub fn check_name(&self, name: &str) -> Result<()> {
        if self.takes(name.as_bytes()) {
            return Ok(());
        }
        let fault = if name.is_empty() {
            "is empty"
        } else {
            "begins with }"
        };
        Err(Error::InvalidArgument(format!(
            "argument name {fault}, which is no hash tag for Redis; with option hashTag it must be one"
        )))
    }

    /// Refuses a prefix in which Redis finds an empty hash tag.
    pub fn check_prefix(&self) -> Result<()> {
        let tag = self.prefix.split_once('{').map(|(_, tag)| tag);
        if !self.hash_tag || !tag.is_some_and(|tag| tag.starts_with('}')) {
            return Ok(());
        }
        Err(Error::InvalidOption(
            "option prefix has {} in it; accepted with option hashTag is one in which Redis finds no empty hash tag"
                .to_owned(),
        ))
    }

    /// Returns whether the names of the channels are hash tags.
    #[must_use]
    pub const fn has_hash_tag(&self) -> bool {
        self.hash_tag
    }

    /// Returns the prefix.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the key of channel `name` on frontend `sid`.
    #[must_use]
    pub fn key(&self, name: &str, sid: &str) -> Key {
        let mut key = Vec::with_capacity(self.prefix.len() + name.len() + sid.len() + 4);
        self.append(&mut key, name, sid);
        key
    }

    /// Returns the length of the key of channel `name` on frontend `sid`.
    #[must_use]
    pub fn len_of(&self, name: &str, sid: &str) -> usize {
        let separators = if self.hash_tag { 4 } else { 2 };
        self.prefix.len() + name.len() + sid.len() + separators
    }

    /// Returns the part of the keys of channel `name` before the sid.
    #[must_use]
    pub fn base(&self, name: &str) -> Key {
        self.key(name, "")
    }

    /// Returns the key of the set of all sids to which members were added.
    #[must_use]
    pub fn index(&self) -> Key {
        index_of(&self.stem())
    }

    /// Appends the key of channel `name` on frontend `sid`.
    pub fn append(&self, key: &mut Key, name: &str, sid: &str) {
        self.begin(key);
        key.extend_from_slice(name.as_bytes());
        self.separate(key);
        key.extend_from_slice(sid.as_bytes());
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

    /// Returns what the key of every channel under the prefix begins with, with hash tags or without. So do the keys of a longer
    /// prefix that goes on with a colon, such as `P:test` after `P`: these read as keys of channels, `test:NAME`.
    #[must_use]
    pub fn stem(&self) -> Key {
        let mut stem = Key::new();
        self.lead(&mut stem);
        stem
    }

    /// Returns the key of the set of users who are online on a frontend.
    #[must_use]
    pub fn online(&self, sid: &str) -> Key {
        self.of_frontend("online", sid)
    }

    /// Returns the key of the lease of a frontend.
    #[must_use]
    pub fn lease(&self, sid: &str) -> Key {
        self.of_frontend("lease", sid)
    }

    /// Returns the key of the set of the frontends that have, or had, a lease.
    #[must_use]
    pub fn leases(&self) -> Key {
        format!("{}@leases", self.prefix).into_bytes()
    }

    /// Returns the key of the set of those of them whose members end with their sessions.
    #[must_use]
    pub fn session_leases(&self) -> Key {
        format!("{}@leases:session", self.prefix).into_bytes()
    }

    /// Returns the key of the index of the members on a frontend ([`crate::membership`]).
    #[must_use]
    pub fn members(&self, sid: &str) -> Key {
        self.of_frontend("members", sid)
    }

    /// Appends [`Self::members`].
    pub fn append_members(&self, sid: &[u8], key: &mut Key) {
        key.extend_from_slice(self.prefix.as_bytes());
        key.extend_from_slice(MEMBERS);
        key.extend_from_slice(sid);
        key.extend_from_slice(AFTER_SID);
    }

    /// Returns the part of [`Self::members`] before the sid, for [`on_frontend`].
    #[must_use]
    pub fn members_base(&self) -> Key {
        [self.prefix.as_bytes(), MEMBERS].concat()
    }

    /// Returns the key of the entries that were purged from that index and are kept for a while.
    #[must_use]
    pub fn gone(&self, sid: &str) -> Key {
        self.of_frontend("gone", sid)
    }

    fn of_frontend(&self, what: &str, sid: &str) -> Key {
        format!("{}@{what}:{{{sid}}}", self.prefix).into_bytes()
    }

    /// Refuses a prefix with which [`Self::online`] and [`Self::lease`] of a frontend are in different slots.
    pub fn check_lease_prefix(&self) -> Result<()> {
        let tag = self.prefix.split_once('{').map(|(_, tag)| tag);
        if tag.is_none_or(|tag| tag.contains('}') && !tag.starts_with('}')) {
            return Ok(());
        }
        Err(Error::InvalidOption(
            "option prefix has a { in it that begins no hash tag; with option sessions in a Redis Cluster, \
             accepted is a prefix without { or with a whole hash tag"
                .to_owned(),
        ))
    }

    /// Returns whether a server id makes a hash tag that is not empty.
    #[must_use]
    pub fn takes_lease_sid(&self, sid: &[u8]) -> bool {
        has_tag(self.prefix.as_bytes(), sid)
    }

    /// Refuses a server id that makes an empty hash tag.
    pub fn check_lease_sid(&self, sid: &str) -> Result<()> {
        if self.takes_lease_sid(sid.as_bytes()) {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "argument sid is {sid:?}, which is no hash tag for Redis; for a lease it must be one"
        )))
    }

    fn lead(&self, key: &mut Key) {
        key.extend_from_slice(self.prefix.as_bytes());
        key.push(b':');
    }
}

/// What is between the prefix and the sid in the key of an index of members.
pub const MEMBERS: &[u8] = b"@members:{";

/// What follows the sid there.
pub const AFTER_SID: &[u8] = b"}";

/// What is in its place in the key of the members that are kept ([`KeyLayout::gone`]).
pub const GONE: &[u8] = b"@gone:{";

/// Returns the key of what is kept of the frontend of a channel and an index there ([`KeyLayout::gone`]).
#[must_use]
pub fn gone_beside(channel: &[u8], index: &[u8]) -> Key {
    // They differ first after the prefix: a colon in one, an @ in the other.
    let prefix = channel.iter().zip(index).take_while(|(a, b)| a == b);
    gone_of(index, prefix.count())
}

/// The same, of an index under the prefix with this stem.
#[must_use]
pub fn gone_under(stem: &[u8], index: &[u8]) -> Key {
    gone_of(index, stem.len().saturating_sub(1))
}

/// Returns what the keys of what is kept begin with under the prefix with this stem. So do those of removed channels
/// ([`ended_of`]).
#[must_use]
pub fn gone_stem(stem: &[u8]) -> Key {
    [stem.strip_suffix(b":").unwrap_or(stem), GONE].concat()
}

fn gone_of(index: &[u8], prefix: usize) -> Key {
    let sid = index.get(prefix + MEMBERS.len()..).unwrap_or_default();
    let prefix = index.get(..prefix).unwrap_or_default();
    [prefix, GONE, sid].concat()
}

/// Returns the keys of what is kept of members of a channel, given its key and the stem, each with the field of the
/// channel there: where a channel's name or a sid has a colon there are several, since its key is that of several pairs
/// of name and sid. A sid that no frontend with a lease has is none of them ([`KeyLayout::takes_lease_sid`]): nothing is kept of it,
/// and without a hash tag the keys would be in different slots.
pub fn gone_with<'k>(stem: &'k [u8], key: &'k [u8]) -> impl Iterator<Item = (Key, &'k [u8])> {
    let rest = key.strip_prefix(stem).unwrap_or_default();
    let prefix = stem.strip_suffix(b":").unwrap_or(stem);
    let colons = rest.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let halves = colons.map(move |(at, _)| (&rest[..at], &rest[at + 1..]));
    let taken = halves.filter(move |(_, sid)| has_tag(prefix, sid));
    taken.map(move |(field, sid)| {
        let gone = [prefix, GONE, sid, AFTER_SID].concat();
        (gone, field)
    })
}

/// Returns whether Redis finds a hash tag in the keys of a frontend that has this sid in braces.
fn has_tag(prefix: &[u8], sid: &[u8]) -> bool {
    prefix.contains(&b'{') || !matches!(sid, [] | [b'}', ..])
}

/// Returns the key of the channels that were destroyed since members of them were kept, given the key of what is kept.
#[must_use]
pub fn ended_of(gone: &[u8]) -> Key {
    [gone, b":ended"].concat()
}

/// Returns the key of the time until which it is kept, in the embedded store.
#[must_use]
pub fn until_of(gone: &[u8]) -> Key {
    [gone, b":until"].concat()
}

/// What the keys of what has expired have in place of [`GONE`]. No key of a frontend has it, whatever its sid is: there a `{`
/// follows the colon.
const EXPIRED: &[u8] = b"@gone:}";

/// Returns what the keys of what has expired begin with in the embedded store, under the prefix with this stem.
#[must_use]
pub fn expired_stem(stem: &[u8]) -> Key {
    [stem.strip_suffix(b":").unwrap_or(stem), EXPIRED].concat()
}

/// Returns a key on a frontend, given by its part before the sid: of a channel, or of the index of members.
#[must_use]
pub fn on_frontend(base: &[u8], sid: &[u8]) -> Key {
    // The base of a channel ends with a colon.
    let end: &[u8] = if base.ends_with(b"{") { AFTER_SID } else { b"" };
    [base, sid, end].concat()
}

/// Returns the key of the channels of a user in an index of members, given its key ([`KeyLayout::members`]). The length at the
/// end makes it unambiguous, whatever bytes are in sids and uids.
#[must_use]
pub fn of_user(index: &[u8], uid: &[u8]) -> Key {
    let length = uid.len().to_string();
    [index, b":", uid, b":", length.as_bytes()].concat()
}

/// Returns the key of the index of the prefix with this stem (see [`KeyLayout::index`]).
#[must_use]
pub fn index_of(stem: &[u8]) -> Key {
    let prefix = stem.strip_suffix(b":").unwrap_or(stem);
    [prefix, b"@sids"].concat()
}

/// Returns the sid in a key, if it has no colon.
#[must_use]
pub fn sid_of(key: &[u8]) -> &[u8] {
    let begin = key.iter().rposition(|&byte| byte == b':');
    begin.map_or(key, |begin| &key[begin + 1..])
}

/// Returns whether what follows the stem in a key reads as `NAME:SID`. Keys of forks, such as one for each user, may not.
#[must_use]
pub fn names_frontend(rest: &[u8]) -> bool {
    rest.contains(&b':')
}

/// Returns the sid in a key under the prefix with this stem, if it reads as that of a channel on a frontend.
#[must_use]
pub fn sid_under<'a>(stem: &[u8], key: &'a [u8]) -> Option<&'a [u8]> {
    let rest = key.strip_prefix(stem)?;
    names_frontend(rest).then(|| sid_of(rest))
}

/// Makes a `SCAN` pattern that matches what begins with a stem, and nothing else.
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
    use crate::hash_slot::hash_slot;

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
        /// Whatever is in the ids of two frontends that may have a lease and of two users: only the same pair has the same key, in the slot of the
        /// frontend, and it is no index.
        #[test]
        fn no_two_users_of_indexes_have_one_key(
            sids in vec("[a:1][a}:1]{0,3}", 2), uids in vec("[a}:1]{0,5}", 2),
        ) {
            let keys = KeyLayout::new("P");
            let key = |n: usize| of_user(&keys.members(&sids[n]), uids[n].as_bytes());
            prop_assert_eq!(key(0) == key(1), sids[0] == sids[1] && uids[0] == uids[1]);
            prop_assert_ne!(key(0), keys.members(&sids[1]));
            prop_assert_eq!(hash_slot(&key(0)), hash_slot(&keys.members(&sids[0])));
        }

        /// Whatever is in a name or an id: the key is under its prefix, and says both.
        #[test]
        fn a_key_stays_under_its_prefix(prefix: String, name: String, sid: String) {
            let keys = KeyLayout::new(&prefix);
            let key = keys.key(&name, &sid);
            let stem = keys.stem();
            prop_assert!(key.starts_with(&stem));
            prop_assert_eq!(keys.len_of(&name, &sid), key.len());
            prop_assert_eq!(key[stem.len()..].to_vec(), format!("{name}:{sid}").into_bytes());
            prop_assert_eq!([keys.base(&name), sid.clone().into_bytes()].concat(), key.clone());
            prop_assert_eq!(sid_of(&key) == sid.as_bytes(), !sid.contains(':'));
            prop_assert!(keys.index() != key && !keys.index().starts_with(&stem));
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

    proptest! {
        /// Whatever is in prefix, name and ids: a channel that is taken is in one slot.
        #[test]
        fn a_channel_with_a_hash_tag_is_in_one_slot(
            prefix in "[{}:a]{0,4}",
            name in "[{}:a]{0,3}",
            sids in vec("[{}:a-z0-9]{0,4}", 2..6),
        ) {
            let keys = KeyLayout::new(&prefix).with_hash_tag(true);
            prop_assume!(keys.check_prefix().is_ok() && keys.check_name(&name).is_ok());
            let slot = |sid: &String| crate::hash_slot::hash_slot(&keys.key(&name, sid));
            prop_assert!(sids.iter().all(|sid| slot(sid) == slot(&sids[0])));
        }
    }

    #[test]
    fn what_is_no_hash_tag_is_refused_and_only_that() {
        let keys = |prefix, tagged| KeyLayout::new(prefix).with_hash_tag(tagged);
        for name in ["", "}", "}x", "}{x}"] {
            assert!(keys("P", true).check_name(name).is_err(), "{name}");
            assert_eq!(keys("P", false).check_name(name), Ok(()), "{name}");
            assert_eq!(keys("P{x}", true).check_name(name), Ok(()), "{name}");
        }
        for name in ["x", "x}", "{", "{}", "{x}"] {
            assert_eq!(keys("P", true).check_name(name), Ok(()), "{name}");
        }
        assert!(keys("P{}{x}", true).check_prefix().is_err());
        assert_eq!(keys("P{}{x}", false).check_prefix(), Ok(()));
        assert_eq!(keys("}P{x}{}", true).check_prefix(), Ok(()));
    }

    #[test]
    fn glob_characters_of_the_prefix_stand_for_themselves() {
        assert_eq!(pattern(&KeyLayout::new("P[1]*").stem()), br"P\[1\]\*:*");
    }

    proptest! {
        /// Whatever is in prefix and sid: if they are taken, one script can change both keys.
        #[test]
        fn lease_and_online_users_of_a_frontend_are_in_one_slot(
            prefix in "[{}:@a]{0,5}", sid in "[{}:@a]{0,4}",
        ) {
            let keys = KeyLayout::new(&prefix);
            prop_assume!(keys.check_lease_prefix().is_ok() && keys.check_lease_sid(&sid).is_ok());
            let slot = |key: &[u8]| crate::hash_slot::hash_slot(key);
            for key in [keys.online(&sid), keys.members(&sid), keys.gone(&sid)] {
                prop_assert_eq!(slot(&key), slot(&keys.lease(&sid)));
            }
        }

        /// No key of the registry is one of a channel under the same prefix.
        #[test]
        fn keys_of_the_registry_are_no_keys_of_channels(prefix: String, sid: String) {
            let keys = KeyLayout::new(&prefix);
            let members = keys.members(&sid);
            let mut appended = Vec::new();
            keys.append_members(sid.as_bytes(), &mut appended);
            prop_assert_eq!(&appended, &members);
            prop_assert_eq!(&on_frontend(&keys.members_base(), sid.as_bytes()), &members);
            for key in [keys.online(&sid), keys.lease(&sid), keys.leases(), members, keys.gone(&sid)] {
                prop_assert!(!key.starts_with(&keys.stem()));
            }
        }
    }

    proptest! {
        /// Whatever is in the key of a channel: what is kept of its members is under keys of one slot each, and none of the pairs of name and
        /// sid that a lease allows is missing.
        #[test]
        fn what_is_kept_of_a_channel_is_in_one_slot(
            prefix in "[{}:@a]{0,5}", name in "[{}:@a]{0,4}", sid in "[{}:@a]{0,4}", hash_tag: bool,
        ) {
            let keys = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
            prop_assume!(keys.check_lease_prefix().is_ok());
            let (stem, key) = (keys.stem(), keys.key(&name, &sid));
            let found: Vec<_> = gone_with(&stem, &key).collect();
            for (gone, _) in &found {
                prop_assert_eq!(hash_slot(gone), hash_slot(&ended_of(gone)));
            }
            let taken = keys.takes_lease_sid(sid.as_bytes());
            prop_assert_eq!(found.iter().any(|(gone, _)| *gone == keys.gone(&sid)), taken);
            prop_assert!(!keys.gone(&sid).starts_with(&expired_stem(&stem)), "it is kept, and has not expired");
        }
    }

    #[test]
    fn what_puts_the_keys_of_a_frontend_into_different_slots_is_refused() {
        for prefix in ["P{", "P{}", "P{}{x}"] {
            assert!(
                KeyLayout::new(prefix).check_lease_prefix().is_err(),
                "{prefix}"
            );
        }
        for prefix in ["P", "P{x}", "P}", "}P{x}{}"] {
            assert_eq!(
                KeyLayout::new(prefix).check_lease_prefix(),
                Ok(()),
                "{prefix}"
            );
        }
        for sid in ["", "}", "}x"] {
            assert!(KeyLayout::new("P").check_lease_sid(sid).is_err(), "{sid}");
        }
        for sid in ["x", "x}", "{", "{}"] {
            assert_eq!(KeyLayout::new("P").check_lease_sid(sid), Ok(()), "{sid}");
        }
    }
}
