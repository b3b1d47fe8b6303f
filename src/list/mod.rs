//! A member list on its way from a store to JavaScript: JSON text, made once, off the JavaScript thread, and shared by
//! all calls that are answered with it. [`writer`] makes the text, [`items`] reads it, [`union`] combines lists,
//! [`wire`] takes one through redis-rs.

mod items;
mod union;
mod wire;
mod writer;

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

pub use self::{
    union::{Groups, Unions},
    wire::Incoming,
};

use self::writer::{LONGEST_PIECE, Writer};
use crate::error::Result;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The members of one key.
#[derive(Debug)]
pub struct List {
    id: u64,
    json: Box<str>,
    /// The positions of the commas at which a long list is cut into pieces.
    cuts: Box<[usize]>,
    ascii: bool,
    len: usize,
    kept: OnceLock<Arc<Released>>,
}

impl List {
    /// Makes a list of members. Bytes that are not UTF-8 read as U+FFFD, as in `node_redis`. Fails if one of them is
    /// longer than a string in JavaScript can be.
    pub fn new<M: AsRef<[u8]>>(members: impl IntoIterator<Item = M>) -> Result<Self> {
        Self::within(LONGEST_PIECE, members)
    }

    /// Makes a list with another limit for a piece.
    fn within<M: AsRef<[u8]>>(
        longest: usize,
        members: impl IntoIterator<Item = M>,
    ) -> Result<Self> {
        let mut writer = Writer::new(longest);
        for member in members {
            writer.member(member.as_ref())?;
        }
        writer.finish()
    }

    /// Makes a list without members.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            ascii: true,
            json: "[]".into(),
            cuts: Box::default(),
            len: 0,
            kept: OnceLock::new(),
        }
    }

    /// Returns a number that no other list of this process has or will have.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the members as a JSON array of strings.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the number of pieces in which JavaScript gets the list, so that none takes long.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.cuts.len() + 1
    }

    /// Returns the text of one piece: members, with commas between them, without brackets.
    #[must_use]
    pub fn piece(&self, index: usize) -> &str {
        let before = index.checked_sub(1).and_then(|index| self.cuts.get(index));
        let start = 1 + before.copied().unwrap_or(0);
        let end = self.cuts.get(index).copied();
        &self.json[start..end.unwrap_or(self.json.len() - 1)]
    }

    /// Returns whether its JSON is all ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Returns the number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes that a cache keeps the list, so that JavaScript should keep its array; `released` gets its id when it is
    /// dropped.
    pub fn keep(&self, released: &Arc<Released>) {
        self.kept.get_or_init(|| released.clone());
    }

    /// Returns whether a cache keeps it, or has kept it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept.get().is_some()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(released) = self.kept.get() {
            released.lock().push(self.id);
        }
    }
}

/// Two lists are equal if their members are.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for List {}

/// The ids of kept lists that were dropped, for the owner of their arrays.
#[derive(Debug, Default)]
pub struct Released(Mutex<Vec<u64>>);

impl Released {
    /// Takes all ids so far.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{writer::PIECE, *};

    #[test]
    fn members_become_json_whatever_they_hold() {
        let list = List::new([&b"a\"\n"[..], "ü".as_bytes(), &[0xff]]).expect("a list");
        assert_eq!(list.json(), "[\"a\\\"\\n\",\"ü\",\"\u{fffd}\"]");
        assert_eq!(list.len(), 3);
        assert_eq!(List::new([[0; 0]; 0]).expect("a list").json(), "[]");
    }

    #[test]
    fn the_pieces_of_a_long_list_are_all_of_it() {
        for (count, size) in [
            (0, 0),
            (1, 3 * PIECE),
            (3, PIECE),
            (300_000, 5),
            (10, PIECE / 4),
        ] {
            let member = |n| format!("{}{n}\"", ".".repeat(size));
            let members: Vec<String> = (0..count).map(member).collect();
            let list = List::new(&members).expect("a list");
            let pieces: Vec<&str> = (0..list.pieces()).map(|index| list.piece(index)).collect();
            assert_eq!(format!("[{}]", pieces.join(",")), list.json());
            let longest = pieces.iter().map(|piece| piece.len()).max();
            assert!(
                longest.is_some_and(|most| most <= PIECE + size + 16),
                "{longest:?}"
            );
        }
    }

    /// JavaScript has each piece as one string.
    #[test]
    fn a_member_that_no_string_can_hold_is_an_error_that_says_so() {
        let within = |longest, member: &str| List::within(longest, ["a", member]);
        // With its quotes, the bracket, and what came before it in the piece.
        for (longest, member) in [(13, "123456"), (13, "üüü"), (13, "🎮.."), (13, "\n\n\n")] {
            assert!(within(longest, member).is_ok(), "{member}");
            let longer = format!("{member}.");
            let error = within(longest, &longer).unwrap_err();
            assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_STORE");
            let words = format!("the list has a member of {} bytes, which", longer.len());
            assert!(error.to_string().starts_with(&words), "{error}");
        }
        assert!(within(13, "\u{1}").is_ok(), "six characters in JSON");
        assert!(within(12, "\u{1}").is_err());
    }

    #[test]
    fn only_a_list_that_was_kept_is_reported_when_it_goes() {
        let released = Arc::new(Released::default());
        drop(List::new(["a"]));
        let kept = List::new(["a"]).expect("a list");
        let id = kept.id();
        kept.keep(&released);
        assert!(released.take().is_empty());
        drop(kept);
        assert_eq!(released.take(), [id]);
    }
}
