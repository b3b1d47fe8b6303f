//! What a manager is asked, and what it answers. Commands are idempotent: sending one again after
//! a lost connection leaves the store as sending it once.

use std::sync::Arc;

use crate::{error::Result, keys::Key, list::List};

/// One member as stored: a uid's bytes.
pub type Member = Vec<u8>;

/// One call's worth of work for a manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add members to one key.
    Add {
        /// Where to.
        key: Key,
        /// Who; never empty.
        members: Vec<Member>,
    },
    /// Remove members from one key.
    Remove {
        /// Where from.
        key: Key,
        /// Who; never empty.
        members: Vec<Member>,
    },
    /// Read the members of each key.
    Members {
        /// Which; never empty.
        keys: Vec<Key>,
    },
    /// Remove whole keys, in one step.
    Delete {
        /// Which; never empty.
        keys: Vec<Key>,
    },
    /// Remove every set whose key begins so (see [`crate::keys::KeyLayout::stem`]).
    /// A barrier: what was called before it is answered first, what is called after it waits.
    Clean {
        /// What the keys begin with.
        stem: Key,
    },
}

impl Command {
    /// Whether it changes the store.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Members { .. })
    }

    /// Whether it must run alone.
    #[must_use]
    pub fn is_barrier(&self) -> bool {
        matches!(self, Self::Clean { .. })
    }
}

/// What a manager answers when the call as a whole went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A write was done.
    Done,
    /// One list for each key asked for, or the store's error for that key.
    Members(Vec<Result<Arc<List>>>),
}
