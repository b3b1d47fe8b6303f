//! Lists a store as text: a line of JSON for each set.

use std::collections::{BTreeSet, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream::BoxStream};

use super::Opened;
use crate::{
    command::Member,
    error::{Error, Result},
    keys::Key,
    list::List,
};

/// The number of sets that are read at a time.
const READERS: usize = 8;

/// Streams a line `{"key":"…","members":["…"]}` for each set whose key begins with `stem`: keys in no order, members in
/// that of their bytes. Bytes that are not UTF-8 read as U+FFFD.
#[must_use]
pub fn lines<'a>(source: &'a Opened, stem: &[u8]) -> BoxStream<'a, Result<String>> {
    let mut seen = HashSet::new();
    source
        .keys(stem)
        .try_filter(move |key| future::ready(seen.insert(key.clone())))
        .map_ok(move |key| {
            let members = source.members(&key).try_concat();
            async move { line(&key, members.await?) }
        })
        .try_buffered(READERS)
        // A set that was removed meanwhile.
        .try_filter_map(|line| future::ready(Ok(line)))
        .boxed()
}

fn line(key: &Key, members: Vec<Member>) -> Result<Option<String>> {
    if members.is_empty() {
        return Ok(None);
    }
    let once: BTreeSet<Member> = members.into_iter().collect();
    let members = List::new(once)?;
    let key = serde_json::to_string(&String::from_utf8_lossy(key));
    let key = key.map_err(|error| Error::Internal(error.to_string()))?;
    let members = members.json();
    Ok(Some(format!("{{\"key\":{key},\"members\":{members}}}\n")))
}
