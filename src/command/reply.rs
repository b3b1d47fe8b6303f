//! The answers of a store: to a call, and to a read for one key.

use std::sync::Arc;

use crate::{error::Result, lease::Lease, list::List, pages::Page};

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
