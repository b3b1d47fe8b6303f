//! What is watched: names of channels, and prefixes of names.

use std::collections::{BTreeSet, HashSet};

/// What is watched.
#[derive(Debug, Default)]
pub(super) struct Filter {
    names: HashSet<String>,
    prefixes: BTreeSet<String>,
}

impl Filter {
    /// Adds a name or a prefix, or removes it.
    pub(super) fn set(&mut self, text: &str, is_prefix: bool, is_on: bool) {
        match (is_prefix, is_on) {
            (true, true) => drop(self.prefixes.insert(text.to_owned())),
            (true, false) => drop(self.prefixes.remove(text)),
            (false, true) => drop(self.names.insert(text.to_owned())),
            (false, false) => drop(self.names.remove(text)),
        }
    }

    /// Returns whether a channel is watched.
    pub(super) fn has(&self, name: &str) -> bool {
        // Prefixes are few: an app watches kinds of channels.
        self.names.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Returns whether nothing is watched.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.prefixes.is_empty()
    }
}
