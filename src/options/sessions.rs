//! Option `sessions`: the registry of who is online, which is in `lib/sessions/`; and option `membership`, which needs
//! it.

use std::time::Duration;

use super::{
    raw::{Raw, invalid},
    read::Reader,
    store::Store,
    table::{CHANNEL_MANAGER, LEASE_TTL, LEAVE_DELAY, MEMBERSHIP, Membership, SESSIONS},
};
use crate::{error::Result, keys::KeyLayout};

/// The value of option `sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// The time after which a frontend that does not renew its lease counts as dead.
    pub lease_ttl: Duration,
    /// How long a user stays a member after the last session has ended.
    pub leave_delay: Duration,
    /// How long a member lives.
    pub membership: Membership,
}

/// Reads options `sessions`, `leaseTtl`, `leaveDelay` and `membership`, and has the store keep members; `None` means
/// that there is no registry.
pub(super) fn sessions(read: &Reader, store: &mut Store, prefix: &str) -> Result<Option<Sessions>> {
    let lease_ttl = Duration::from_millis(read.integer(&LEASE_TTL)?);
    let leave_delay = Duration::from_millis(read.integer(&LEAVE_DELAY)?);
    let membership = read.word(&MEMBERSHIP)?;
    let with_session = membership == Membership::Session;
    if !read.flag(&SESSIONS)? && !with_session {
        return Ok(None);
    }
    if read.raw(&CHANNEL_MANAGER) != Raw::Absent {
        if with_session {
            let accepted =
                "\"persistent\" with option channelManager, since a custom manager has no leases";
            return Err(invalid(MEMBERSHIP.name, "\"session\"", accepted));
        }
        let accepted = "false with option channelManager, since a custom manager has no leases";
        return Err(invalid(SESSIONS.name, "true", accepted));
    }
    if matches!(store, Store::Cluster(_)) {
        KeyLayout::new(prefix).check_lease_prefix()?;
    }
    match store {
        Store::Redis(redis) => redis.keeps = with_session,
        Store::Cluster(cluster) => cluster.node.keeps = with_session,
        Store::Embedded(embedded) => embedded.keeps = with_session,
    }
    Ok(Some(Sessions {
        lease_ttl,
        leave_delay,
        membership,
    }))
}
