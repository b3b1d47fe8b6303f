//! The index of the members on a frontend, with option `membership: 'session'`: which channels each user is in there.
//!
//! A channel is named by its *field*: what its key has between `PREFIX:` and `:SID`. An *entry* is a pair of uid and field.
//!
//! | operation  | does                                                                                             |
//! | ---------- | ------------------------------------------------------------------------------------------------ |
//! | join       | adds members to a channel, and their entries                                                     |
//! | part       | removes members of a channel, and their entries                                                  |
//! | leave all  | removes a user from the channels of his entries, and the entries; answers which he was in         |
//! | joined     | reads the channels of the entries of a user in which he really is                                |
//! | users      | reads the users who have entries                                                                 |
//! | purge      | removes the members that the entries of the given users name, and keeps these entries for a while |
//! | put back   | adds the members of the given users that are kept, and keeps them no longer                       |
//! | forget     | keeps them no longer                                                                             |
//! | kept users | reads the users of whom entries are kept                                                         |
//!
//! **In Redis** each user has a hash whose fields are his, `PREFIX@members:{SID}:UID:LENGTH` ([`crate::keys::of_user`]), and
//! the frontend a set of the users who have one, `PREFIX@members:{SID}`. So a change of a member costs the same however many
//! members there are, and a list of users has no more than these. All are in the slot of the frontend. What a purge keeps
//! is one hash, `PREFIX@gone:{SID}`, in which each user has his fields, one after the other, each with its length before it.
//!
//! **In the embedded store** both keys are ordered collections of entries ([`entry`]), and what is kept expires by a time
//! beside it (`embedded/expiry.rs`).
//!
//! **An index has at least the members that were added with the option.** An entry without a member is harmless (a
//! channel was destroyed, a process died between two steps): no answer is made of entries alone. So is a user in the set
//! without a hash. On one Redis (`redis_manager/membership_scripts.rs`) and in the embedded store each operation is one
//! atomic step. In a Redis Cluster, where index and channel are in different slots, the order of the steps keeps it
//! (`redis_cluster/membership.rs`).
//!
//! **Purge, put back and forget** are made in the name of a frontend. Each of their steps checks that the lease of the
//! frontend is still as it was when the operation was decided on: held by the epoch that the caller is, or held by no
//! one if it removes what a dead frontend has left. So an earlier epoch that has not heard of a later one changes
//! nothing.
//!
//! **A leave of the app wins** over what is put back after it: it removes the member from what is kept too, in the same step,
//! and so does leave all. A removed channel, of which no one knows whose members are kept, is counted beside it
//! ([`kept`]), and the members that were kept before count no more. So what is kept at a moment is what a frontend may
//! put back at that moment.

use crate::{
    command::{EachText, Texts},
    keys::{AFTER_SID, Key, MEMBERS},
};

/// The maximum number of members that one step of a purge removes, which takes a store less than 5 ms, also on a busy machine.
pub const STEP: usize = 200;

/// Returns what the entries of a user begin with in an ordered collection.
#[must_use]
pub fn begin(uid: &[u8]) -> Vec<u8> {
    [uid.len().to_string().as_bytes(), b":", uid].concat()
}

/// Returns a text after all entries that begin with this, since no field has this byte.
#[must_use]
pub fn end(begin: &[u8]) -> Vec<u8> {
    [begin, b"\xff"].concat()
}

/// Makes an entry of an ordered collection: the length of the uid in decimal, a colon, the uid, and the field. The length makes
/// it unambiguous, whatever bytes are in uids and names; the entries of one user begin with the same bytes, and no entry of
/// another one does, so that they are next to one another.
#[must_use]
pub fn entry(uid: &[u8], field: &[u8]) -> Vec<u8> {
    [&*begin(uid), field].concat()
}

/// Splits an entry into uid and field; `None` if it is damaged.
#[must_use]
pub fn split(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = entry.iter().position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&entry[..colon]).ok()?.parse().ok()?;
    entry[colon + 1..].split_at_checked(length)
}

