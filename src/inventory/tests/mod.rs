//! Copying and listing over stores in memory, case by case; any stores at all are in [`random`], those of
//! forks in [`converted`]. Over real
//! stores it runs in `__test__/copy.test.js`.

mod converted;
mod random;

use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::{
    Opened,
    copy::{Difference, Progress, Report, copy},
    ndjson::lines,
};
use crate::{
    command::Member,
    error::Result,
    manager::Manager as _,
    scripted_store::{Dial, Fate, Store},
    size_limits::Sizes,
};

const STEM: &[u8] = b"P:";

fn store<'a, M: AsRef<[u8]> + 'a>(
    sets: impl IntoIterator<Item = (&'a [u8], &'a [M])>,
) -> Arc<Store> {
    let store = Store::new([]);
    for (key, members) in sets {
        let members = members.iter().map(|member| member.as_ref().to_vec());
        put(&store, key, members);
    }
    store
}

fn put(store: &Store, key: &[u8], members: impl IntoIterator<Item = Member>) {
    let sets = &mut store.0.lock().unwrap().sets;
    sets.entry(key.to_vec()).or_default().extend(members);
}

fn held(store: &Store, key: &[u8]) -> Vec<Member> {
    let sets = &store.0.lock().unwrap().sets;
    sets.get(key).into_iter().flatten().cloned().collect()
}

async fn open(store: &Arc<Store>, sizes: Sizes, name: &str) -> Opened {
    let connected = store.clone().connect().await.expect("a connection");
    Opened::new(connected.connection, sizes, name)
}

async fn run(source: &Arc<Store>, target: &Arc<Store>) -> Result<Report> {
    run_with(source, target, Sizes::REDIS, |_| {}).await
}

async fn run_with(
    source: &Arc<Store>,
    target: &Arc<Store>,
    sizes: Sizes,
    progress: impl FnMut(Progress) + Send,
) -> Result<Report> {
    let source = open(source, Sizes::REDIS, "the source").await;
    let target = open(target, sizes, "the target").await;
    copy(source, target, STEM, progress).await
}

#[tokio::test]
async fn everything_under_the_stem_is_copied_byte_for_byte_and_counted_once() {
    let uids: [&[u8]; 3] = [b"\xff\0", b"b", "\u{fc}".as_bytes()];
    let source = store([
        (&b"P:\xff:c"[..], &uids[..]),
        (b"P:b:c", &uids[1..]),
        (b"PX", &uids),
    ]);
    let target = store::<&[u8]>([]);
    let report = run(&source, &target).await.expect("a copy");
    let expected = Report {
        keys: 2,
        members: 5,
        ..Report::default()
    };
    assert_eq!(report, expected);
    assert!(report.is_verified());
    assert_eq!(held(&target, b"P:\xff:c"), held(&source, b"P:\xff:c"));
    assert_eq!(held(&target, b"P:b:c").len(), 2);
    assert_eq!(held(&target, b"PX"), Vec::<Member>::new());
}

#[tokio::test]
async fn the_index_of_the_target_names_every_frontend_of_either_kind() {
    // One on which there are members, by its keys alone, and two that the source's index names.
    let source = store([
        (&b"P:a:c"[..], &["x"][..]),
        (b"P:b:c", &["x"]),
        (b"P:a:h:1", &["x"]),
        (b"P@sids", &["h:1", "gone"]),
    ]);
    let target = store([(&b"P@sids"[..], &["before"][..])]);
    let report = run(&source, &target).await.expect("a copy");
    assert_eq!((report.keys, report.members), (3, 3));
    assert!(report.is_verified() && report.notes.is_empty());
    let sids = held(&target, b"P@sids");
    // The part after the last colon is a sid too, as far as a key tells.
    assert_eq!(sids, [&b"1"[..], b"before", b"c", b"gone", b"h:1"]);
}

