//! Option `events`: changes of channels are published, and can be watched ([`crate::events`]).

use std::time::Duration;

use super::{
    raw::{Raw, invalid},
    read::Reader,
    store::Store,
    table::{CHANNEL_MANAGER, EVENTS, LEAVE_DELAY},
};
use crate::error::Result;

/// The value of option `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    /// How long a channel must have been empty to count as vacated.
    pub leave_delay: Duration,
}

/// Reads option `events`, and has the store publish; `None` means that nothing is published.
pub(super) fn events(read: &Reader, store: &mut Store) -> Result<Option<Events>> {
    if !read.flag(&EVENTS)? {
        return Ok(None);
    }
    match (read.raw(&CHANNEL_MANAGER), store) {
        (Raw::Absent, Store::Redis(redis)) => redis.events = true,
        (Raw::Absent, Store::Cluster(cluster)) => cluster.node.events = true,
        (Raw::Absent, Store::Embedded(embedded)) => embedded.events = true,
        _ => {
            let accepted =
                "false with option channelManager, whose method watch is used in its place";
            return Err(invalid(EVENTS.name, "true", accepted));
        }
    }
    let leave_delay = Duration::from_millis(read.integer(&LEAVE_DELAY)?);
    Ok(Some(Events { leave_delay }))
}
