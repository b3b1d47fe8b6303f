//! `clean` in a cluster: the keys of every node that has slots are scanned, and removed at the node that has them by
//! then. A key that moves meanwhile from a node that is not scanned yet to one that was scanned is missed; so all nodes
//! are scanned again as long as slots are moving, within a bound.

use std::sync::Arc;

use futures_util::{StreamExt as _, future::try_join_all};
use redis::{Pipeline, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::{event_scripts, routing::Plan, send::send, shared::Shared};
use crate::{
    command::Reply,
    error::{Error, Result},
    keys::{Key, gone_stem},
    manager::Lost,
    redis_manager::{Address, ScanError, ScanResult, exact, found, marks, only_sets, words, wrote},
    removal::Removal,
    steps::Steps,
};

/// The maximum number of scans of all nodes while slots are moving.
pub(super) const ROUNDS: usize = 10;

/// The maximum number of keys of which it is counted at once that they were removed.
const MARKED: usize = 500;

/// Cleans all nodes, up to the end or to the first error of a node.
pub(super) async fn clean(
    shared: Arc<Shared>,
    removal: Removal,
    steps: Steps,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let work = async {
        // In between members may be removed with their sessions, and be kept or put back.
        unkept(&shared, &removal, &steps).await?;
        remove_everywhere(&shared, &removal, &steps).await?;
        unkept(&shared, &removal, &steps).await
    };
    match work.await {
        Ok(()) => Ok(vec![Ok(Reply::Removed(steps.removed()))]),
        Err(ScanError::Refused(error)) => Ok(vec![Err(error)]),
        Err(ScanError::Lost(lost)) => Err(lost),
    }
}

async fn remove_everywhere(
    shared: &Arc<Shared>,
    removal: &Removal,
    steps: &Steps,
) -> ScanResult<()> {
    for _ in 0..ROUNDS {
        steps.next();
        shared.refresh_map().await;
        let before = shared.map();
        let nodes = before.owners();
        let claims = Claims::of(shared, &nodes, steps).await?;
        try_join_all(
            nodes
                .iter()
                .map(|node| clean_node(shared, node, removal, steps)),
        )
        .await?;
        shared.refresh_map().await;
        let after = Claims::of(shared, &nodes, steps).await?;
        if shared.map() == before && after.are_settled_since(&claims) {
            break;
        }
    }
    Ok(())
}

async fn clean_node(
    shared: &Arc<Shared>,
    node: &Address,
    removal: &Removal,
    steps: &Steps,
) -> ScanResult<()> {
    let part = steps.part();
    let connection = shared.connection(node).await.map_err(ScanError::Lost)?;
    let mut found = found(connection, shared.commands().clone(), removal.stem());
    while let Some(keys) = found.next().await {
        part.next();
        part.count(unlink(shared, removal.among(keys?)).await?);
        part.next();
    }
    Ok(())
}

/// Returns those keys that are sets.
pub(super) async fn sets_among(shared: &Arc<Shared>, keys: Vec<Key>) -> ScanResult<Vec<Key>> {
    let kinds = ask(shared, "TYPE", &keys).await?;
    only_sets(keys, kinds, |error| Error::Store(words(error)))
}

/// Sends a command of one key for each of these, and again with the command that replaces it if a node lacks it.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    name: &'static str,
    keys: &[Key],
) -> ScanResult<Vec<Result<Value>>> {
    loop {
        let sent = shared.commands().instead_of(name);
        let answers = send(shared, Plan::each(exact(sent), keys)).await;
        let answers = answers.map_err(ScanError::Lost)?;
        let lacks = |answer: &Result<Value>| {
            let answer = answer.as_ref();
            answer.is_ok_and(|answer| shared.commands().lacks(sent, answer))
        };
        if !answers.iter().any(lacks) {
            return Ok(answers);
        }
    }
}

/// Removes those keys that are sets; returns how many were there.
async fn unlink(shared: &Arc<Shared>, keys: Vec<Key>) -> ScanResult<u64> {
    let sets = sets_among(shared, keys).await?;
    mark(shared, &sets).await?;
    let answers = match shared.publishing() {
        None => ask(shared, "UNLINK", &sets).await?,
        Some(publishing) => {
            let missing = shared.commands().missing();
            let destroy = |key| (key, event_scripts::destroy(publishing, &missing, key));
            let steps = Plan::commands(sets.iter().map(destroy));
            send(shared, steps).await.map_err(ScanError::Lost)?
        }
    };
    let count = sum(answers)?;
    mark(shared, &sets).await?;
    Ok(count)
}

