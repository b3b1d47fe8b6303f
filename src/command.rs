//! The operations of a store. One table defines, for all stores, their names in Redis, whether they read or write, what
//! their items are and what they answer. Commands are idempotent: executing one twice, because it was sent again after
//! a lost connection, has the same effect as executing it once.
//!
//! `clean` is not in the table: it is not part of a batch, but a barrier that runs alone, in many steps
//! ([`crate::manager::Connection::clean`]).

use std::sync::Arc;

use crate::{
    error::Result,
    keys::Key,
    list::{Groups, List},
};

/// A member as stored: the bytes of a uid.
pub type Member = Vec<u8>;

/// Generates the operations from the table below.
macro_rules! operations {
    (
        reads { $( $(#[$read_doc:meta])* $read:ident: $read_name:literal, $kind:ident; )+ }
        writes { $( $(#[$write_doc:meta])* $write:ident: $write_name:literal, $items:ident, $effect:ident; )+ }
    ) => {
        /// An operation that reads, and answers one [`Value`] for each key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReadOp { $( $(#[$read_doc])* $read, )+ }

        /// An operation that changes the store, and answers [`Reply::Done`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum WriteOp { $( $(#[$write_doc])* $write, )+ }

        impl ReadOp {
            /// Returns the name of the Redis command.
            #[must_use]
            pub const fn redis_name(self) -> &'static str {
                match self { $( Self::$read => $read_name, )+ }
            }

            /// Returns the kind of the value for each key.
            #[must_use]
            pub const fn kind(self) -> ValueKind {
                match self { $( Self::$read => ValueKind::$kind, )+ }
            }
        }

        impl WriteOp {
            /// Returns the name of the Redis command.
            #[must_use]
            pub const fn redis_name(self) -> &'static str {
                match self { $( Self::$write => $write_name, )+ }
            }

            /// Returns the kind of the items.
            #[must_use]
            pub const fn items(self) -> Items {
                match self { $( Self::$write => Items::$items, )+ }
            }

            /// Returns what it does to its keys.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $( Self::$write => Effect::$effect, )+ }
            }
        }

        impl Op {
            /// All operations.
            pub const ALL: &[Self] = &[
                $( Self::Read(ReadOp::$read), )+
                $( Self::Write(WriteOp::$write), )+
            ];
        }
    };
}

operations! {
    // Operation: name in Redis, kind of the value for each key. The items are keys.
    reads {
        /// Reads the members of each key. The only read that a cache may answer.
        Members: "SMEMBERS", List;
        /// Counts the members of each key.
        Count: "SCARD", Int;
    }
    // Operation: name in Redis, kind of the items, effect on the keys.
    writes {
        /// Adds members to a key.
        Add: "SADD", KeyAndMembers, Adds;
        /// Removes members from a key.
        Remove: "SREM", KeyAndMembers, Removes;
        /// Removes whole keys, atomically.
        Delete: "UNLINK", Keys, Deletes;
    }
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// One that reads.
    Read(ReadOp),
    /// One that writes.
    Write(WriteOp),
}

/// The kinds of values that reads answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A [`Value::List`].
    List,
    /// A [`Value::Int`].
    Int,
}

/// The kinds of items of an operation. Those of a read are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// One key, then members.
    KeyAndMembers,
    /// Keys.
    Keys,
}

/// The effect of a write on its keys, as far as a cache needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds members: the keys exist afterwards.
    Adds,
    /// Removes members: a key whose last member was removed does not exist afterwards.
    Removes,
    /// Removes the keys.
    Deletes,
}

impl Op {
    /// Returns the name of the Redis command.
    #[must_use]
    pub const fn redis_name(self) -> &'static str {
        match self {
            Self::Read(op) => op.redis_name(),
            Self::Write(op) => op.redis_name(),
        }
    }

    /// Returns whether it changes the store.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Write(_))
    }

    /// Returns the kind of the items.
    #[must_use]
    pub const fn items(self) -> Items {
        match self {
            Self::Read(_) => Items::Keys,
            Self::Write(op) => op.items(),
        }
    }
}

