//! What a store is asked and answers: a [`Command`] is the work of one call in a batch, with an operation of the table in
//! [`operations`]; a [`Request`] is any call to the driver; a [`Reply`] is its answer.

mod operations;
mod reply;
mod request;
mod texts;

pub use self::{
    operations::{Effect, Items, Op, PageOp, ReadOp, ValueKind, WriteOp},
    reply::{Reply, Value},
    request::{Code, Request},
    texts::{EachText, Texts},
};

use crate::{keys::Key, list::Groups};

/// A member as stored: the bytes of a uid.
pub type Member = Vec<u8>;

/// A command for a store: the work of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    op: Op,
    /// How the driver combines the lists before it answers.
    groups: Option<Groups>,
    keys: Vec<Key>,
    members: Texts,
}

impl Command {
    /// Makes a command; keys and members, or the arguments in their place, must be of the kind [`Op::items`].
    #[must_use]
    pub const fn new(op: Op, keys: Vec<Key>, members: Texts) -> Self {
        Self {
            op,
            groups: None,
            keys,
            members,
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
        Self::new(Op::Read(op), keys, Texts::default())
    }

    /// Makes a read that asks each key for a member ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn read_member(op: ReadOp, keys: Vec<Key>, member: &[u8]) -> Self {
        Self::new(Op::Read(op), keys, Texts::from_iter([member]))
    }

    /// Makes a write of keys ([`Items::Keys`]).
    #[must_use]
    pub fn write(op: WriteOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Write(op), keys, Texts::default())
    }

    /// Makes a write of members of a key ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn write_members(
        op: WriteOp,
        key: Key,
        members: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Self {
        Self::write_each(op, vec![key], members)
    }

    /// Makes a write of the same members of several keys ([`Items::KeysAndMembers`]).
    #[must_use]
    pub fn write_each(
        op: WriteOp,
        keys: Vec<Key>,
        members: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Self {
        Self::new(Op::Write(op), keys, members.into_iter().collect())
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

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
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
        Self::new(self.op, keys.to_vec(), self.members.clone())
    }

    /// Reads its first key once more: a command of [`Items::Keys`].
    pub fn read_again(&mut self) {
        if self.op.items() == Items::Keys {
            self.keys.extend(self.keys.first().cloned());
        }
    }

    /// Returns the members, or the arguments for [`Items::OneSlot`]; empty for [`Items::Keys`].
    #[must_use]
    pub const fn members(&self) -> &Texts {
        &self.members
    }
}
