//! Pages of a store in memory. What random changes leave on them is in [`histories`].

mod fake;
mod histories;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::{FutureExt as _, future::BoxFuture};

use self::fake::{Fake, Sets, next, read_now};
use super::{channels::COUNTED, *};
use crate::{
    error::Error,
    keys::{Key, KeyLayout},
    manager::Lost,
};

const SIDS: [&str; 3] = ["s1", "s2", "s3"];

fn channels_on(sids: &[String], glob: &str, position: Option<Vec<u8>>, limit: usize) -> PageQuery {
    let layout = KeyLayout::new("P");
    PageQuery::of_channels(&layout, (glob.as_bytes(), sids), 7, position, limit)
}

/// In simulated time, so that no page ends because it took long.
#[tokio::test(start_paused = true)]
async fn a_call_does_a_bounded_amount_of_work_and_counts_few_keys_at_once() {
    let fake = Fake::default();
    for i in 0..20_000 {
        fake.change(true, &format!("P:room{i}:s1"), "u");
    }
    let (given, one) = (Given::default(), ["s1".to_owned()]);
    let page = read_now(&fake, &channels_on(&one, "no*", None, 1000), &given);
    assert!(page.names.is_empty() && page.cursor.is_some());
    // One more for the index of the frontends.
    assert_eq!(fake.work.lock().unwrap().0, STEPS + 1);
    let page = read_now(&fake, &channels_on(&one, "*", None, 1000), &given);
    assert_eq!(page.names.len(), 1000);

    for frontends in [40, 500, 1500] {
        let sids: Vec<_> = (0..frontends).map(|i| format!("s{i}")).collect();
        for glob in ["*", "room1*", "room123*"] {
            *fake.counted.lock().unwrap() = 0;
            let page = read_now(&fake, &channels_on(&sids, glob, None, MOST), &given);
            assert!(page.cursor.is_some(), "{frontends} {glob}");
            let counted = *fake.counted.lock().unwrap();
            assert!(
                counted <= 2 * STEPS * COUNTED,
                "{frontends} {glob}: {counted}"
            );
        }
    }
    assert!(fake.work.lock().unwrap().1 <= COUNTED);
}

#[test]
fn a_live_channel_comes_however_many_dead_frontends_the_index_has() {
    let layout = KeyLayout::new("P");
    let index = String::from_utf8(layout.index()).expect("text");
    let fake = Fake::default();
    for i in 0..1500 {
        fake.change(true, &index, &format!("dead{i}"));
    }
    fake.change(true, "P:found:z1", "u");
    fake.change(true, "P:given:z2", "u");
    fake.change(true, "P:given:z3", "v");
    let sids = ["z2", "z3"].map(str::to_owned);
    let (given, mut position) = (Given::default(), None);
    let mut met = BTreeMap::new();
    loop {
        let page = read_now(&fake, &channels_on(&sids, "*", position, 1), &given);
        met.extend(
            page.names
                .iter()
                .cloned()
                .zip(page.counts.clone().expect("counts")),
        );
        position = next(&page, 7);
        if position.is_none() {
            break;
        }
    }
    assert_eq!(met.get(&b"given"[..]), Some(&2), "{met:?}");
    assert_eq!(met.get(&b"found"[..]), Some(&1), "{met:?}");
}

#[test]
fn a_page_that_fails_leaves_what_was_given_before() {
    let fake = Fake::default();
    for i in 0..40 {
        for sid in SIDS {
            fake.change(true, &format!("P:room{i}:{sid}"), "u");
        }
    }
    let (given, mut position) = (Given::default(), None);
    let mut met = Vec::new();
    loop {
        let query = channels_on(&[], "*", position.clone(), 1);
        *fake.fails.lock().unwrap() = true;
        let failed = read(&fake, &query, &given).now_or_never();
        assert!(matches!(failed, Some(Err(Error::Store(_)))), "{failed:?}");
        *fake.fails.lock().unwrap() = false;
        let page = read_now(&fake, &query, &given);
        position = next(&page, 7);
        met.extend(page.names);
        if position.is_none() {
            break;
        }
    }
    let once: HashSet<_> = met.iter().collect();
    assert_eq!((met.len(), once.len()), (40, 40));
}

