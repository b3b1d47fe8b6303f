//! Random stores and interruptions: what holds in every case.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{STEM, put, run};
use crate::{
    command::Member,
    keys::Key,
    scripted_store::{Dial, Fate, Store},
};

fn sets() -> impl Strategy<Value = Vec<(Key, BTreeSet<Member>)>> {
    let key = "(P:|Q)[ab]".prop_map(String::into_bytes);
    let member = prop::collection::vec(any::<u8>(), 0..3);
    prop::collection::vec((key, prop::collection::btree_set(member, 0..6)), 0..6)
}

proptest! {
    #[test]
    fn however_often_it_is_interrupted_in_the_end_the_target_holds_both_and_the_verdict_is_true(
        source_sets in sets(),
        target_sets in sets(),
        breaks in prop::collection::vec(0..4usize, 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let dials = breaks.iter().map(|&after| Dial::Up(vec![Fate::Breaks(after)], true));
            let (source, target) = (Store::new([]), Store::new(dials));
            for (store, sets) in [(&source, &source_sets), (&target, &target_sets)] {
                for (key, members) in sets {
                    put(store, key, members.iter().cloned());
                }
            }
            let before = target.0.lock().unwrap().sets.clone();
            let mut runs = 0;
            let report = loop {
                runs += 1;
                match run(&source, &target).await {
                    Ok(report) => break report,
                    Err(error) => {
                        prop_assert_eq!(error.cause(), Some("the target: broken"));
                        prop_assert!(runs <= breaks.len());
                    }
                }
            };
            let source = &source.0.lock().unwrap().sets;
            let target = &target.0.lock().unwrap().sets;
            for key in before.keys().chain(source.keys()) {
                let mut expected = before.get(key).cloned().unwrap_or_default();
                if key.starts_with(STEM) {
                    expected.extend(source.get(key).cloned().unwrap_or_default());
                }
                prop_assert_eq!(target.get(key).cloned().unwrap_or_default(), expected);
            }
            let ours = || source.iter().filter(|(key, _)| key.starts_with(STEM));
            let differing: BTreeSet<_> = report.differing.iter().map(|d| d.key.clone()).collect();
            let expected: BTreeSet<_> = ours()
                .filter(|(key, members)| target.get(*key).map_or(0, BTreeSet::len) != members.len())
                .map(|(key, _)| key.clone())
                .collect();
            prop_assert_eq!(differing, expected);
            prop_assert_eq!(report.keys, ours().count() as u64);
            let members: usize = ours().map(|(_, members)| members.len()).sum();
            prop_assert_eq!(report.members, members as u64);
            Ok(())
        })?;
    }
}
