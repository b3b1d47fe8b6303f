//! Option `sessions`: the registry of who is online. The registry is in `lib/sessions/`.

use std::time::Duration;

use super::{
    read::{Raw, Reader, invalid},
    store::Store,
    table::{CHANNEL_MANAGER, LEASE_TTL, LEAVE_DELAY, SESSIONS},
};
use crate::{error::Result, keys::KeyLayout};

/// The value of option `sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// The time after which a frontend that does not renew its lease counts as dead.
    pub lease_ttl: Duration,
    /// How long a user stays a member after the last session has ended.
    pub leave_delay: Duration,
}

/// Reads options `sessions`, `leaseTtl` and `leaveDelay`; `None` means that there is no registry.
pub(super) fn sessions(read: &Reader, store: &Store, prefix: &str) -> Result<Option<Sessions>> {
    let lease_ttl = Duration::from_millis(read.integer(&LEASE_TTL)?);
    let leave_delay = Duration::from_millis(read.integer(&LEAVE_DELAY)?);
    if !read.flag(&SESSIONS)? {
        return Ok(None);
    }
    if read.raw(&CHANNEL_MANAGER) != Raw::Absent {
        let accepted = "false with option channelManager, since a custom manager has no leases";
        return Err(invalid(SESSIONS.name, "true", accepted));
    }
    if matches!(store, Store::Cluster(_)) {
        KeyLayout::new(prefix).check_lease_prefix()?;
    }
    Ok(Some(Sessions {
        lease_ttl,
        leave_delay,
    }))
}
