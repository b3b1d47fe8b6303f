//! The table of operations: their names in Redis, whether they read or write, what their items are and what they answer, for all
//! stores. Operations are idempotent: executing one twice, because it was sent again after a lost connection, has the same
//! effect as executing it once.
//!
//! Pages of long lists are in the table, but are read in several steps, and so are no part of a batch ([`crate::pages`]).
//! `clean` is not in the table: it is not part of a batch, but a barrier that runs alone, in many steps
//! ([`crate::manager::Connection::clean`]).

/// Generates the operations from the table below.
macro_rules! operations {
    (
        reads { $( $(#[$read_doc:meta])* $read:ident: $read_name:literal, $read_items:ident, $kind:ident; )+ }
        writes { $( $(#[$write_doc:meta])* $write:ident: $write_name:literal, $items:ident, $effect:ident; )+ }
        pages { $( $(#[$page_doc:meta])* $page:ident: $page_name:literal; )+ }
    ) => {
        /// An operation that reads, and answers one [`Value`](super::Value) for each key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReadOp { $( $(#[$read_doc])* $read, )+ }

        /// An operation that changes the store, and answers [`Reply::Changed`](super::Reply::Changed); one on a lease ([`Items::OneSlot`])
        /// answers [`Reply::Lease`](super::Reply::Lease).
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
