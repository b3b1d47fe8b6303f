//! The operations of a store: one table, from which everybody else learns what an operation is called in Redis,
//! whether it reads or writes, what its items are and what it answers. Commands are idempotent: sending one again after
//! a lost connection leaves the store as sending it once.
//!
//! `clean` is apart: it is no command of a batch, but a barrier that runs alone, in many steps
//! ([`crate::manager::Connection::clean`]).

use std::sync::Arc;

use crate::{error::Result, keys::Key, list::List};

/// One member as stored: a uid's bytes.
pub type Member = Vec<u8>;

/// Makes the operations from the table below.
macro_rules! operations {
    (
        reads { $( $(#[$read_doc:meta])* $read:ident: $read_name:literal, $kind:ident; )+ }
        writes { $( $(#[$write_doc:meta])* $write:ident: $write_name:literal, $items:ident, $effect:ident; )+ }
    ) => {
        /// An operation that reads: of each of its keys one [`Value`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReadOp { $( $(#[$read_doc])* $read, )+ }

        /// An operation that changes the store, and answers [`Reply::Done`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum WriteOp { $( $(#[$write_doc])* $write, )+ }

        impl ReadOp {
            /// Returns what it is called in Redis.
            #[must_use]
            pub const fn redis_name(self) -> &'static str {
                match self { $( Self::$read => $read_name, )+ }
            }

            /// Returns what it answers for each key.
            #[must_use]
            pub const fn kind(self) -> ValueKind {
                match self { $( Self::$read => ValueKind::$kind, )+ }
            }
        }

        impl WriteOp {
            /// Returns what it is called in Redis.
            #[must_use]
            pub const fn redis_name(self) -> &'static str {
                match self { $( Self::$write => $write_name, )+ }
            }

            /// Returns what its items are.
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
            /// All of them.
            pub const ALL: &[Self] = &[
                $( Self::Read(ReadOp::$read), )+
                $( Self::Write(WriteOp::$write), )+
            ];
        }
    };
}

operations! {
    // Operation: name in Redis, what it answers for each key. Its items are keys.
    reads {
        /// The members of each key. The only one that a cache may answer.
        Members: "SMEMBERS", List;
        /// How many members each key has.
        Count: "SCARD", Int;
    }
    // Operation: name in Redis, items, what it does to its keys.
    writes {
        /// Adds members to a key.
        Add: "SADD", KeyAndMembers, Adds;
        /// Removes members from a key.
        Remove: "SREM", KeyAndMembers, Removes;
        /// Removes whole keys, in one step.
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

/// What a read answers for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// [`Value::List`]
    List,
    /// [`Value::Int`]
    Int,
}

/// What the items of a write are; those of a read are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// One key, then members.
    KeyAndMembers,
    /// Keys.
    Keys,
}

/// What a write does to its keys, as far as a cache has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds to them: they exist afterwards.
    Adds,
    /// Takes as many members as it has from them: a key that has no more is gone.
    Removes,
    /// They are gone afterwards.
    Deletes,
}

impl Op {
    /// Returns what it is called in Redis.
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

    /// Returns what its items are.
    #[must_use]
    pub const fn items(self) -> Items {
        match self {
            Self::Read(_) => Items::Keys,
            Self::Write(op) => op.items(),
        }
    }
}

/// One call's worth of work for a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    op: Op,
    /// Keys first; never empty.
    items: Vec<Vec<u8>>,
}

impl Command {
    /// A command of these items, as [`Op::items`] says.
    #[must_use]
    pub const fn new(op: Op, items: Vec<Vec<u8>>) -> Self {
        Self { op, items }
    }

    /// A read of these keys.
    #[must_use]
    pub const fn read(op: ReadOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Read(op), keys)
    }

    /// A write of these keys, for [`Items::Keys`].
    #[must_use]
    pub const fn write(op: WriteOp, keys: Vec<Key>) -> Self {
        Self::new(Op::Write(op), keys)
    }

    /// A write of members of a key, for [`Items::KeyAndMembers`].
    #[must_use]
    pub fn write_members(op: WriteOp, key: Key, members: impl IntoIterator<Item = Member>) -> Self {
        let items = std::iter::once(key).chain(members).collect();
        Self::new(Op::Write(op), items)
    }

    /// Returns what is to be done.
    #[must_use]
    pub const fn op(&self) -> Op {
        self.op
    }

    /// Keys and members, as [`Op::items`] says.
    #[must_use]
    pub fn items(&self) -> &[Vec<u8>] {
        &self.items
    }

    /// Returns its keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        match self.op.items() {
            Items::KeyAndMembers => self.items.get(..1).unwrap_or_default(),
            Items::Keys => &self.items,
        }
    }

    /// Its members, if it has any.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match self.op.items() {
            Items::KeyAndMembers => self.items.get(1..).unwrap_or_default(),
            Items::Keys => &[],
        }
    }
}

/// What a call asks a driver for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which may share a batch with others.
    Command(Command),
    /// Remove every set whose key begins so (see [`crate::keys::KeyLayout::stem`]).
    /// A barrier: what was called before it is answered first, what is called after it waits.
    Clean(Key),
}

/// What a [`Request`] is, without its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// [`Request::Command`]
    Command(Op),
    /// [`Request::Clean`]
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

    /// Its command, if it is no barrier.
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

/// What a store answers when the call as a whole went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A write was done.
    Done,
    /// One value for each key asked for, or the store's error for that key.
    Values(Vec<Result<Value>>),
}

impl Reply {
    /// Returns how many bytes of lists it has, in JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Done => 0,
            Self::Values(values) => values.iter().flatten().map(Value::bytes).sum(),
        }
    }
}

/// What a read answers for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The members.
    List(Arc<List>),
    /// A number, such as that of the members.
    Int(u64),
}

impl Value {
    /// The list, if it is one.
    #[must_use]
    pub const fn list(&self) -> Option<&Arc<List>> {
        match self {
            Self::List(list) => Some(list),
            Self::Int(_) => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn int(&self) -> Option<u64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::List(_) => None,
        }
    }

    /// Returns how many bytes of lists it has, in JSON.
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
