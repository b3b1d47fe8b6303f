//! Random histories on several connections: what each call answers is what one set of sets, changed in the order of
//! the calls, would answer; lists from memory are the store's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use proptest::{collection::vec, prelude::*};

use super::world::{clean, execute, manager_of, run};
use crate::{
    command::{Command, Member, ReadOp, Reply, Value, WriteOp},
    embedded::{Durability, audit},
    error::Result,
    keys::Key,
    lease::Lease,
    list::List,
    manager::{Connection as _, Manager as _},
    scripted_store::{Sets, apply},
};

fn key() -> impl Strategy<Value = Key> {
    prop_oneof!["a:[ab]", "b:a", "b:ab?"].prop_map(String::into_bytes)
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![
        8 => vec(b'a'..b'd', 0..3),
        1 => vec(any::<u8>(), 0..5),
        1 => Just(vec![b'x'; super::super::MAX_MEMBER]),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => members(WriteOp::Add),
        2 => members(WriteOp::Remove),
        4 => vec(key(), 1..3).prop_map(|keys| Command::read(ReadOp::Members, keys)),
        2 => vec(key(), 1..3).prop_map(|keys| Command::read(ReadOp::Count, keys)),
        2 => (vec(key(), 1..3), member())
            .prop_map(|(keys, member)| Command::read_member(ReadOp::IsMember, keys, &member)),
        1 => vec(key(), 1..3).prop_map(|keys| Command::write(WriteOp::Delete, keys)),
        2 => lease(),
        2 => online(),
        1 => vec(lease_key(), 1..3).prop_map(|keys| Command::read(ReadOp::Lease, keys)),
    ]
}

/// The keys of leases begin so.
const LEASE: &[u8] = b"l:";

fn lease_key() -> impl Strategy<Value = Key> {
    "l:[ab]".prop_map(String::into_bytes)
}

/// An operation on a lease, which does not expire in this test, and the list that goes with it.
fn lease() -> impl Strategy<Value = Command> {
    let op = prop_oneof![
        3 => Just(WriteOp::Claim),
        3 => Just(WriteOp::Renew),
        1 => Just(WriteOp::Release),
        1 => Just(WriteOp::Sweep),
    ];
    (op, key(), lease_key(), "[ef]", "[12]", "[ef]?").prop_map(
        |(op, key, lease, epoch, nonce, expected)| {
            let rest = [epoch, nonce, "3600000".to_owned(), expected];
            Command::write_each(op, vec![key, lease], rest)
        },
    )
}

/// A change of the list of online users, by an epoch that may hold the lease or not, or by none.
fn online() -> impl Strategy<Value = Command> {
    let op = prop_oneof![
        2 => Just(WriteOp::AddOnline),
        1 => Just(WriteOp::RemoveOnline),
    ];
    (op, key(), lease_key(), "[ef]?", vec(member(), 1..4)).prop_map(
        |(op, key, lease, epoch, uids)| {
            let arguments = [epoch.into_bytes()].into_iter().chain(uids);
            Command::write_each(op, vec![key, lease], arguments)
        },
    )
}

/// Leaves out the time that is left of leases.
fn without_time(reply: Result<Reply>) -> Result<Reply> {
    Ok(match reply? {
        Reply::Lease(lease) => Lease { ttl: 0, ..*lease }.into(),
        Reply::Values(values) => {
            let values = values.into_iter().map(|value| match value {
                Ok(Value::Lease(lease)) => Ok(Lease { ttl: 0, ..*lease }.into()),
                value => value,
            });
            Reply::Values(values.collect())
        }
        reply => reply,
    })
}

fn members(op: WriteOp) -> impl Strategy<Value = Command> {
    (vec(key(), 1..3), vec(member(), 1..4))
        .prop_map(move |(keys, members)| Command::write_each(op, keys, members))
}

