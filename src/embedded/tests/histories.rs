//! Random histories on several connections: what each call answers is what one set of sets, changed in the order of
//! the calls, would answer; lists from memory are the store's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use proptest::{collection::vec, prelude::*};

use super::world::{execute, manager_of, run};
use crate::{
    command::{Command, Member, Reply},
    embedded::{Durability, audit},
    keys::Key,
    list::List,
    manager::{Connection as _, Manager as _},
};

type Sets = BTreeMap<Key, BTreeSet<Member>>;

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
        4 => (key(), vec(member(), 1..4)).prop_map(|(key, members)| Command::Add { key, members }),
        2 => (key(), vec(member(), 1..4)).prop_map(|(key, members)| Command::Remove { key, members }),
        4 => vec(key(), 1..3).prop_map(|keys| Command::Members { keys }),
        1 => vec(key(), 1..3).prop_map(|keys| Command::Delete { keys }),
    ]
}

/// Batches, each on one of the connections; sometimes a clean, which comes alone.
fn batches() -> impl Strategy<Value = Vec<(usize, Vec<Command>)>> {
    let clean = prop_oneof!["a:", "b:", "b:a", "c"].prop_map(|stem| {
        let stem = stem.into_bytes();
        vec![Command::Clean { stem }]
    });
    vec(
        (
            0..LINKS.len(),
            prop_oneof![15 => vec(command(), 1..8), 1 => clean],
        ),
        1..30,
    )
}

fn apply(sets: &mut Sets, command: &Command) -> Reply {
    match command {
        Command::Add { key, members } => {
            sets.entry(key.clone()).or_default().extend(members.clone());
        }
        Command::Remove { key, members } => {
            let set = sets.entry(key.clone()).or_default();
            set.retain(|member| !members.contains(member));
        }
        Command::Delete { keys } => sets.retain(|key, _| !keys.contains(key)),
        Command::Clean { stem } => sets.retain(|key, _| !key.starts_with(stem)),
        Command::Members { keys } => {
            let list = |key| List::new(sets.get(key).into_iter().flatten()).map(Arc::new);
            return Reply::Members(keys.iter().map(list).collect());
        }
    }
    Reply::Done
}

/// The connections: with a cache, without one, with durability that takes another thread for each batch, and
/// with a cache that has room for a list or two.
const LINKS: [(&str, Durability, Option<usize>); 4] = [
    ("a", Durability::Process, Some(1 << 20)),
    ("a", Durability::Process, None),
    ("b", Durability::Os, Some(1 << 20)),
    ("a", Durability::Process, Some(800)),
];

/// Executes batches, each on one of the connections; says which call was the first to be answered wrongly.
pub(super) async fn verdict(
    folder: &Path,
    batches: Vec<(usize, Vec<Command>)>,
) -> Result<(), String> {
    let mut connections = Vec::new();
    for (name, durability, memory) in LINKS {
        let manager = manager_of(&folder.join(name), durability, memory);
        connections.push(manager.connect().await.expect("the store opens").connection);
    }
    let mut stores: BTreeMap<&str, Sets> = BTreeMap::new();
    for (connection, batch) in batches {
        let sets = stores.entry(LINKS[connection].0).or_default();
        let expected: Vec<_> = batch
            .iter()
            .map(|command| Ok(apply(sets, command)))
            .collect();
        let replies = execute(&connections[connection], &batch).await;
        if replies != Ok(expected) {
            return Err(format!("connection {connection}: {batch:?}: {replies:?}"));
        }
    }
    for (connection, (name, ..)) in connections.iter().zip(LINKS) {
        for (key, members) in stores.entry(name).or_default() {
            let keys = vec![key.clone()];
            let list = List::new(members.iter()).map(Arc::new);
            let replies = execute(connection, &[Command::Members { keys }]).await;
            if replies != Ok(vec![Ok(Reply::Members(vec![list]))]) {
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
    fn every_call_sees_what_those_before_it_did(batches in batches()) {
        let folder = tempfile::tempdir().expect("a folder");
        let verdict = run(verdict(folder.path(), batches));
        prop_assert_eq!(verdict, Ok(()));
    }
}
