//! Stores of forks at random, read as ours: what a copy makes of them. What the forks themselves wrote is in
//! `__test__/layouts/`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{open, put};
use crate::{
    inventory::{Opened, converted::Converted, copy::copy, layout::Conversion, left_out::LeftOut},
    manager::Manager as _,
    scripted_store::{Sets, Store},
    size_limits::Sizes,
};

/// Names, sids and uids of few letters, with colons.
fn text() -> impl Strategy<Value = Vec<u8>> {
    "[ab:]{0,3}".prop_map(String::into_bytes)
}

/// Copies a store by a conversion; returns what the target holds, and what was left out.
async fn converted(
    source: &std::sync::Arc<Store>,
    conversion: &Conversion,
) -> (Sets, Vec<LeftOut>) {
    let connected = source.clone().connect().await.expect("a connection");
    let connection = Converted::new(connected.connection, conversion.clone());
    let source = Opened::new(connection, Sizes::REDIS, "the source");
    let target = Store::new([]);
    let opened = open(&target, Sizes::REDIS, "the target").await;
    let report = copy(source, opened, &conversion.stem(), |_| {})
        .await
        .expect("a copy");
    assert!(report.is_verified(), "{report:?}");
    let mut sets = target.0.lock().unwrap().sets.clone();
    // Not the index of frontends.
    sets.retain(|key, _| key.starts_with(&conversion.stem()));
    assert_eq!(report.keys, sets.len() as u64);
    (sets, report.left_out)
}

fn run<T>(job: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(job)
}

proptest! {
    /// Each uid of each hash is a member on its frontend, also where colons give two channels one key.
    #[test]
    fn hashes_of_sids_become_a_set_for_each_channel_and_frontend(
        channels in prop::collection::btree_map(
            text(),
            prop::collection::btree_map(text(), text(), 0..6),
            0..6,
        ),
    ) {
        let conversion = Conversion::new("aslijia", "P", "OUR").expect("a layout");
        let store = Store::new([]);
        let mut expected = Sets::new();
        for (name, sids) in &channels {
            let hash = [b"Pc#", &name[..]].concat();
            store.0.lock().unwrap().hashes.insert(hash, sids.clone());
            for (uid, sid) in sids {
                let key = [b"OUR:", &name[..], b":", sid].concat();
                expected.entry(key).or_default().insert(uid.clone());
            }
        }
        let (sets, left_out) = run(converted(&store, &conversion));
        prop_assert_eq!(sets, expected);
        prop_assert_eq!(left_out, []);
    }

    /// Each key is converted or counted, and none twice.
    #[test]
    fn sets_keep_their_members_and_keys_without_frontend_are_counted(
        keys in prop::collection::btree_map(text(), prop::collection::btree_set(text(), 1..4), 0..8),
    ) {
        let conversion = Conversion::new("frank198", "P", "OUR").expect("a layout");
        let store = Store::new([]);
        let mut expected = BTreeMap::new();
        for (rest, members) in &keys {
            put(&store, &[b"P:", &rest[..]].concat(), members.iter().cloned());
            if rest.contains(&b':') {
                expected.insert([b"OUR:", &rest[..]].concat(), members.clone());
            }
        }
        let (sets, left_out) = run(converted(&store, &conversion));
        let lone = keys.len() - expected.len();
        prop_assert_eq!(sets, expected);
        let counted: BTreeSet<_> = left_out.iter().map(|kind| kind.keys).collect();
        prop_assert_eq!(counted, (lone > 0).then_some(lone as u64).into_iter().collect());
    }
}