/// Returns the field of a channel, by its key on a frontend and the key of the index there.
#[must_use]
pub fn field<'a>(key: &'a [u8], index: &[u8]) -> Option<&'a [u8]> {
    Parts::of(key, index).map(|parts| parts.field)
}

/// The parts of the key of a channel, `PREFIX:FIELD:SID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What keys begin with, without the colon.
    pub prefix: &'a [u8],
    /// The field.
    pub field: &'a [u8],
    /// The frontend.
    pub sid: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits the key of a channel, given the key of the index on its frontend.
    #[must_use]
    pub fn of(key: &'a [u8], index: &[u8]) -> Option<Self> {
        // They differ first after the prefix: a colon in one, an @ in the other.
        let prefix = key.iter().zip(index).take_while(|(a, b)| a == b).count();
        let around_sid = prefix + MEMBERS.len() + AFTER_SID.len();
        let sid = key
            .len()
            .checked_sub(index.len().checked_sub(around_sid)?)?;
        Some(Self {
            prefix: key.get(..prefix)?,
            field: key.get(prefix + 1..sid.checked_sub(1)?)?,
            sid: key.get(sid..)?,
        })
    }
}

/// Returns the name of the channel with this field, whose layout has hash tags or not.
#[must_use]
pub fn name(field: &str, hash_tag: bool) -> &str {
    let tag = field
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    tag.filter(|_| hash_tag).unwrap_or(field)
}

/// Makes the keys of the channels that an index names.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What comes before the field.
    pub head: &'a [u8],
    /// The frontend.
    pub sid: &'a [u8],
}

impl<'a> Place<'a> {
    /// Returns the frontend of an index, given what the keys of all channels begin with.
    #[must_use]
    pub fn of(index: &'a [u8], stem: &'a [u8]) -> Self {
        let begin = (stem.len() + MEMBERS.len()).saturating_sub(1);
        let sid = index.get(begin..index.len().saturating_sub(1));
        Self {
            head: stem,
            sid: sid.unwrap_or_default(),
        }
    }

    /// Returns what comes after the field.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        [b":", self.sid].concat()
    }

    /// Returns the key of a channel.
    #[must_use]
    pub fn key(&self, field: &[u8]) -> Key {
        [self.head, field, b":", self.sid].concat()
    }
}

/// The arguments of an operation about one user: [`crate::command::ReadOp::Joined`] and
/// [`crate::command::WriteOp::LeaveAll`].
#[derive(Debug, Clone, Copy)]
pub struct OfUser<'a> {
    /// The user.
    pub uid: &'a [u8],
    /// What the keys of all channels begin with.
    pub stem: &'a [u8],
}

impl<'a> OfUser<'a> {
    /// Reads the arguments of a command.
    #[must_use]
    pub fn of(arguments: &'a Texts) -> Self {
        let mut arguments = arguments.iter();
        let mut next = || arguments.next().unwrap_or_default();
        Self {
            uid: next(),
            stem: next(),
        }
    }
}

/// The arguments of an operation that is allowed by the lease alone ([`crate::command::WriteOp::Purge`],
/// [`crate::command::WriteOp::PutBack`], [`crate::command::WriteOp::Forget`]). Its keys are the index, the lease, and
/// what is kept of the index. In the place of the time of a lease its answer has the number of the given users who are
/// not done: the last ones.
#[derive(Debug, Clone)]
pub struct Purge<'a> {
    /// The epoch that must hold the lease; empty if no one may.
    pub epoch: &'a [u8],
    /// For how long the entries of a purge are kept, in milliseconds; 0 = not at all.
    pub keep: u64,
    /// The maximum number of entries of a purge. One of a single user takes all of his where a step can ([`ALL`]).
    pub most: usize,
    /// What the keys of all channels begin with.
    pub stem: &'a [u8],
    /// Why the members go, for the events.
    pub reason: &'a [u8],
    /// The users. If there are none to be forgotten, all are.
    pub uids: EachText<'a>,
}