#[test]
fn a_server_gets_no_pattern_with_many_stars() {
    let fake = Fake::default();
    for (glob, pattern) in [
        ("*", "P:*"),
        ("room", "P:room:*"),
        ("room*", "P:room*"),
        ("*room", "P:*room:*"),
        ("*room*", "P:*room*"),
        ("a\\*b", "P:a\\*b:*"),
        ("a[*]b*", "P:a[*]b*"),
        ("ü[a-c]*", "P:ü[a-c]*"),
        ("[ü-c]*", "P:*"),
        ("a*b*c", "P:a*"),
        ("r?o[m*]*a*a*a*b", "P:r?o[m*]*"),
    ] {
        read_now(&fake, &channels_on(&[], glob, None, 10), &Given::default());
        let sent = String::from_utf8(fake.pattern.lock().unwrap().clone()).expect("text");
        assert_eq!(sent, pattern, "{glob}");
    }
}

#[test]
fn a_page_is_json() {
    let page = Page {
        names: vec![b"a\"".to_vec(), "ü".into()],
        counts: Some(vec![1, 2]),
        cursor: None,
    };
    let json = "{\"names\":[\"a\\\"\",\"ü\"],\"counts\":[1,2],\"cursor\":null}";
    assert_eq!(page.json().expect("a text"), json);
}

#[test]
fn a_lost_connection_is_the_drivers_business() {
    struct Broken;
    impl PageSource for Broken {
        fn members(&self, key: &[u8], _: Option<&[u8]>, _: usize) -> StepFuture {
            // The index of the frontends cannot be read.
            let error = match key {
                b"k" => Lost("gone".into()).into(),
                _ => Error::Store("NOPERM no index".into()),
            };
            std::future::ready(Err(error)).boxed()
        }
        fn keys(&self, _: &KeyFilter, _: Option<&[u8]>, _: usize) -> StepFuture {
            std::future::ready(Err(Error::Store("NOPERM no".into()))).boxed()
        }
        fn counts(&self, _: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
            std::future::ready(Ok(Vec::new())).boxed()
        }
        fn enter(
            &self,
            _: [Key; 2],
            _: Option<Vec<u8>>,
            _: usize,
        ) -> BoxFuture<'static, Result<Entered>> {
            std::future::ready(Ok(Entered::default())).boxed()
        }
    }
    let reply =
        |query| super::reading::reply(Arc::new(Broken), query, Arc::default()).now_or_never();
    let members = PageQuery::of_members(b"k", 7, None, 10);
    assert_eq!(reply(members), Some(Err(Lost("gone".into()))));
    let channels = PageQuery::of_channels(&KeyLayout::new("P"), (b"*", &[]), 7, None, 10);
    assert_eq!(
        reply(channels),
        Some(Ok(vec![Err(Error::Store("NOPERM no".into()))]))
    );
}

/// Each member of each channel on the frontend gets an entry, in however many steps, and no member elsewhere.
#[test]
fn members_outside_of_the_index_are_entered() {
    for hash_tag in [false, true] {
        let (fake, keys) = (
            Fake::default(),
            KeyLayout::new("P*").with_hash_tag(hash_tag),
        );
        let names: Vec<_> = (0..1200).map(|n| format!("a:{n}*")).collect();
        let mut sets = Sets::new();
        for name in &names {
            sets.insert(keys.key(name, "s[1]"), [b"u".to_vec()].into());
            sets.insert(keys.key(name, "s1"), [b"v".to_vec()].into());
        }
        let uids = (0..1000).map(|n| format!("w{n}").into_bytes());
        sets.insert(keys.key("long", "s[1]"), uids.collect());
        *fake.sets.lock().unwrap() = sets;

        let (index, given) = (keys.members("s[1]"), Given::default());
        let (mut found, mut position) = (BTreeSet::new(), None);
        loop {
            let query = PageQuery::of_channels_on(&keys, "s[1]", 7, position);
            let page = read_now(&fake, &query, &given);
            found.extend(page.names.iter().cloned());
            position = next(&page, 7);
            if position.is_none() {
                break;
            }
        }
        let tail: &[u8] = if hash_tag {
            b"}:s\\[1\\]"
        } else {
            b":s\\[1\\]"
        };
        assert!(fake.pattern.lock().unwrap().ends_with(tail));
        assert_eq!(found.len(), names.len() + 1);

        let (mut entered, mut again) = (0, 0);
        for count in [&mut entered, &mut again] {
            for name in &found {
                let name = String::from_utf8(name.clone()).expect("text");
                let mut position = None;
                loop {
                    let channel = keys.key(&name, "s[1]");
                    let query = PageQuery::of_enter(channel, index.clone(), 7, position);
                    let page = read_now(&fake, &query, &given);
                    *count += page.counts.clone().expect("a count")[0];
                    position = next(&page, 7);
                    if position.is_none() {
                        break;
                    }
                }
            }
        }
        assert_eq!((entered, again), (2200, 0));
    }
}