/// A command for a store: the work of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    op: Op,
    /// The keys, then the members; never empty.
    items: Vec<Vec<u8>>,
    /// How the driver combines the lists before it answers.
    groups: Option<Groups>,
}

impl Command {
    /// Makes a command; the items must be of the kind [`Op::items`].
    #[must_use]
    pub const fn new(op: Op, items: Vec<Vec<u8>>) -> Self {
        Self {
            op,
            items,
            groups: None,
        }
    }

    /// Makes a read of lists that are combined: the answer has one for each group of keys.
    #[must_use]
    pub const fn combined(keys: Vec<Key>, groups: Groups) -> Self {
        Self {
            op: Op::Read(ReadOp::Members),
            items: keys,
            groups: Some(groups),
        }
    }

    /// Makes a read of keys.
    #[must_use]
    pub const fn read(op: ReadOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Read(op), keys)
    }

    /// Makes a write of keys ([`Items::Keys`]).
    #[must_use]
    pub const fn write(op: WriteOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Write(op), keys)
    }

    /// Makes a write of members of a key ([`Items::KeyAndMembers`]).
    #[must_use]
    pub fn write_members(op: WriteOp, key: Key, members: impl IntoIterator<Item = Member>) -> Self {
        let items = std::iter::once(key).chain(members).collect();
        Self::new(Op::Write(op), items)
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
        match self.op.items() {
            Items::KeyAndMembers => self.items.get(..1).unwrap_or_default(),
            Items::Keys => &self.items,
        }
    }

    /// Returns the members; empty for [`Items::Keys`].
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match self.op.items() {
            Items::KeyAndMembers => self.items.get(1..).unwrap_or_default(),
            Items::Keys => &[],
        }
    }
}

/// A call to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which may share a batch with others.
    Command(Command),
    /// Removes every set whose key begins with this stem (see [`crate::keys::KeyLayout::stem`]). A barrier: calls made
    /// before it are answered first, calls made after it wait.
    Clean(Key),
}

/// The kind of a [`Request`], without its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A [`Request::Command`].
    Command(Op),
    /// A [`Command::combined`].
    Combined(Groups),
    /// A [`Request::Clean`].
    Clean,
}

impl Request {
    /// Returns whether it changes the store.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        match self {
            Self::Command(command) => command.op.is_write(),
            Self::Clean(_) => true,
        }
    }

    /// Returns whether it must run alone.
    #[must_use]
    pub const fn is_barrier(&self) -> bool {
        matches!(self, Self::Clean(_))
    }

    /// Returns the command; `None` for a barrier.
    #[must_use]
    pub const fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            Self::Clean(_) => None,
        }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

/// The answer of a store to a call that succeeded as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The answer to a write.
    Done,
    /// The answer to a [`Request::Clean`]: how many keys it has removed.
    Removed(u64),
    /// The answer to a read: for each key a value, or the store's error for that key.
    Values(Vec<Result<Value>>),
}

impl Reply {
    /// Returns the size of the lists in it, in bytes of JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Done | Self::Removed(_) => 0,
            Self::Values(values) => values.iter().flatten().map(Value::bytes).sum(),
        }
    }
}

/// The answer to a read, for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The members.
    List(Arc<List>),
    /// A number, such as the number of members.
    Int(u64),
}

impl Value {
    /// Returns the list, if it is one.
    #[must_use]
    pub const fn list(&self) -> Option<&Arc<List>> {
        match self {
            Self::List(list) => Some(list),
            Self::Int(_) => None,
        }
    }

    /// Returns the number, if it is one.
    #[must_use]
    pub const fn int(&self) -> Option<u64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::List(_) => None,
        }
    }

    /// Returns the size of the list in bytes of JSON; 0 for a number.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.list().map_or(0, |list| list.json().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_first_and_members_after_them() {
        let items = || vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        for &op in Op::ALL {
            let command = Command::new(op, items());
            let keys = match op.items() {
                Items::KeyAndMembers => 1,
                Items::Keys => 3,
            };
            assert_eq!(command.keys(), &items()[..keys], "{op:?}");
            assert_eq!(command.members(), &items()[keys..], "{op:?}");
            // Nothing is assumed of what comes in as bytes.
            assert!(Command::new(op, Vec::new()).keys().is_empty());
        }
    }
}
