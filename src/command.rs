//! The operations of a store. One table defines, for all stores, their names in Redis, whether they read or write, what
//! their items are and what they answer. Commands are idempotent: executing one twice, because it was sent again after
//! a lost connection, has the same effect as executing it once.
//!
//! Pages of long lists are in the table, but are read in several steps, and so are no part of a batch ([`crate::pages`]).
//! `clean` is not in the table: it is not part of a batch, but a barrier that runs alone, in many steps
//! ([`crate::manager::Connection::clean`]).

use std::sync::Arc;

use crate::{
    error::Result,
    everywhere::Everywhere,
    keys::Key,
    lease::Lease,
    list::{Groups, List},
    pages::{Page, PageQuery},
    removal::Removal,
};

/// A member as stored: the bytes of a uid.
pub type Member = Vec<u8>;

/// Generates the operations from the table below.
macro_rules! operations {
    (
        reads { $( $(#[$read_doc:meta])* $read:ident: $read_name:literal, $read_items:ident, $kind:ident; )+ }
        writes { $( $(#[$write_doc:meta])* $write:ident: $write_name:literal, $items:ident, $effect:ident; )+ }
        pages { $( $(#[$page_doc:meta])* $page:ident: $page_name:literal; )+ }
    ) => {
        /// An operation that reads, and answers one [`Value`] for each key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReadOp { $( $(#[$read_doc])* $read, )+ }

        /// An operation that changes the store, and answers [`Reply::Changed`]; one on a lease ([`Items::OneSlot`])
        /// answers [`Reply::Lease`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum WriteOp { $( $(#[$write_doc])* $write, )+ }

        /// An operation that reads a part of a long list, in several steps: see [`crate::pages`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum PageOp { $( $(#[$page_doc])* $page, )+ }

        impl PageOp {
            /// All operations.
            pub const ALL: &[Self] = &[ $( Self::$page, )+ ];

            /// Returns the name of the Redis command.
            #[must_use]
            pub const fn redis_name(self) -> &'static str {
                match self { $( Self::$page => $page_name, )+ }
            }
        }

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

            /// Returns the kind of the items.
            #[must_use]
            pub const fn items(self) -> Items {
                match self { $( Self::$read => Items::$read_items, )+ }
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
    // Operation: name in Redis, kind of the items, kind of the value for each key.
    reads {
        /// Reads the members of each key. A cache may answer it.
        Members: "SMEMBERS", Keys, List;
        /// Counts the members of each key.
        Count: "SCARD", Keys, Int;
        /// Tells for each key whether a uid is a member.
        IsMember: "SISMEMBER", KeysAndMembers, Bool;
        /// Tells for each key of a lease who holds it.
        Lease: "EVAL", Keys, Lease;
        /// Reads the channels of a user from each index of members ([`crate::membership`]).
        Joined: "EVAL", KeysAndMembers, List;
        /// Reads the users whom each index of members has.
        Users: "SMEMBERS", Keys, List;
        /// Reads the users of whom entries of an index of members are kept after a purge.
        KeptUsers: "HKEYS", Keys, List;
    }
    // Operation: name in Redis, kind of the items, effect on the keys.
    writes {
        /// Adds members to each key.
        Add: "SADD", KeysAndMembers, Adds;
        /// Removes members from each key.
        Remove: "SREM", KeysAndMembers, Removes;
        /// Removes whole keys, atomically.
        Delete: "UNLINK", Keys, Deletes;
        /// Claims the lease of a frontend ([`crate::lease`]).
        Claim: "EVAL", OneSlot, MayDelete;
        /// Renews it.
        Renew: "EVAL", OneSlot, Keeps;
        /// Releases it.
        Release: "EVAL", OneSlot, MayDelete;
        /// Removes what the holder of an expired lease has left.
        Sweep: "EVAL", OneSlot, MayDelete;
        /// Adds users to those who are online on a frontend, as long as the lease allows it.
        AddOnline: "EVAL", OneSlot, Adds;
        /// Removes users from those, as long as the lease allows it.
        RemoveOnline: "EVAL", OneSlot, Removes;
        /// Adds members to each channel and to the index of its frontend ([`crate::membership`]).
        Join: "EVAL", Pairs, Adds;
        /// Removes members from each channel and from the index of its frontend.
        Part: "EVAL", Pairs, Removes;
        /// Removes a user from all channels that an index of members has for him; answers the lists of these.
        LeaveAll: "EVAL", KeysAndMembers, MayDelete;
        /// Removes the members that an index has of some users, as long as the lease allows it.
        Purge: "EVAL", OneSlot, MayDelete;
        /// Adds the members of some users that were kept by a purge again, as long as the lease allows it.
        PutBack: "EVAL", OneSlot, MayDelete;
        /// Keeps them no longer, as long as the lease allows it.
        Forget: "EVAL", OneSlot, MayDelete;
    }
    // Operation: name in Redis.
    pages {
        /// Reads a part of the members of a key.
        Members: "SSCAN";
        /// Lists a part of the channels, and counts their members.
        Channels: "SCAN";
        /// Lists a part of the channels that have members on one frontend.
        ChannelsOn: "SCAN";
        /// Adds a part of the members of a channel to the index of its frontend ([`crate::pages::unindexed`]).
        Enter: "EVAL";
    }
}

impl PageOp {
    /// Returns whether it is executed beside the other calls: it has no place among them, and none waits for it.
    #[must_use]
    pub const fn is_beside(self) -> bool {
        matches!(self, Self::ChannelsOn | Self::Enter)
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
    /// A [`Value::Bool`].
    Bool,
    /// A [`Value::Lease`].
    Lease,
}

/// The kinds of items of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// Keys, then members, which are those of each key. In Redis it is one command for each key.
    KeysAndMembers,
    /// Keys. In Redis a read is one command for each key, a write a single one.
    Keys,
    /// Keys of one hash slot, then arguments: one command, everywhere.
    OneSlot,
    /// Pairs of keys, a channel on a frontend and the index of the members there, then members, which are those of each
    /// channel. In Redis it is one command for each pair.
    Pairs,
}

/// The effect of a write on its keys, as far as a cache needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Adds members, and removes nothing.
    Adds,
    /// Removes nothing, and leaves lists of members as they are.
    Keeps,
    /// Removes members: a key whose last member was removed does not exist afterwards.
    Removes,
    /// Removes the keys.
    Deletes,
    /// May remove keys, depending on what the store has.
    MayDelete,
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
            Self::Read(op) => op.items(),
            Self::Write(op) => op.items(),
        }
    }

    /// Returns how many commands of a server that has all keys an operation on so many keys takes.
    #[must_use]
    pub const fn commands(self, keys: usize) -> usize {
        match (self, self.items()) {
            (Self::Write(_), Items::Keys) | (_, Items::OneSlot) => 1,
            (_, Items::Pairs) => keys / 2,
            _ => keys,
        }
    }

    /// Returns whether it reads whole sets, which a cache may answer.
    #[must_use]
    pub const fn is_cached(self) -> bool {
        matches!(self, Self::Read(ReadOp::Members | ReadOp::Users))
    }

    /// Returns whether it is also about keys that are found while it is executed: those that an index names.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Read(ReadOp::Joined)
                | Self::Write(WriteOp::LeaveAll | WriteOp::Purge | WriteOp::PutBack)
        )
    }
}

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

/// A call to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which may share a batch with others.
    Command(Command),
    /// A page of a long list, which is read in several steps. It is no part of a batch, but no barrier either.
    Page(PageQuery),
    /// An operation on channels on all frontends that are known when it is answered.
    Everywhere(Box<Everywhere>),
    /// Removes sets by their keys. A barrier: calls made before it are answered first, calls made after it wait.
    Clean(Box<Removal>),
}

/// The kind of a [`Request`], without its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A [`Request::Command`].
    Command(Op),
    /// A [`Command::combined`].
    Combined(Groups),
    /// A [`Request::Page`].
    Page(PageOp),
    /// A [`Request::Everywhere`] with this number of members.
    Everywhere(Op, u32),
    /// A [`Request::Clean`] of the whole prefix.
    Clean,
    /// A [`Request::Clean`] of this number of channels.
    CleanChannels(u32),
}

impl Request {
    /// Returns whether it changes the store.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        match self {
            Self::Command(command) => command.op.is_write(),
            Self::Page(_) => false,
            Self::Everywhere(everywhere) => everywhere.op.is_write(),
            Self::Clean(_) => true,
        }
    }

    /// Returns whether it removes channels, not all there are.
    #[must_use]
    pub const fn is_of_channels(&self) -> bool {
        matches!(self, Self::Clean(removal) if removal.is_of_channels())
    }

    /// Returns whether it must run alone.
    #[must_use]
    pub const fn is_barrier(&self) -> bool {
        matches!(self, Self::Clean(_))
    }

    /// Returns the command; `None` for what is not executed in a batch.
    #[must_use]
    pub const fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            Self::Everywhere(everywhere) => Some(everywhere.command()),
            Self::Page(_) | Self::Clean(_) => None,
        }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

/// The answer of a store to a call that succeeded as a whole. Replies are moved from one place to the next many times, so
/// what is large and rare is boxed, here and in [`Value`] and [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done, with nothing to count.
    Done,
    /// The answer to a write: how many members it added or removed, or how many keys it removed. What is sent again
    /// after a lost connection counts what was left to do.
    Changed(u64),
    /// The answer to a [`Request::Clean`] of a whole prefix: how many keys it has removed.
    Removed(u64),
    /// The answer to a write of a lease.
    Lease(Box<Lease>),
    /// The answer to a read: for each key a value, or the store's error for that key.
    Values(Vec<Result<Value>>),
    /// The answer to a [`Request::Page`].
    Page(Box<Page>),
}