/// What is asked for if a step is to take all entries of its only user.
const ALL: u64 = 0;

impl<'a> Purge<'a> {
    /// Reads the arguments of a command.
    #[must_use]
    pub fn of(arguments: &'a Texts) -> Self {
        let mut uids = arguments.iter();
        let mut next = || uids.next().unwrap_or_default();
        let (epoch, keep, most, stem, reason) = (next(), next(), next(), next(), next());
        let most = number(most);
        let is_all = most == ALL && uids.len() == 1;
        Self {
            epoch,
            keep: number(keep),
            most: if is_all {
                MANY
            } else {
                usize::try_from(most).unwrap_or(STEP).clamp(1, STEP)
            },
            stem,
            reason,
            uids,
        }
    }

    /// Returns the same with at most this number of entries, unless it is to take all of its only user.
    #[must_use]
    pub fn within(self, most: usize) -> Self {
        let is_all = self.most == MANY;
        let most = if is_all { MANY } else { self.most.min(most) };
        Self { most, ..self }
    }
}

/// A number of entries that no user has.
const MANY: usize = 1 << 31;

/// What is kept of a member: the field of the channel, after the number of times it had been destroyed since something
/// is kept of the frontend, and `#`. If it was destroyed again since, the member counts as removed with it.
#[must_use]
pub fn kept(times: &[u8], field: &[u8]) -> Vec<u8> {
    [times, b"#", field].concat()
}

/// Splits it.
#[must_use]
pub fn split_kept(kept: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = kept.iter().position(|&byte| byte == b'#')?;
    Some((&kept[..at], &kept[at + 1..]))
}

fn number(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::keys::KeyLayout;

    proptest! {
        /// Whatever bytes are in it: an entry tells its uid and its field, and the entries of a user are the range of them.
        #[test]
        fn an_entry_is_its_uid_and_its_field(
            uids in vec(vec(any::<u8>(), 0..12), 2), fields in vec("[a-c:{}é]{0,5}", 2),
        ) {
            let entry = |n: usize| entry(&uids[n], fields[n].as_bytes());
            let first = entry(0);
            prop_assert_eq!(split(&first), Some((&*uids[0], fields[0].as_bytes())));
            let begin = begin(&uids[0]);
            let is_between = begin <= entry(1) && entry(1) < end(&begin);
            prop_assert_eq!(is_between, uids[0] == uids[1]);
            prop_assert_eq!(entry(0) == entry(1), uids[0] == uids[1] && fields[0] == fields[1]);
        }

        /// A field and its frontend make the key of the channel again.
        #[test]
        fn a_field_is_what_is_between_prefix_and_frontend(
            prefix in "[{}:@a]{0,5}", name in "[{}:@a]{0,4}", sid in "[{}:@a]{0,4}", hash_tag: bool,
        ) {
            let keys = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
            let (key, index, stem) = (keys.key(&name, &sid), keys.members(&sid), keys.stem());
            let field = field(&key, &index).expect("they are of one frontend");
            let text = String::from_utf8(field.to_vec()).expect("text");
            prop_assert_eq!(super::name(&text, hash_tag), &name);
            let parts = Parts::of(&key, &index).expect("they are of one frontend");
            prop_assert_eq!((parts.prefix, parts.sid), (keys.prefix().as_bytes(), sid.as_bytes()));
            prop_assert_eq!(Place::of(&index, &stem).key(field), key);
        }

        /// What is no entry is damage, not a panic.
        #[test]
        fn any_bytes_are_an_entry_or_damage(bytes in vec(any::<u8>(), 0..20), index in vec(any::<u8>(), 0..20)) {
            let _ = (split(&bytes), field(&bytes, &index), Place::of(&bytes, &index).sid);
        }
    }
}
