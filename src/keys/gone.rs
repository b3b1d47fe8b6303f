//! The keys of what is kept for a while of members whose entries were purged from an index ([`crate::membership`]): next to the
//! index, with another word in place of [`MEMBERS`].

use super::{AFTER_SID, Key, MEMBERS, has_tag};

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