impl Reply {
    /// Returns the size of the lists in it, in bytes of JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Done | Self::Changed(_) | Self::Removed(_) | Self::Lease(_) | Self::Page(_) => 0,
            Self::Values(values) => values.iter().flatten().map(Value::bytes).sum(),
        }
    }
}

impl From<Lease> for Reply {
    fn from(lease: Lease) -> Self {
        Self::Lease(Box::new(lease))
    }
}

impl From<Page> for Reply {
    fn from(page: Page) -> Self {
        Self::Page(Box::new(page))
    }
}

/// The answer to a read, for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The members.
    List(Arc<List>),
    /// A number, such as the number of members.
    Int(u64),
    /// Whether it is so.
    Bool(bool),
    /// Who holds a lease.
    Lease(Box<Lease>),
}

impl From<Lease> for Value {
    fn from(lease: Lease) -> Self {
        Self::Lease(Box::new(lease))
    }
}

impl Value {
    /// Returns the list, if it is one.
    #[must_use]
    pub const fn list(&self) -> Option<&Arc<List>> {
        match self {
            Self::List(list) => Some(list),
            Self::Int(_) | Self::Bool(_) | Self::Lease(_) => None,
        }
    }

    /// Returns the number, if it is one.
    #[must_use]
    pub const fn int(&self) -> Option<u64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::List(_) | Self::Bool(_) | Self::Lease(_) => None,
        }
    }

    /// Returns whether it is [`Self::Bool`] and true.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// Returns the size of the list in bytes of JSON; 0 for any other value.
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
