//! What pages are read from: the steps that a store does.

use futures_util::future::BoxFuture;

use crate::{
    error::Result,
    keys::{Key, pattern},
};

/// A step of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Members or keys; some may come twice.
    pub found: Vec<Vec<u8>>,
    /// The position of the next step, of the store's own form and never empty; `None` after the last one.
    pub next: Option<Vec<u8>>,
}

/// Which keys a scan of the store looks for. What is found may be more.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    /// What each key begins with.
    pub stem: Key,
    /// The same, and the name, as a pattern for `SCAN`.
    pub pattern: Vec<u8>,
}

impl KeyFilter {
    /// Makes a filter that finds all keys that begin with a stem.
    #[must_use]
    pub fn all(stem: Key) -> Self {
        let pattern = pattern(&stem);
        Self { stem, pattern }
    }
}

/// The future of a step.
pub type StepFuture = BoxFuture<'static, Result<Step>>;

/// A connection, as far as pages are read from it. An [`crate::error::Error::Disconnected`] means that it is lost.
///
/// A step without a position is the first one. A position from another server, where it means nothing, begins anew.
pub trait PageSource: Send + Sync {
    /// Reads about `count` members of a set.
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture;

    /// Looks at about `count` keys.
    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture;

    /// Returns how many members each set has; 0 where there is no such set.
    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>>;

    /// Adds about `count` members of a channel to the index of its frontend, as far as they are not in it, and never one
    /// that is no member any more, unless channel and index are on different servers. The keys are those of both.
    fn enter(
        &self,
        keys: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>>;
}

/// A step in which members of a channel were added to the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entered {
    /// How many were not in it.
    pub count: u64,
    /// As in [`Step`].
    pub next: Option<Vec<u8>>,
}
