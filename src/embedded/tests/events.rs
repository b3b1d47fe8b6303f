//! Events of channels: random histories on several connections, whose messages, applied to sets in their order, make what
//! the store holds; and the bound of what is kept for those who watch.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use proptest::{collection::vec, prelude::*};

use super::world::{execute, members, run};
use crate::{
    command::{Command, Member, WriteOp},
    embedded::{Durability, EmbeddedConnection, EmbeddedManager, EmbeddedOptions},
    events::{
        Gap,
        listener::{Hear, Subscriber as _},
        message::{self, Kind},
    },
    keys::KeyLayout,
    list::List,
    manager::{Connection as _, Manager as _},
    removal::Removal,
    steps::Steps,
};

const PREFIX: &str = "P";
const NAMES: [&str; 3] = ["a", "b", "a:b"];
const SIDS: [&str; 3] = ["s1", "s2", "s3"];

fn keys() -> KeyLayout {
    KeyLayout::new(PREFIX)
}

fn manager(folder: &Path, durability: Durability) -> Arc<EmbeddedManager> {
    let options = EmbeddedOptions {
        folder: folder.to_owned(),
        durability: Some(durability),
        local_file_system: false,
        events: true,
        keeps: false,
    };
    EmbeddedManager::new(options, keys().stem(), None, Arc::default())
}

async fn connect(manager: &Arc<EmbeddedManager>) -> EmbeddedConnection {
    let connected = manager.clone().connect().await;
    connected.expect("the store opens").connection
}

/// What was heard, and why it ended.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<Vec<u8>>,
    ended: Option<Gap>,
}

type Hearing = Arc<Mutex<Heard>>;

/// Begins to listen.
async fn listen(manager: &Arc<EmbeddedManager>) -> Hearing {
    let heard = Hearing::default();
    let hear: Hear = {
        let heard = heard.clone();
        Arc::new(move |message| lock(&heard).messages.push(message.to_vec()))
    };
    let subscribed = manager.clone().subscribe(hear).await;
    let ended = subscribed.expect("it is open").ended;
    let end = heard.clone();
    tokio::spawn(ended.map(move |gap| lock(&end).ended = Some(gap)));
    heard
}

