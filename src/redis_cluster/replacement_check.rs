//! Detects that an unresponsive node has lost its slots, by asking another node for its slot map. Then a replica has
//! taken over, and waiting longer does not help.

use std::time::Duration;

use redis::{Pipeline, Value, aio::MultiplexedConnection};
use tokio::time::{sleep, timeout};

use super::{announced::map_slots, slots::SlotMap};
use crate::redis_manager::{Address, RedisOptions};

/// How long a node may be silent before another one is asked, and how long that one may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A node that answers, and a connection to it.
pub(super) type Peer = (Address, MultiplexedConnection);

/// Asks a node for `CLUSTER SLOTS`; the error is a text.
pub(super) async fn slots(peer: Peer) -> Result<Value, String> {
    let (_, mut connection) = peer;
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("SLOTS");
    let replies = connection.send_packed_commands(&pipeline, 0, 1).await;
    let mut replies = replies.map_err(|error| error.to_string())?;
    replies
        .pop()
        .ok_or_else(|| "no answer to CLUSTER SLOTS".to_owned())
}

/// Asks a node for its slot map; nothing if it does not answer soon. `node` has the map of addresses.
pub(super) async fn map(node: &RedisOptions, peer: Peer) -> Option<SlotMap> {
    let asked = peer.0.clone();
    let answer = timeout(PATIENCE, slots(peer)).await.ok()?.ok()?;
    map_slots(node, SlotMap::read(&answer, &asked)?).await.ok()
}

/// Completes when one of the `silent` nodes has no slots any more, with its address. `peer` returns another node to
/// ask, a different one each time.
pub(super) async fn replaced(
    node: &RedisOptions,
    silent: impl Fn() -> Vec<Address>,
    peer: impl Fn(&[Address]) -> Option<Peer>,
) -> Address {
    loop {
        sleep(PATIENCE).await;
        let silent = silent();
        let Some(peer) = peer(&silent) else {
            continue;
        };
        let Some(map) = map(node, peer).await else {
            continue;
        };
        if let Some(gone) = silent.into_iter().find(|address| !map.has_slots(address)) {
            return gone;
        }
    }
}
