//! The options of a service. [`TABLE`] has their names, types, limits and defaults; [`Options::parse`] reads and checks
//! them. The values come from a [`Source`], which knows that they are in a JavaScript object.

mod addresses;
mod answers;
mod events;
mod fan_out;
mod kinds;
mod raw;
mod read;
mod redis;
mod sessions;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

pub(crate) use self::answers::{Credentials, announced, credentials, user};
pub use self::{
    events::Events,
    fan_out::FanOut,
    kinds::Kind,
    raw::{Raw, Source},
    sessions::Sessions,
    store::Store,
    table::{For, Membership, OnSlow, Row, Seen, TABLE, fields},
};
use self::{
    raw::{invalid, show},
    read::{Reader, boolean},
    table::{
        CACHE, CACHE_MAX_BYTES, CHANNEL_MANAGER, CLEAN_ON_START_UP, COMMAND_TIMEOUT,
        CONNECT_TIMEOUT, GIVE_UP_AFTER, HASH_TAG, MAX_ATTEMPTS, MAX_QUEUE, OFFLINE_QUEUE, PREFIX,
        PUSH_TIMEOUT, RETRY_MAX_DELAY, RETURN_BUFFERS, RPC_NO_DELAY, SOCKET, START_TIMEOUT,
        WAIT_FOR_START,
    },
};
use crate::{driver::Limits, error::Result, keys::KeyLayout};

/// The options of a service, checked.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that is on or off"
)]
pub struct Options {
    /// The first part of every key; empty for the default.
    pub prefix: String,
    /// Whether a channel's name is the hash tag of its keys.
    pub hash_tag: bool,
    /// Whether `start` removes all channels under the prefix.
    pub clean_on_start_up: bool,
    /// Whether calls that are made before `start` is done wait for it.
    pub wait_for_start: bool,
    /// The maximum number of unanswered calls.
    pub max_queue: usize,
    /// The time in which a frontend must answer a push; `None` = no limit.
    pub push_timeout: Option<Duration>,
    /// Whether Nagle's algorithm is disabled on the sockets of pushes.
    pub rpc_no_delay: bool,
    /// How a frontend sends one message to many sessions; `None` = as the framework does.
    pub fan_out: Option<FanOut>,
    /// The registry of who is online; `None` = there is none.
    pub sessions: Option<Sessions>,
    /// The events of channels; `None` = changes are not published.
    pub events: Option<Events>,
    /// The maximum size of the member cache in bytes; `None` = no cache.
    pub cache: Option<usize>,
    /// The driver's timeouts and bounds.
    pub limits: Limits,
    /// The store for the members.
    pub store: Store,
}

impl Options {
    /// Builds keys from the prefix and option `hashTag`.
    #[must_use]
    pub fn keys(&self) -> KeyLayout {
        KeyLayout::new(&self.prefix).with_hash_tag(self.hash_tag)
    }

    /// Returns the line of the log that names the options given that have no effect here, and what there is in their
    /// place; `None` if there are none.
    #[must_use]
    pub fn without_effect(source: Source) -> Option<String> {
        let read = Reader(source);
        let given = TABLE.iter().filter_map(|row| {
            let replacement = row.kind.replacement()?;
            (read.raw(*row) != Raw::Absent).then_some((row.name, replacement))
        });
        let named = given.map(|(name, replacement)| match replacement {
            "" => name.to_owned(),
            _ => format!("{name} ({replacement})"),
        });
        let named: Vec<_> = named.collect();
        (!named.is_empty()).then(|| {
            format!(
                "options of other Redis clients that have no effect here: {}",
                named.join(", ")
            )
        })
    }

    /// Reads and checks all options.
    ///
    /// # Errors
    /// The first option that is not valid, with its value (unless that may be a secret) and what is accepted.
    pub fn parse(source: Source) -> Result<Self> {
        let read = Reader(source);
        if boolean(&read.raw(&RETURN_BUFFERS)) == Some(true) {
            return Err(invalid(
                RETURN_BUFFERS.name,
                "true",
                "false: members are strings",
            ));
        }
        let manager = read.raw(&CHANNEL_MANAGER);
        if !matches!(
            manager,
            Raw::Absent | Raw::Object | Raw::List(_) | Raw::Function | Raw::Other(_)
        ) {
            let accepted = "a manager object, a factory function or a class";
            return Err(invalid(CHANNEL_MANAGER.name, &show(&manager), accepted));
        }
        let mut store = Store::parse(&read)?;
        read.check_aliases()?;
        // Its fields are read as other names of ours.
        read.switch(&SOCKET)?;
        let hash_tag = read.flag(&HASH_TAG)?;
        let default = Limits::default();
        let prefix = prefix(&read, &store, hash_tag)?;
        Ok(Self {
            events: events::events(&read, &mut store)?,
            sessions: sessions::sessions(&read, &mut store, &prefix)?,
            prefix,
            hash_tag,
            clean_on_start_up: read.truthy(&CLEAN_ON_START_UP),
            wait_for_start: read.flag(&WAIT_FOR_START)?,
            max_queue: usize::try_from(read.integer(&MAX_QUEUE)?).unwrap_or(usize::MAX),
            push_timeout: read.time(&PUSH_TIMEOUT)?,
            rpc_no_delay: read.flag(&RPC_NO_DELAY)?,
            fan_out: fan_out::fan_out(&read)?,
            cache: cache(&read)?,
            limits: Limits {
                connect_timeout: read.time(&CONNECT_TIMEOUT)?,
                command_timeout: read.time(&COMMAND_TIMEOUT)?,
                start_timeout: read.time(&START_TIMEOUT)?,
                drain: default.drain,
                offline_queue: read.flag(&OFFLINE_QUEUE)?,
                max_attempts: read.node_redis(&MAX_ATTEMPTS)?,
                retry_cap: read
                    .node_redis(&RETRY_MAX_DELAY)?
                    .map_or(default.retry_cap, Duration::from_millis),
                give_up_after: read.node_redis(&GIVE_UP_AFTER)?.map(Duration::from_millis),
            },
            store,
        })
    }
}

fn prefix(read: &Reader, store: &Store, hash_tag: bool) -> Result<String> {
    let prefix = read.text(&PREFIX)?.unwrap_or_default();
    let keys = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
    keys.check_prefix()?;
    // The prefix must leave room for the shortest key, whose name and sid are empty.
    store.sizes().check_prefix(&keys)?;
    Ok(prefix)
}

fn cache(read: &Reader) -> Result<Option<usize>> {
    if read.switch(&CACHE)? == Some(false) {
        return Ok(None);
    }
    let bytes = read.integer(&CACHE_MAX_BYTES)?;
    Ok(Some(usize::try_from(bytes).unwrap_or(usize::MAX)))
}
