//! `clean` in a cluster: the keys of every node that has slots are scanned, and removed at the node that has them by
//! then. A key that moves meanwhile from a node that is not scanned yet to one that was scanned is missed; so all nodes
//! are scanned again as long as slots are moving, within a bound.

use std::sync::Arc;

use futures_util::{StreamExt as _, future::try_join_all};
use redis::{Pipeline, Value};

use super::{routing::Plan, send::send, shared::Shared};
use crate::{
    command::Reply,
    error::{Error, Result},
    keys::Key,
    manager::Lost,
    redis_manager::{Address, ScanError, ScanResult, found, only_sets, words},
    steps::Steps,
};

/// The maximum number of scans of all nodes while slots are moving.
const ROUNDS: usize = 10;

/// Cleans all nodes, up to the end or to the first error of a node.
pub(super) async fn clean(
    shared: Arc<Shared>,
    stem: Key,
    steps: Steps,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    match remove_everywhere(&shared, &stem, &steps).await {
        Ok(()) => Ok(vec![Ok(Reply::Removed(steps.removed()))]),
        Err(ScanError::Refused(error)) => Ok(vec![Err(error)]),
        Err(ScanError::Lost(lost)) => Err(lost),
    }
}

async fn remove_everywhere(shared: &Arc<Shared>, stem: &[u8], steps: &Steps) -> ScanResult<()> {
    for _ in 0..ROUNDS {
        steps.next();
        shared.refresh_map().await;
        let before = shared.map();
        let nodes = before.owners();
        try_join_all(
            nodes
                .iter()
                .map(|node| clean_node(shared, node, stem, steps)),
        )
        .await?;
        let moving = nodes.iter().map(|node| is_moving(shared, node, steps));
        let moving = try_join_all(moving).await?;
        shared.refresh_map().await;
        if shared.map() == before && !moving.contains(&true) {
            break;
        }
    }
    Ok(())
}

async fn clean_node(
    shared: &Arc<Shared>,
    node: &Address,
    stem: &[u8],
    steps: &Steps,
) -> ScanResult<()> {
    let part = steps.part();
    let connection = shared.connection(node).await.map_err(ScanError::Lost)?;
    let mut found = found(connection, stem);
    while let Some(keys) = found.next().await {
        part.next();
        part.count(unlink(shared, keys?).await?);
        part.next();
    }
    Ok(())
}

/// Removes those keys that are sets; returns how many were there.
async fn unlink(shared: &Arc<Shared>, keys: Vec<Key>) -> ScanResult<u64> {
    let kinds = send(shared, Plan::each("TYPE", &keys)).await;
    let kinds = kinds.map_err(ScanError::Lost)?;
    let sets = only_sets(keys, kinds, |error| Error::Store(words(error)))?;
    let removed = send(shared, Plan::each("UNLINK", &sets)).await;
    let mut count = 0;
    for answer in removed.map_err(ScanError::Lost)? {
        match answer.map_err(ScanError::Refused)? {
            Value::ServerError(error) => {
                return Err(ScanError::Refused(Error::Store(words(&error))));
            }
            Value::Int(removed) => count += removed.unsigned_abs(),
            _ => {}
        }
    }
    Ok(count)
}

/// Returns whether a node says that a slot is migrating to it or from it; false if our user may not ask.
async fn is_moving(shared: &Arc<Shared>, node: &Address, steps: &Steps) -> ScanResult<bool> {
    let _part = steps.part();
    let mut connection = shared.connection(node).await.map_err(ScanError::Lost)?;
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("NODES");
    let replies = connection.send_packed_commands(&pipeline, 0, 1).await;
    let lost = |error: redis::RedisError| ScanError::Lost(Lost(error.to_string().into()));
    let text = match replies.map_err(lost)?.first() {
        Some(Value::ServerError(_)) | None => String::new(),
        Some(text) => redis::from_redis_value_ref(text).unwrap_or_default(),
    };
    Ok(says_moving(&text))
}

/// Returns whether a node is moving slots: these are in brackets, in the node's own line.
fn says_moving(nodes: &str) -> bool {
    nodes
        .lines()
        .filter(|line| line.contains("myself"))
        .any(|line| line.contains(" ["))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_on_their_way_are_read_from_the_line_of_the_node_itself() {
        let other = "07c3 127.0.0.1:1@11 master - 0 1 2 connected 0-99 [5->-aa]\n";
        let calm = "67ed 127.0.0.1:2@12 myself,master - 0 0 1 connected 100-16383\n";
        let moving = "67ed 127.0.0.1:2@12 myself,master - 0 0 1 connected 100-16383 [7-<-07c3]\n";
        assert!(!says_moving(&format!("{other}{calm}")));
        assert!(says_moving(&format!("{other}{moving}")));
    }
}
