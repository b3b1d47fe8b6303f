//! What a store is asked and answers: a [`Command`] is the work of one call in a batch, with an operation of the table in
//! [`operations`]; a [`Request`] is any call to the driver; a [`Reply`] is its answer.

mod operations;
mod reply;
mod request;

pub use self::{
    operations::{Effect, Items, Op, PageOp, ReadOp, ValueKind, WriteOp},
    reply::{Reply, Value},
    request::{Code, Request},
};

use crate::{keys::Key, list::Groups};

/// A member as stored: the bytes of a uid.
pub type Member = Vec<u8>;

/// A command for a store: the work of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    op: Op,
    /// How many of the items are keys.
    keys: u32,
    /// The keys, then the members; never empty.
    items: Vec<Vec<u8>>,
    /// How the driver combines the lists before it answers.
    groups: Option<Groups>,
}

impl Command {
    /// Makes a command; the items must be of the kind [`Op::items`]. The first `keys` of them are keys; for
    /// [`Items::Keys`] all are.
    #[must_use]
    pub fn new(op: Op, keys: usize, items: Vec<Vec<u8>>) -> Self {
        let keys = match op.items() {
            Items::KeysAndMembers | Items::OneSlot | Items::Pairs => keys.min(items.len()),
            Items::Keys => items.len(),
        };
        Self {
            op,
            keys: u32::try_from(keys).unwrap_or(u32::MAX),
            items,
            groups: None,
        }
    }

    /// Makes a read of lists that are combined: the answer has one for each group of keys.
    #[must_use]
    pub fn combined(keys: Vec<Key>, groups: Groups) -> Self {
        Self {
            groups: Some(groups),
            ..Self::read(ReadOp::Members, keys)
        }
    }

    /// Makes a read of keys.
    #[must_use]
    pub fn read(op: ReadOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Read(op), keys.len(), keys)
    }

    /// Makes a read that asks each key for a member ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn read_member(op: ReadOp, keys: Vec<Key>, member: Member) -> Self {
        let count = keys.len();
        let items = keys.into_iter().chain([member]).collect();
        Self::new(Op::Read(op), count, items)
    }

    /// Makes a write of keys ([`Items::Keys`]).
    #[must_use]
    pub fn write(op: WriteOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Write(op), keys.len(), keys)
    }

    /// Makes a write of members of a key ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn write_members(op: WriteOp, key: Key, members: impl IntoIterator<Item = Member>) -> Self {
        Self::write_each(op, vec![key], members)
    }

    /// Makes a write of the same members of several keys ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn write_each(
        op: WriteOp,
        keys: Vec<Key>,
        members: impl IntoIterator<Item = Member>,
    ) -> Self {
        let count = keys.len();
        let items = keys.into_iter().chain(members).collect();
        Self::new(Op::Write(op), count, items)
    }

    /// Returns the operation.
    #[must_use]
    pub const fn op(&self) -> Op {
        self.op
    }

    /// Returns how the lists of the answer are combined.
    #[must_use]
    pub const fn groups(&self) -> Option<Groups> {
        self.groups
    }

    /// Returns keys and members, of the kind [`Op::items`].
    #[must_use]
    pub fn items(&self) -> &[Vec<u8>] {
        &self.items
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        self.items.get(..self.keys as usize).unwrap_or_default()
    }

    /// Iterates over the keys of each command that it takes where keys may be on different servers.
    pub fn targets(&self) -> impl Iterator<Item = &[Key]> {
        let keys = self.keys();
        let each = match self.op.items() {
            Items::OneSlot => keys.len().max(1),
            Items::KeysAndMembers | Items::Keys => 1,
            Items::Pairs => 2,
        };
        keys.chunks_exact(each)
    }

    /// Makes the part of it that is about some of its keys ([`Self::targets`]).
    #[must_use]
    pub fn part(&self, keys: &[Key]) -> Self {
        let items = keys.iter().chain(self.members()).cloned().collect();
        Self::new(self.op, keys.len(), items)
    }

    /// Reads its first key once more: a command of [`Items::Keys`].
    pub fn read_again(&mut self) {
        if self.op.items() == Items::Keys {
            self.items.extend(self.items.first().cloned());
            self.keys += 1;
        }
    }

    /// Returns the members, or the arguments for [`Items::OneSlot`]; empty for [`Items::Keys`].
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.items.get(self.keys as usize..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_first_and_members_after_them() {
        let items = || vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        for (&op, given) in Op::ALL.iter().flat_map(|op| [(op, 1), (op, 2)]) {
            let command = Command::new(op, given, items());
            let keys = match op.items() {
                Items::KeysAndMembers | Items::OneSlot | Items::Pairs => given,
                Items::Keys => 3,
            };
            assert_eq!(command.keys(), &items()[..keys], "{op:?}");
            assert_eq!(command.members(), &items()[keys..], "{op:?}");
            // Nothing is assumed of what comes in as bytes.
            assert!(Command::new(op, given, Vec::new()).keys().is_empty());
        }
    }
}
