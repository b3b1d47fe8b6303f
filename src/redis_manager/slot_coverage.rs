//! Checks that one server has all of our keys. A node of a Redis Cluster refuses keys in other nodes' slots (`MOVED`),
//! and its `SCAN` lists only its own. The check asks the server for keys in many slots instead of reading `CLUSTER
//! SLOTS`: a cluster of one node has all slots, a proxy in front of a cluster answers for all nodes, and a hash tag in
//! the prefix keeps all keys on one node.

use redis::{Pipeline, ServerError, ServerErrorKind, Value, aio::MultiplexedConnection};

use super::{
    scan::{ScanError, ScanResult, send},
    server_errors::{connect_error, is_redirect, store_error},
};
use crate::{
    command::Reply,
    error::Result,
    hash_slot::hash_slot,
    keys::Key,
    manager::{ConnectError, Lost},
    steps::Steps,
};

/// The number of neighbouring slots of which one is checked; slots move in ranges.
const NEIGHBOURS: u16 = 64;

/// The number of keys that are tried to find one for each group of slots. With a hash tag in the prefix there is one
/// group.
const TRIES: u32 = 1 << 13;

/// Makes keys under `stem` that no channel has, one for each group of slots.
pub(crate) fn probes(stem: &[u8]) -> Vec<Key> {
    let mut found = Vec::new();
    let mut groups = vec![false; usize::from(u16::MAX / NEIGHBOURS) + 1];
    for number in 0..TRIES {
        let key = [stem, number.to_string().as_bytes()].concat();
        let group = usize::from(hash_slot(&key) / NEIGHBOURS);
        if !std::mem::replace(&mut groups[group], true) {
            found.push(key);
        }
    }
    found
}

/// Asks for these keys, with the command that every user of ours may call. Returns an error if another node has some of
/// them; any other refusal says nothing about that.
async fn ask(connection: MultiplexedConnection, stem: &[u8]) -> ScanResult<Option<ServerError>> {
    let probes = probes(stem);
    let mut pipeline = Pipeline::with_capacity(probes.len());
    for key in probes {
        pipeline.cmd("SMEMBERS").arg(key);
    }
    let answers = send(connection, &pipeline).await?;
    Ok(answers.into_iter().find_map(|answer| match answer {
        Value::ServerError(error) if lacks_a_key(&error) => Some(error),
        _ => None,
    }))
}

fn lacks_a_key(error: &ServerError) -> bool {
    is_redirect(error) || error.kind() == Some(ServerErrorKind::ClusterDown)
}

/// Checks a new connection.
pub(super) async fn check(
    connection: MultiplexedConnection,
    stem: &[u8],
) -> std::result::Result<(), ConnectError> {
    match ask(connection, stem).await {
        Ok(None) => Ok(()),
        Ok(Some(error)) => {
            Err(connect_error(&error).map(|_| store_error(&error).to_string().into()))
        }
        Err(ScanError::Lost(Lost(words))) => Err(ConnectError::Unreachable(words)),
        Err(ScanError::Refused(error)) => Err(ConnectError::Refused(error.to_string().into())),
    }
}

/// Runs a `clean`, which has removed everything only if the server still has all keys afterwards.
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
        Ok(None) => Ok(cleaned),
        Ok(Some(error)) => Ok(vec![Err(store_error(&error))]),
        Err(ScanError::Refused(error)) => Ok(vec![Err(error)]),
        Err(ScanError::Lost(lost)) => Err(lost),
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
}
