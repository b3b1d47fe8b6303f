//! Random histories: scans of a store that gives its names in an order of its own, some of them twice, while they
//! change. What is there all the time must come.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use proptest::{collection::vec, prelude::*};
use xxhash_rust::xxh3::xxh3_64;

use super::{channels::COUNTED, *};
use crate::{
    error::Error,
    keys::{Key, KeyLayout},
    manager::Lost,
    membership,
};

type Sets = BTreeMap<Key, BTreeSet<Vec<u8>>>;

/// A store in memory. Names come in the order of their hashes, and every third name comes twice.
#[derive(Clone, Default)]
struct Fake {
    sets: Arc<Mutex<Sets>>,
    /// The number of steps, and the largest number of keys counted at once.
    work: Arc<Mutex<(usize, usize)>>,
    /// The number of keys counted.
    counted: Arc<Mutex<usize>>,
    /// The pattern of the last step.
    pattern: Arc<Mutex<Vec<u8>>>,
    /// Whether keys cannot be read.
    fails: Arc<Mutex<bool>>,
}

impl Fake {
    fn step(&self, names: impl Iterator<Item = Vec<u8>>, at: Option<&[u8]>, count: usize) -> Step {
        self.work.lock().unwrap().0 += 1;
        let at = at.map_or(0, |at| u64::from_be_bytes(at.try_into().unwrap()));
        let hash = |name: &Vec<u8>| xxh3_64(name) >> 1;
        let mut names: Vec<_> = names.filter(|name| hash(name) >= at).collect();
        names.sort_by_key(hash);
        let next = names.get(count).map(hash);
        names.truncate(count);
        let twice = names.iter().filter(|name| hash(name) % 3 == 0).cloned();
        let found = names.iter().cloned().chain(twice.collect::<Vec<_>>());
        Step {
            found: found.collect(),
            next: next.map(|next| next.to_be_bytes().to_vec()),
        }
    }

    fn change(&self, adds: bool, key: &str, member: &str) {
        let mut sets = self.sets.lock().unwrap();
        let set = sets.entry(key.into()).or_default();
        if adds {
            set.insert(member.into());
        } else {
            set.remove(member.as_bytes());
        }
        sets.retain(|_, set| !set.is_empty());
    }
}

impl PageSource for Fake {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let set = self.sets.lock().unwrap().get(key).cloned();
        let step = self.step(set.unwrap_or_default().into_iter(), position, count);
        std::future::ready(Ok(step)).boxed()
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        if *self.fails.lock().unwrap() {
            return std::future::ready(Err(Error::Store("ERR no".into()))).boxed();
        }
        self.pattern.lock().unwrap().clone_from(&filter.pattern);
        let sets = self.sets.lock().unwrap().clone();
        let keys = sets.into_keys();
        let keys = keys.filter(|key| key.starts_with(&filter.stem));
        std::future::ready(Ok(self.step(keys, position, count))).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let mut work = self.work.lock().unwrap();
        work.1 = work.1.max(keys.len());
        *self.counted.lock().unwrap() += keys.len();
        let sets = self.sets.lock().unwrap();
        let count = |key| sets.get(key).map_or(0, BTreeSet::len) as u64;
        std::future::ready(Ok(keys.iter().map(count).collect())).boxed()
    }

    fn enter(
        &self,
        [channel, index]: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        let set = self.sets.lock().unwrap().get(&channel).cloned();
        let step = self.step(
            set.unwrap_or_default().into_iter(),
            position.as_deref(),
            count,
        );
        let field = membership::field(&channel, &index).expect("of one frontend");
        let entries = step
            .found
            .iter()
            .map(|uid| membership::entry(uid, field))
            .collect::<Vec<_>>();
        let mut sets = self.sets.lock().unwrap();
        let indexed = sets.entry(index.clone()).or_default();
        let count = entries
            .into_iter()
            .filter(|entry| indexed.insert(entry.clone()))
            .count() as u64;
        let next = step.next;
        std::future::ready(Ok(Entered { count, next })).boxed()
    }
}

