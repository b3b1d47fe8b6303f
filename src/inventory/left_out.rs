//! Counts the keys of a fork that are not converted, kind by kind, so that a user can see that nothing else was.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher as _, RandomState},
};

use futures_util::TryStreamExt as _;

use super::{Opened, patient};
use crate::{error::Error, manager::Others};

/// Keys of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What they hold.
    pub what: &'static str,
    /// What they begin with.
    pub stem: String,
    /// How many there are, as far as they were counted.
    pub keys: u64,
    /// Why counting ended early.
    pub failed: Option<Error>,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.keys == 1 { "" } else { "s" };
        let (keys, stem, what) = (self.keys, &self.stem, self.what);
        write!(f, "{keys} key{plural} {stem}* ({what})")?;
        match &self.failed {
            Some(error) => write!(f, ", and counting failed: {error}"),
            None => Ok(()),
        }
    }
}

impl Opened {
    /// Returns the kinds of keys of which there are any. An error is part of the answer: it changes nothing in what was
    /// converted.
    pub async fn left_out(&self) -> Vec<LeftOut> {
        let mut found = Vec::new();
        for Others { what, stem, keys } in self.connection.others() {
            // Numbers in place of keys: there may be one for each user.
            let (mut seen, hasher) = (HashSet::new(), RandomState::new());
            let mut keys = patient(keys, self.name.clone());
            let failed = loop {
                match keys.try_next().await {
                    Ok(Some(keys)) => seen.extend(keys.iter().map(|key| hasher.hash_one(key))),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if !seen.is_empty() || failed.is_some() {
                found.push(LeftOut {
                    what,
                    stem: String::from_utf8_lossy(&stem).into_owned(),
                    keys: seen.len() as u64,
                    failed,
                });
            }
        }
        found
    }
}
