//! Whether one server has all of our keys. A node of a Redis Cluster refuses the keys of other nodes' slots (`MOVED`),
//! and its `SCAN` goes through its own. The server itself is asked for keys of many slots, and not `CLUSTER SLOTS`: a
//! cluster of one node has them all, a proxy in front of a cluster answers for all nodes, and a hash tag in the prefix
//! keeps all keys on one node.

use std::sync::Arc;

use redis::{Pipeline, ServerError, ServerErrorKind, Value, aio::MultiplexedConnection};

use super::{
    handshake::refusal,
    scan::{Halt, Walk, send},
    words,
};
use crate::{
    command::Reply,
    error::{Error, Result},
    keys::Key,
    manager::{ConnectError, Lost},
    redis_cluster::slot,
    steps::Steps,
};

/// How many slots are taken for neighbours: one key is asked for in each group of them. Slots move in ranges.
const NEIGHBOURS: u16 = 64;

/// Keys that are made up to find one in each group. With a hash tag in the prefix there is one group.
const TRIES: u32 = 1 << 13;

/// What an operator has to be told when a server says so.
const HINT: &str =
    "the server is a node of a Redis Cluster: give nodes of the cluster as option cluster";

/// A server's error as a caller gets it.
pub(crate) fn told(error: &ServerError) -> Error {
    let words = words(error);
    // Such a node refuses several keys of different slots in one command also where it has them all.
    if is_elsewhere(error) || error.kind() == Some(ServerErrorKind::CrossSlot) {
        Error::Store(format!("{words} ({HINT})").into())
    } else {
        Error::Store(words)
    }
}

fn is_elsewhere(error: &ServerError) -> bool {
    matches!(
        error.kind(),
        Some(ServerErrorKind::Moved | ServerErrorKind::Ask)
    )
}

/// Keys under `stem` that no channel has, all over the slots.
fn probes(stem: &[u8]) -> Vec<Key> {
    let mut found = Vec::new();
    let mut groups = vec![false; usize::from(u16::MAX / NEIGHBOURS) + 1];
    for number in 0..TRIES {
        let key = [stem, number.to_string().as_bytes()].concat();
        let group = usize::from(slot(&key) / NEIGHBOURS);
        if !std::mem::replace(&mut groups[group], true) {
            found.push(key);
        }
    }
    found
}

/// Asks for them with the command that every user of ours may call. What else the server refuses tells nothing.
async fn ask(connection: MultiplexedConnection, stem: &[u8]) -> Walk<()> {
    let probes = probes(stem);
    let mut pipeline = Pipeline::with_capacity(probes.len());
    for key in probes {
        pipeline.cmd("SMEMBERS").arg(key);
    }
    for answer in send(connection, &pipeline).await? {
        if let Value::ServerError(error) = answer
            && (is_elsewhere(&error) || error.kind() == Some(ServerErrorKind::ClusterDown))
        {
            return Err(Halt::Refused(told(&error)));
        }
    }
    Ok(())
}

/// Makes sure of it on a new connection.
pub(super) async fn check(
    connection: MultiplexedConnection,
    stem: &[u8],
) -> std::result::Result<(), ConnectError> {
    ask(connection, stem).await.map_err(|halt| match halt {
        Halt::Lost(Lost(words)) => ConnectError::Unreachable(words),
        Halt::Refused(error) => refusal(Arc::from(error.to_string())),
    })
}

/// A `clean` under `stem` has removed everything only if the server still has all keys afterwards.
pub(super) async fn after_clean(
    clean: impl Future<Output = std::result::Result<Vec<Result<Reply>>, Lost>>,
    connection: MultiplexedConnection,
    stem: Option<Key>,
    steps: Steps,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let cleaned = clean.await?;
    let Some(stem) = stem.filter(|_| cleaned.iter().all(Result::is_ok)) else {
        return Ok(cleaned);
    };
    steps.next();
    match ask(connection, &stem).await {
        Ok(()) => Ok(cleaned),
        Err(Halt::Refused(error)) => Ok(vec![Err(error)]),
        Err(Halt::Lost(lost)) => Err(lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_over_the_slots_unless_the_prefix_decides_alone() {
        for stem in ["", "POMELO:CHANNEL:", "P}:", "P{}:", "P{:"] {
            assert_eq!(probes(stem.as_bytes()).len(), 256, "{stem}");
        }
        assert_eq!(probes(b"{app}:"), [b"{app}:0".to_vec()]);
    }

    #[test]
    fn the_operator_is_told_of_the_option() {
        let error = |text: &str| match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => told(&error).to_string(),
            other => panic!("{other:?}"),
        };
        for words in [
            "MOVED 3999 10.0.0.1:6381",
            "ASK 3999 10.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
        ] {
            assert_eq!(error(words), format!("{words} ({HINT})"));
        }
        assert_eq!(error("WRONGTYPE no"), "WRONGTYPE no");
    }
}