/// Reads a page of a scan; what a store in memory answers is there at once.
fn read_now(fake: &Fake, query: &PageQuery, given: &Given) -> Page {
    read(fake, query, given)
        .now_or_never()
        .expect("at once")
        .expect("a page")
}

fn next(page: &Page, seed: u64) -> Option<Vec<u8>> {
    let cursor = page.cursor.as_deref()?;
    Some(cursor::open(seed, cursor).expect("a cursor of the scan"))
}

const SIDS: [&str; 3] = ["s1", "s2", "s3"];

type Change = (bool, usize, usize);

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (any::<bool>(), 0..30_usize, 0..SIDS.len());
    vec(vec(change, 0..12), 1..6)
}

proptest! {
    #[test]
    fn members_that_stay_come(
        stay in 0..200_usize, limit in 1..60_usize, changes in changes(),
    ) {
        let fake = Fake::default();
        for i in 0..stay {
            fake.change(true, "k", &format!("stay{i}"));
        }
        let (given, mut position) = (Given::default(), None);
        let mut met = HashSet::new();
        for i in 0.. {
            let query = PageQuery::of_members(b"k", 7, position.take(), limit);
            let page = read_now(&fake, &query, &given);
            prop_assert!(page.names.len() < 2 * limit + 2);
            let unlike: HashSet<_> = page.names.iter().collect();
            prop_assert_eq!(unlike.len(), page.names.len());
            prop_assert!(page.cursor.is_none() || page.names.len() >= limit);
            met.extend(page.names.iter().cloned());
            position = next(&page, 7);
            if position.is_none() {
                break;
            }
            for &(adds, member, _) in &changes[i % changes.len()] {
                fake.change(adds, "k", &format!("guest{member}"));
            }
        }
        for i in 0..stay {
            let stay = format!("stay{i}");
            prop_assert!(met.contains(stay.as_bytes()), "{}", stay);
        }
    }

    /// Also those with members on other frontends for a while, and each once.
    #[test]
    fn channels_that_stay_come_once(
        stay in vec(0..SIDS.len(), 0..40), limit in 1..20_usize, changes in changes(), matching: bool,
    ) {
        let fake = Fake::default();
        let layout = KeyLayout::new("P");
        let key = |name: &str, sid: usize| String::from_utf8(layout.key(name, SIDS[sid])).unwrap();
        for (i, &sid) in stay.iter().enumerate() {
            fake.change(true, &key(&format!("stay{i}"), sid), "u");
            fake.change(true, &format!("P2:other{i}:s1"), "u");
        }
        let glob = if matching { "stay*" } else { "*" };
        let (given, mut position) = (Given::default(), None);
        let mut met: Vec<Vec<u8>> = Vec::new();
        for i in 0.. {
            let sids = ["s1".to_owned()];
            let query = PageQuery::of_channels(&layout, (glob.as_bytes(), &sids), 7, position.take(), limit);
            let page = read_now(&fake, &query, &given);
            let counts = page.counts.clone().expect("counts");
            prop_assert_eq!(counts.len(), page.names.len());
            prop_assert!(counts.iter().all(|count| *count > 0));
            met.extend(page.names.iter().cloned());
            position = next(&page, 7);
            if position.is_none() {
                break;
            }
            for &(adds, channel, sid) in &changes[i % changes.len()] {
                let kind = if channel % 2 == 0 { "stay" } else { "guest" };
                fake.change(adds, &key(&format!("{kind}{channel}"), sid), "guest");
            }
        }
        let once: HashSet<_> = met.iter().cloned().collect();
        prop_assert_eq!(once.len(), met.len());
        for i in 0..stay.len() {
            let stay = format!("stay{i}");
            prop_assert!(once.contains(stay.as_bytes()), "{}", stay);
        }
        let is_own = |name: &Vec<u8>| name.starts_with(b"stay") || (!matching && name.starts_with(b"guest"));
        prop_assert!(met.iter().all(is_own));
    }
}

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