fn lock(heard: &Hearing) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until this is so.
async fn until(heard: &Hearing, is_so: impl Fn(&Heard) -> bool) {
    for _ in 0..5000 {
        if is_so(&lock(heard)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("waited in vain: {:?}", lock(heard).ended);
}

/// Who is a member of which field on which frontend.
type Model = BTreeMap<(Vec<u8>, Vec<u8>), BTreeSet<Vec<u8>>>;

/// Applies a message; says what does not fit.
fn follow(model: &mut Model, text: &[u8]) -> Result<(), String> {
    let changes = message::read(text).ok_or("no message")?;
    for change in changes {
        let told = format!("{change:?}");
        let place = (change.field.to_vec(), change.sid.to_vec());
        let is_there = |model: &Model| model.keys().any(|(field, _)| *field == place.0);
        let was_there = is_there(model);
        let set = model.entry(place.clone()).or_default();
        let uids: Vec<_> = change.uids().map(<[u8]>::to_vec).collect();
        let fits = match change.kind {
            Kind::Join => uids.iter().all(|uid| set.insert(uid.clone())),
            Kind::Leave => uids.iter().all(|uid| set.remove(uid)),
            Kind::Destroy => std::mem::take(set).len() == change.count,
        };
        if set.is_empty() {
            model.remove(&place);
        }
        let is_edge = match change.kind {
            Kind::Join => !was_there,
            Kind::Leave | Kind::Destroy => !is_there(model),
        };
        if !fits || change.count == 0 || is_edge != change.is_edge {
            return Err(told);
        }
    }
    Ok(())
}

/// What one of the connections does.
#[derive(Debug, Clone)]
enum Step {
    Batch(Vec<Command>),
    Clean(Removal),
}

fn uid() -> impl Strategy<Value = Member> {
    prop_oneof!["[uv]", "", "1:"].prop_map(String::into_bytes)
}

fn place() -> impl Strategy<Value = (&'static str, &'static str)> {
    (0..NAMES.len(), 0..SIDS.len()).prop_map(|(name, sid)| (NAMES[name], SIDS[sid]))
}

fn places() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    vec(place(), 1..4)
}

fn command() -> BoxedStrategy<Command> {
    let key = |(name, sid): (&str, &str)| keys().key(name, sid);
    let pair = |(name, sid): (&str, &str)| [keys().key(name, sid), keys().members(sid)];
    let each = move |op| {
        (places(), vec(uid(), 1..4))
            .prop_map(move |(places, uids)| {
                Command::write_each(op, places.into_iter().map(key).collect(), uids)
            })
            .boxed()
    };
    let both = move |op| {
        (places(), vec(uid(), 1..4))
            .prop_map(move |(places, uids)| {
                Command::write_each(op, places.into_iter().flat_map(pair).collect(), uids)
            })
            .boxed()
    };
    let of_user = (place(), uid()).prop_map(|((_, sid), uid)| {
        let arguments = [uid, keys().stem(), b"close".to_vec()];
        Command::write_members(WriteOp::LeaveAll, keys().members(sid), arguments)
    });
    let purge = (place(), 1..4_u32).prop_map(|((_, sid), most)| {
        let at = |kind: &str| format!("{PREFIX}@{kind}:{{{sid}}}").into_bytes();
        let arguments = [
            Vec::new(),
            b"1000".to_vec(),
            most.to_string().into_bytes(),
            keys().stem(),
            b"purge".to_vec(),
        ];
        let keys = vec![keys().members(sid), at("lease"), at("gone")];
        Command::write_each(WriteOp::Purge, keys, arguments)
    });
    prop_oneof![
        4 => each(WriteOp::Add),
        3 => each(WriteOp::Remove),
        2 => both(WriteOp::Join),
        2 => both(WriteOp::Part),
        1 => of_user,
        1 => purge,
        1 => places().prop_map(move |places| {
            Command::write(WriteOp::Delete, places.into_iter().map(key).collect())
        }),
    ]
    .boxed()
}

fn step() -> impl Strategy<Value = Step> {
    let all = Just(Removal::all(keys().stem()));
    let one = (0..NAMES.len()).prop_map(|name| {
        Removal::channels(&keys().stem(), vec![keys().base(NAMES[name])], Vec::new())
    });
    prop_oneof![
        12 => vec(command(), 1..6).prop_map(Step::Batch),
        1 => prop_oneof![all, one].prop_map(Step::Clean),
    ]
}

/// The index of the frontends, which the driver writes before members are added.
fn index() -> Command {
    let sids = SIDS.iter().map(|sid| sid.as_bytes().to_vec());
    let key = crate::keys::index_of(&keys().stem());
    Command::write_members(WriteOp::Add, key, sids)
}

async fn verdict(folder: &Path, steps: Vec<(usize, Step)>) -> Result<(), String> {
    let managers =
        [Durability::Process, Durability::Process].map(|durability| manager(folder, durability));
    let connections = [connect(&managers[0]).await, connect(&managers[1]).await];
    let heard = listen(&managers[0]).await;
    for (at, step) in steps {
        match step {
            Step::Batch(mut batch) => {
                batch.insert(0, index());
                execute(&connections[at], &batch)
                    .await
                    .map_err(|lost| format!("{lost:?}"))?;
            }
            Step::Clean(removal) => drop(connections[at].clean(&removal, Steps::default()).await),
        }
    }
    let last = [
        index(),
        Command::write_members(WriteOp::Add, keys().key("last", "s1"), [b"u".to_vec()]),
    ];
    execute(&connections[0], &last)
        .await
        .map_err(|lost| format!("{lost:?}"))?;
    let is_last = |text: &Vec<u8>| text.windows(4).any(|part| part == b"last");
    until(&heard, |heard| heard.messages.iter().any(is_last)).await;
    let mut model = Model::new();
    for text in std::mem::take(&mut lock(&heard).messages) {
        follow(&mut model, &text)?;
    }
    for name in NAMES {
        for sid in SIDS {
            let there = members(&connections[0], &format!("{PREFIX}:{name}:{sid}")).await;
            let set = model.remove(&(name.into(), sid.into()));
            let own = List::new(set.unwrap_or_default()).expect("it is short");
            if own.json() != there {
                return Err(format!("{name} on {sid}: {there}, and told {}", own.json()));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_has_changed(steps in vec((0..2_usize, step()), 1..20)) {
        let folder = tempfile::tempdir().expect("a folder");
        prop_assert_eq!(run(verdict(folder.path(), steps)), Ok(()));
    }
}

/// Adds about this many bytes of uids, and removes them again.
async fn churn(connection: &EmbeddedConnection, bytes: usize) {
    let uids: Vec<_> = (0..bytes / 400)
        .map(|n| format!("{n:0400}").into_bytes())
        .collect();
    for op in [WriteOp::Add, WriteOp::Remove] {
        let key = keys().key("large", "s1");
        let command = Command::write_members(op, key, uids.clone());
        let replies = execute(connection, &[command]).await;
        assert!(matches!(replies.as_deref(), Ok([Ok(_)])), "{replies:?}");
    }
}

#[test]
fn a_watcher_that_is_too_slow_is_told_and_the_store_stays_small() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let manager = manager(folder.path(), Durability::Process);
        let connection = connect(&manager).await;
        let heard = Arc::new(Mutex::new(0));
        let hear: Hear = {
            let heard = heard.clone();
            Arc::new(move |_| *heard.lock().expect("it is not poisoned") += 1)
        };
        // It does not read yet.
        let slow = manager.clone().subscribe(hear).await.expect("it is open");
        for _ in 0..40 {
            churn(&connection, 400_000).await;
        }
        let ended = tokio::time::timeout(Duration::from_secs(60), slow.ended).await;
        assert_eq!(ended.ok(), Some(Gap::Overrun));
        assert_eq!(*heard.lock().expect("it is not poisoned"), 0);
        let before = folder
            .path()
            .join("data.mdb")
            .metadata()
            .expect("it is there")
            .len();
        let fast = listen(&manager).await;
        for n in 1..=40 {
            churn(&connection, 400_000).await;
            until(&fast, |heard| heard.messages.len() == 2 * n).await;
        }
        let after = folder
            .path()
            .join("data.mdb")
            .metadata()
            .expect("it is there")
            .len();
        assert_eq!(lock(&fast).ended, None);
        assert!(
            after <= before + before / 4 && after < 32 << 20,
            "{before} and {after}"
        );
    });
}

#[test]
fn the_newest_changes_are_kept_however_large_each_is() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let manager = manager(folder.path(), Durability::Process);
        let connection = connect(&manager).await;
        for _ in 0..40 {
            churn(&connection, 64_000).await;
        }
        let heard = Hearing::default();
        let hear: Hear = {
            let heard = heard.clone();
            Arc::new(move |message| lock(&heard).messages.push(message.to_vec()))
        };
        // It reads when 7 MB are there, and old ones have been removed.
        let slow = manager.clone().subscribe(hear).await.expect("it is open");
        for _ in 0..55 {
            churn(&connection, 64_000).await;
        }
        let end = heard.clone();
        tokio::spawn(slow.ended.map(move |gap| lock(&end).ended = Some(gap)));
        let is_all = |heard: &Heard| heard.messages.len() == 110 || heard.ended.is_some();
        until(&heard, is_all).await;
        assert_eq!(lock(&heard).ended, None);
    });
}

#[test]
fn what_is_followed_ends_with_the_last_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let manager = manager(folder.path(), Durability::Process);
        let [first, second] = [connect(&manager).await, connect(&manager).await];
        let heard = listen(&manager).await;
        first.close().await;
        churn(&second, 400).await;
        until(&heard, |heard| heard.messages.len() == 2).await;
        assert_eq!(lock(&heard).ended, None);
        second.close().await;
        until(&heard, |heard| heard.ended == Some(Gap::Reconnect)).await;
        let hear: Hear = Arc::new(|_| {});
        assert!(manager.clone().subscribe(hear).await.is_err());
    });
}
