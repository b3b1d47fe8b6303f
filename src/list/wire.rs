//! A list as bytes, on its way through redis-rs: the reply to a read of members is written as a list where it is received
//! (`redis_manager/wire/`), and redis-rs passes it on as one string.
//!
//! The bytes are the text of the list, where it is cut, and a trailer: its place among the pushes of its connection, and a
//! number that only this process knows, so that a string of a server is not taken for a list.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::OnceLock,
};

use super::{
    List, NEXT_ID,
    writer::{LONGEST_PIECE, Writer},
};

/// The bytes of a number.
const NUMBER: usize = size_of::<u64>();

/// The number of members, that of cuts, that of pushes, and the secret.
const TRAILER: usize = 3 * NUMBER + SECRET;

const SECRET: usize = 2 * NUMBER;

/// Returns the number that only this process knows.
fn secret() -> &'static [u8; SECRET] {
    static MADE: OnceLock<[u8; SECRET]> = OnceLock::new();
    MADE.get_or_init(|| {
        // Its keys are random.
        let random = |_| RandomState::new().hash_one(0).to_le_bytes();
        let mut secret = [0; SECRET];
        for (index, half) in secret.chunks_exact_mut(NUMBER).enumerate() {
            half.copy_from_slice(&random(index));
        }
        secret
    })
}

/// A list whose members arrive one by one.
pub struct Incoming(Writer);

impl Default for Incoming {
    fn default() -> Self {
        Self(Writer::new(LONGEST_PIECE))
    }
}

impl Incoming {
    /// The longest member that is taken, in bytes. In a list whose members are no longer each piece is a string that
    /// JavaScript can have.
    pub const LONGEST_MEMBER: usize = 1 << 20;

    /// Adds a member. Returns whether it was added: a very long one is not.
    pub fn member(&mut self, member: &[u8]) -> bool {
        member.len() <= Self::LONGEST_MEMBER && self.0.member(member).is_ok()
    }

    /// Returns the number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no members yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the list as bytes, for [`List::from_wire`]; `pushes` is how many pushes arrived before it.
    #[must_use]
    pub fn into_wire(self, pushes: u64) -> Vec<u8> {
        let (mut bytes, cuts, len) = self.0.into_parts();
        bytes.reserve_exact(cuts.len() * NUMBER + TRAILER);
        for number in cuts.iter().chain([&cuts.len(), &len]) {
            bytes.extend_from_slice(&(*number as u64).to_le_bytes());
        }
        bytes.extend_from_slice(&pushes.to_le_bytes());
        bytes.extend_from_slice(secret());
        bytes
    }

    /// Returns its members so far. Bytes that are not UTF-8 read as U+FFFD.
    #[must_use]
    pub fn into_members(self) -> Vec<String> {
        let list = self.0.finish();
        list.map_or_else(|_| Vec::new(), |list| list.texts().collect())
    }
}

impl List {
    /// Returns whether bytes end as those that [`Incoming::into_wire`] makes.
    #[must_use]
    pub fn ends_wire(bytes: &[u8]) -> bool {
        bytes.ends_with(secret())
    }

    /// Returns the list that [`Incoming::into_wire`] made these bytes of, and how many pushes arrived before it; `None`
    /// if it did not.
    #[must_use]
    pub fn from_wire(mut bytes: Vec<u8>) -> Option<(Self, u64)> {
        let rest = bytes.strip_suffix(secret())?;
        let (rest, pushes) = rest.split_last_chunk::<NUMBER>()?;
        let pushes = u64::from_le_bytes(*pushes);
        let (rest, len) = number(rest)?;
        let (mut rest, count) = number(rest)?;
        let mut cuts = Vec::with_capacity(count.min(rest.len() / NUMBER));
        for _ in 0..count {
            let (shorter, cut) = number(rest)?;
            cuts.push(cut);
            rest = shorter;
        }
        cuts.reverse();
        let end = rest.len();
        bytes.truncate(end);
        let json = String::from_utf8(bytes).ok()?;
        let list = Self {
            id: NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            ascii: json.is_ascii(),
            json: json.into_boxed_str(),
            cuts: cuts.into_boxed_slice(),
            len,
            kept: OnceLock::new(),
        };
        Some((list, pushes))
    }
}

/// Takes the number at the end.
fn number(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (rest, number) = bytes.split_last_chunk::<NUMBER>()?;
    Some((rest, usize::try_from(u64::from_le_bytes(*number)).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn incoming<M: AsRef<[u8]>>(members: &[M]) -> Incoming {
        let mut list = Incoming::default();
        for member in members {
            assert!(list.member(member.as_ref()));
        }
        list
    }

    proptest! {
        #[test]
        fn a_list_arrives_as_it_was_sent(
            members in vec(vec(any::<u8>(), 0..12), 0..20),
            pushes in any::<u64>(),
        ) {
            let (list, place) = List::from_wire(incoming(&members).into_wire(pushes)).expect("a list");
            prop_assert_eq!(place, pushes);
            let same = List::new(&members).expect("a list");
            prop_assert_eq!(list.json(), same.json());
            prop_assert_eq!((list.len(), list.is_ascii()), (same.len(), same.is_ascii()));
        }

        #[test]
        fn other_bytes_are_no_list(bytes in vec(any::<u8>(), 0..80), cut in 0..200_usize) {
            prop_assert!(List::from_wire(bytes).is_none());
            let mut list = incoming(&["a", "b"]).into_wire(1);
            let cut = cut % list.len();
            list.truncate(cut);
            prop_assert!(List::from_wire(list).is_none());
        }
    }

    #[test]
    fn a_long_list_has_its_pieces() {
        let members: Vec<String> = (0..100_000).map(|n| format!("user{n}")).collect();
        let (list, _) = List::from_wire(incoming(&members).into_wire(0)).expect("a list");
        let same = List::new(&members).expect("a list");
        assert!(list.pieces() > 2);
        assert_eq!(list.pieces(), same.pieces());
        for index in 0..list.pieces() {
            assert_eq!(list.piece(index), same.piece(index));
        }
    }
}
