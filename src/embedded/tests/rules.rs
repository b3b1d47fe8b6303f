//! Each rule that the embedded store's answers rely on, broken: its smallest history then shows what may not
//! be seen. Were it not so, the tests would not protect the rule.

use super::{
    histories::verdict,
    world::{add, execute, manager_of, members, open, run},
};
use crate::{
    command::{Command, ReadOp, Reply, WriteOp},
    embedded::Durability,
    failpoints::{NAMES, activate},
    manager::{Connection as _, Manager as _},
};

/// Of a connection that is gone; see [`nothing_is_written_for_those_who_are_gone`].
const GONE: &str = "embedded-gone-writes";

/// Batches, each on one of the connections of [`super::histories`], and what the rule is for.
fn history(rule: &str) -> (Vec<(usize, Vec<Command>)>, &'static str) {
    let keys = vec![b"k".to_vec()];
    let read = || Command::read(ReadOp::Members, keys.clone());
    let (a, b) = (|| add("k", &["a"]), || add("k", &["b"]));
    match rule {
        "embedded-no-version" | "embedded-version-stays" | "embedded-any-commit" => (
            vec![
                (0, vec![a()]),
                (0, vec![read()]),
                (1, vec![b()]),
                (0, vec![read()]),
            ],
            "what others have changed is read again",
        ),
        "embedded-seen-by-writer" => (
            vec![(0, vec![a()]), (0, vec![read(), b()]), (0, vec![read()])],
            "what a batch read before it wrote is not what it has committed",
        ),
        "embedded-keep-own" => (
            vec![(0, vec![a(), read(), b()]), (0, vec![read()])],
            "what a batch read of its own may not be its last word",
        ),
        "embedded-own-as-others" => (
            vec![(0, vec![a()]), (0, vec![read()]), (0, vec![b(), read()])],
            "a batch reads what it wrote",
        ),
        "embedded-same-number" => (
            vec![(0, vec![a(), add("l", &["b"])]), (0, vec![read()])],
            "channels that are created together have members of their own",
        ),
        rule => panic!("{rule}: no history for it"),
    }
}

fn rules() -> impl Iterator<Item = &'static str> {
    let names = NAMES.iter().copied();
    names.filter(|name| name.starts_with("embedded-"))
}

#[test]
fn every_rule_that_is_broken_is_caught() {
    for rule in rules().filter(|rule| *rule != GONE) {
        let verdict = || {
            let folder = tempfile::tempdir().expect("a folder");
            run(verdict(folder.path(), history(rule).0))
        };
        let (_, what) = history(rule);
        assert_eq!(verdict(), Ok(()), "{what}");
        let _broken = activate(rule);
        let broken = verdict();
        assert!(broken.is_err(), "{rule}: not noticed: {what}");
    }
}

#[test]
fn nothing_is_written_for_those_who_are_gone() {
    for is_broken in [false, true] {
        let _broken = is_broken.then(|| activate(GONE));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        run(async {
            let connected = manager_of(path, Durability::Process, None).connect();
            let connection = connected.await.expect("the store opens").connection;
            let other = open(path).await;
            // Heavy enough for another thread, which is not there before the connection is gone.
            let uids = (0..5000).map(|n| format!("{n}").into_bytes());
            let heavy = Command::write_members(WriteOp::Add, b"k".to_vec(), uids);
            let written = connection.execute(&[&heavy]);
            drop(connection);
            let nothing = written.await.is_err() && members(&other, "k").await == "[]";
            assert_eq!(nothing, !is_broken);
            let replies = execute(&other, &[heavy]).await;
            assert!(matches!(replies.as_deref(), Ok([Ok(Reply::Changed(_))])));
        });
    }
}
