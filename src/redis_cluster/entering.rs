//! Adds members to the index that it does not have ([`crate::pages::unindexed`]), in a Redis Cluster, where channel and index
//! are in different slots: reads a part of the members, then writes their entries. A member that is removed in between gets
//! an entry without a member, which is harmless; nothing here removes an entry or changes a channel.

use std::sync::Arc;

use super::{
    pages::members,
    rounds::{ask, is_no_set},
    shared::Shared,
};
use crate::{
    error::{Error, Result},
    keys::Key,
    membership::field,
    pages::Entered,
    redis_manager::{Entries, entered, wrote},
};

/// Does a step.
pub(super) async fn enter(
    shared: &Arc<Shared>,
    [channel, index]: [Key; 2],
    position: Option<Vec<u8>>,
    count: usize,
) -> Result<Entered> {
    let field = field(&channel, &index).unwrap_or_default().to_vec();
    let step = match members(shared, channel, position, count).await {
        // No set has members of ours.
        Err(error) if is_no_set(&error) => return Ok(Entered::default()),
        step => step?,
    };
    let mut done = Entered {
        count: 0,
        next: step.next,
    };
    if step.found.is_empty() {
        return Ok(done);
    }
    let mut entries = Entries::new();
    for uid in &step.found {
        entries.entry(uid).or_default().push(&field);
    }
    let asked = vec![(&index, entered(&index, &entries))];
    for answer in ask(shared, asked).await.map_err(Error::from)? {
        done.count += wrote(answer?)?;
    }
    Ok(done)
}