#[tokio::test]
async fn keys_of_users_are_no_frontends_in_the_index_and_those_that_look_so_are_limited() {
    let mut sets: Vec<(Vec<u8>, &[&str])> = vec![
        (b"P:a:c".to_vec(), &["x"]),
        (b"P:u1".to_vec(), &["c"]),
        (b"P:u2".to_vec(), &["c"]),
    ];
    let one = store(
        sets.iter()
            .map(|(key, members)| (&key[..], *members))
            .collect::<Vec<_>>(),
    );
    let target = store::<&str>([]);
    let report = run(&one, &target).await.expect("a copy");
    assert!(report.is_verified() && report.notes.is_empty());
    assert_eq!(held(&target, b"P@sids"), [b"c"]);

    sets.extend((0..1100).map(|uid| (format!("P:user:{uid}").into_bytes(), &["room"][..])));
    let many = store(
        sets.iter()
            .map(|(key, members)| (&key[..], *members))
            .collect::<Vec<_>>(),
    );
    let target = store::<&str>([]);
    let report = run(&many, &target).await.expect("a copy");
    assert!(report.is_verified());
    assert_eq!(report.notes.len(), 1);
    assert!(
        report.notes[0].contains("more than 1000 frontends"),
        "{:?}",
        report.notes
    );
    assert_eq!(held(&target, b"P@sids").len(), 1000);
}

#[tokio::test]
async fn what_the_target_held_before_stays_and_is_reported() {
    let source = store([(&b"P:a:c"[..], &["x"][..]), (b"P:b:c", &["x"])]);
    let target = store([(&b"P:a:c"[..], &["y"][..])]);
    let report = run(&source, &target).await.expect("a copy");
    let difference = Difference {
        key: b"P:a:c".to_vec(),
        source: 1,
        target: 2,
    };
    assert_eq!(report.differing, [difference]);
    assert_eq!(held(&target, b"P:a:c"), [b"x", b"y"]);
}

#[tokio::test]
async fn what_changes_in_the_source_meanwhile_is_reported_key_by_key() {
    let source = store([(&b"P:a:c"[..], &["x"][..]), (b"P:b:c", &["x"])]);
    let target = store::<&str>([]);
    let changed = source.clone();
    let progress = move |_| {
        put(&changed, b"P:a:c", [b"late".to_vec()]);
        put(&changed, b"P:new:c", [b"late".to_vec()]);
        changed.0.lock().unwrap().sets.remove(&b"P:b:c"[..]);
    };
    let report = run_with(&source, &target, Sizes::REDIS, progress)
        .await
        .expect("a copy");
    let differing: Vec<_> = report.differing.iter().map(|d| &d.key[..]).collect();
    assert_eq!(differing, [&b"P:a:c"[..], b"P:b:c", b"P:new:c"]);
}

#[tokio::test]
async fn what_does_not_fit_into_the_target_is_reported_and_the_rest_is_copied() {
    let source = store([
        (&b"P:a:c"[..], &["fits", "too long"][..]),
        (b"P:long:c", &["x"]),
    ]);
    let target = store::<&str>([]);
    let sizes = Sizes { key: 5, member: 4 };
    let report = run_with(&source, &target, sizes, |_| {})
        .await
        .expect("a copy");
    assert!(!report.is_verified());
    let refused: Vec<_> = report.refused.into_iter().collect();
    let key = |key: &[u8]| key.to_vec();
    assert_eq!(
        refused,
        [
            (
                key(b"P:a:c"),
                "a uid has 8 bytes, and the target takes 4".to_owned()
            ),
            (
                key(b"P:long:c"),
                "the key has 8 bytes, and the target takes 5".to_owned()
            ),
        ]
    );
    assert_eq!(held(&target, b"P:a:c"), [b"fits"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_ends_the_copy_with_an_error_that_names_it() {
    let source = store([(&b"P:a:c"[..], &["x"][..])]);
    let target = Store::new([Dial::Up(vec![Fate::Hangs], true)]);
    let error = run(&source, &target).await.expect_err("no copy");
    assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_DISCONNECTED");
    assert_eq!(error.cause(), Some("the target: no answer within 30 s"));
}

#[tokio::test]
async fn a_list_has_a_line_for_each_set_with_its_members_in_order() {
    let source = store([
        (&b"P:b:\xff"[..], &["2", "10", "\""][..]),
        (b"P:a:c", &["x"]),
        (b"P:e", &[]),
    ]);
    let opened = open(&source, Sizes::REDIS, "the source").await;
    let mut lines: Vec<_> = lines(&opened, STEM).try_collect().await.expect("a list");
    lines.sort();
    let expected = [
        "{\"key\":\"P:a:c\",\"members\":[\"x\"]}\n",
        "{\"key\":\"P:b:\u{fffd}\",\"members\":[\"\\\"\",\"10\",\"2\"]}\n",
    ];
    assert_eq!(lines, expected);
}