/// Returns how many keys commands have removed, or the first error.
fn sum(answers: Vec<Result<Value>>) -> ScanResult<u64> {
    let counts = answers.into_iter().map(|answer| answer.and_then(wrote));
    counts.sum::<Result<u64>>().map_err(ScanError::Refused)
}

/// Keeps members of the removed channels no longer: also of those that have no other members.
async fn unkept(shared: &Arc<Shared>, removal: &Removal, steps: &Steps) -> ScanResult<()> {
    let Some(stem) = shared.kept() else {
        return Ok(());
    };
    if removal.is_of_channels() {
        for keys in removal.named().chunks(MARKED) {
            mark(shared, keys).await?;
            steps.next();
        }
        return Ok(());
    }
    for node in shared.map().owners() {
        let connection = shared.connection(&node).await.map_err(ScanError::Lost)?;
        let kept = found(connection, shared.commands().clone(), &gone_stem(stem));
        let mut kept = std::pin::pin!(kept);
        while let Some(keys) = kept.next().await {
            sum(ask(shared, "UNLINK", &keys?).await?)?;
            steps.next();
        }
    }
    Ok(())
}

/// Counts the removal of channels where members of them are kept: before it and after, since in between some may be put back.
async fn mark(shared: &Arc<Shared>, sets: &[Key]) -> ScanResult<()> {
    let Some(stem) = shared.kept() else {
        return Ok(());
    };
    let marks: Vec<_> = sets.iter().flat_map(|key| marks(stem, key)).collect();
    let steps = Plan::commands(marks.iter().map(|(key, cmd)| (key, cmd.clone())));
    for answer in send(shared, steps).await.map_err(ScanError::Lost)? {
        answer.and_then(wrote).map_err(ScanError::Refused)?;
    }
    Ok(())
}

/// What each node says of its own slots. Another node, of which the slot map is, may hear of a move later.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims(Vec<String>);

impl Claims {
    /// Asks the nodes; a node that our user may not ask says nothing.
    pub(super) async fn of(
        shared: &Arc<Shared>,
        nodes: &[Address],
        steps: &Steps,
    ) -> ScanResult<Self> {
        let claims = nodes.iter().map(|node| claim(shared, node, steps));
        try_join_all(claims).await.map(Self)
    }

    /// Returns a number of what the nodes say, and whether no slot is moving.
    pub(super) fn mark(&self) -> (u64, bool) {
        let all = self.0.join("\n");
        (xxh3_64(all.as_bytes()), !all.contains('['))
    }

    /// Returns whether no slot has moved, or is moving.
    pub(super) fn are_settled_since(&self, before: &Self) -> bool {
        // Slots on their way are in brackets.
        self == before && !self.0.iter().any(|claim| claim.contains('['))
    }
}

async fn claim(shared: &Arc<Shared>, node: &Address, steps: &Steps) -> ScanResult<String> {
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
    Ok(own_claim(&text))
}

/// Returns the epoch and the slots in a node's own line. The epoch grows with each slot that it gets.
pub(super) fn own_claim(nodes: &str) -> String {
    let own = nodes.lines().find(|line| line.contains("myself"));
    let fields = own.into_iter().flat_map(str::split_whitespace).skip(6);
    fields.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_move_are_read_from_the_line_of_the_node_itself() {
        let other = "07c3 127.0.0.1:1@11 master - 0 1 2 connected 0-99 [5->-aa]\n";
        let own =
            |slots| format!("{other}67ed 127.0.0.1:2@12 myself,master - 0 9 1 connected {slots}\n");
        let claims = |slots| Claims(vec![own_claim(&own(slots))]);
        let before = claims("100-16383");
        assert_eq!(before, Claims(vec!["1 connected 100-16383".to_owned()]));
        assert!(claims("100-16383").are_settled_since(&before));
        assert!(!claims("101-16383").are_settled_since(&before));
        let moving = claims("100-16383 [7-<-07c3]");
        assert!(!moving.are_settled_since(&before));
        assert!(!moving.are_settled_since(&moving));
        assert_eq!(own_claim(""), "");
    }
}
