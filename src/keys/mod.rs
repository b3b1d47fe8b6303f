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

mod gone;
#[cfg(test)]
mod tests;

pub use self::gone::{
    GONE, ended_of, expired_stem, gone_beside, gone_stem, gone_under, gone_with, until_of,
};

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

/// Returns whether Redis finds a hash tag in the keys of a frontend that has this sid in braces. If not, they are in different
/// slots, and no member there is in an index ([`KeyLayout::takes_lease_sid`]).
#[must_use]
pub fn has_tag(prefix: &[u8], sid: &[u8]) -> bool {
    prefix.contains(&b'{') || !matches!(sid, [] | [b'}', ..])
}

/// Returns a key on a frontend, given by its part before the sid: of a channel, or of the index of members.
#[must_use]
pub fn on_frontend(base: &[u8], sid: &[u8]) -> Key {
    // The base of a channel ends with a colon.
    let end: &[u8] = if base.ends_with(b"{") { AFTER_SID } else { b"" };
    [base, sid, end].concat()
}

/// Returns whether there may be such a key on this frontend: members are in an index only if the sid makes a hash tag.
#[must_use]
pub fn may_be_on(base: &[u8], sid: &[u8]) -> bool {
    let prefix = base.strip_suffix(MEMBERS);
    prefix.is_none_or(|prefix| has_tag(prefix, sid))
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