/// What one of the connections does.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Batch(Vec<Command>),
    /// Removes what begins so.
    Clean(Key),
}

/// Steps, each on one of the connections; sometimes a clean, which comes alone.
fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let clean = prop_oneof!["a:", "b:", "b:a", "c"];
    let clean = clean.prop_map(|stem| Step::Clean(stem.into_bytes()));
    let batch = vec(command(), 1..8).prop_map(Step::Batch);
    vec(
        (0..LINKS.len(), prop_oneof![15 => batch, 1 => clean]),
        1..30,
    )
}

/// The connections: with a cache, without one, with durability that takes another thread for each batch, and
/// with a cache that has room for a list or two.
const LINKS: [(&str, Durability, Option<usize>); 4] = [
    ("a", Durability::Process, Some(1 << 20)),
    ("a", Durability::Process, None),
    ("b", Durability::Os, Some(1 << 20)),
    ("a", Durability::Process, Some(800)),
];

/// Executes batches, each on one of the connections; see [`verdict_of`].
pub(super) async fn verdict(
    folder: &Path,
    batches: Vec<(usize, Vec<Command>)>,
) -> std::result::Result<(), String> {
    let step = |(connection, batch)| (connection, Step::Batch(batch));
    verdict_of(folder, batches.into_iter().map(step).collect()).await
}

/// Executes steps, each on one of the connections; says which call was the first to be answered wrongly.
async fn verdict_of(folder: &Path, steps: Vec<(usize, Step)>) -> std::result::Result<(), String> {
    let mut connections = Vec::new();
    for (name, durability, memory) in LINKS {
        let manager = manager_of(&folder.join(name), durability, memory);
        connections.push(manager.connect().await.expect("the store opens").connection);
    }
    let mut stores: BTreeMap<&str, Sets> = BTreeMap::new();
    for (connection, step) in steps {
        let sets = stores.entry(LINKS[connection].0).or_default();
        let batch = match step {
            Step::Batch(batch) => batch,
            Step::Clean(stem) => {
                let removed = clean(&connections[connection], &stem).await;
                let before = sets.len() as u64;
                sets.retain(|key, _| !key.starts_with(&stem));
                if removed != before - sets.len() as u64 {
                    return Err(format!("connection {connection}: clean said {removed}"));
                }
                continue;
            }
        };
        let expected: Vec<_> = batch
            .iter()
            .map(|command| Ok(apply(sets, command)))
            .collect();
        let replies = execute(&connections[connection], &batch).await;
        let replies = replies.map(|replies| {
            let replies = replies.into_iter().map(without_time);
            replies.collect::<Vec<_>>()
        });
        if replies != Ok(expected) {
            return Err(format!("connection {connection}: {batch:?}: {replies:?}"));
        }
    }
    for (connection, (name, ..)) in connections.iter().zip(LINKS) {
        let sets = stores.entry(name).or_default();
        // The text of a lease is the store's own.
        for (key, members) in sets.iter().filter(|(key, _)| !key.starts_with(LEASE)) {
            let list = List::new(members.iter()).map(Arc::new).map(Value::List);
            let read = Command::read(ReadOp::Members, vec![key.clone()]);
            let replies = execute(connection, &[read]).await;
            if replies != Ok(vec![Ok(Reply::Values(vec![list]))]) {
                return Err(format!("in {name} at the end: {key:?}: {replies:?}"));
            }
        }
    }
    for connection in connections {
        connection.close().await;
    }
    for (name, sets) in stores {
        let members: usize = sets.values().map(BTreeSet::len).sum();
        let found = audit(&folder.join(name))?.members;
        if found != members as u64 {
            return Err(format!("{found} members in {name} and not {members}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_sees_what_those_before_it_did(steps in steps()) {
        let folder = tempfile::tempdir().expect("a folder");
        let verdict = run(verdict_of(folder.path(), steps));
        prop_assert_eq!(verdict, Ok(()));
    }
}
