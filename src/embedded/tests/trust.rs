//! What is made of a store that was not closed in order, or by others: what can be trusted, and who is told.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::world::{add, manager, members, open, refusal, run, write};
use crate::{
    command::{Command, WriteOp},
    embedded::Durability,
    manager::{ConnectError, Connection as _, Manager as _},
};

/// What `store.json` says.
pub(super) fn state(folder: &Path) -> Value {
    let text = fs::read(folder.join("store.json")).expect("it is there");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// The state that processes leave which were killed.
fn left_open(folder: &Path, boot: &str) {
    left_as(folder, "open", json!({"boot": boot}));
}

/// Any other state than that of a store that was closed.
fn left_as(folder: &Path, how: &str, details: Value) {
    let mut left = state(folder);
    let fields = left.as_object_mut().expect("an object");
    fields.retain(|field, _| field == "format" || field == "locks");
    left[how] = details;
    fs::write(folder.join("store.json"), left.to_string()).expect("it can be written");
}

/// Another process that has the store open, as others see it, until this is dropped.
fn other_process(folder: &Path) -> [fs::File; 2] {
    let presence = fs::File::create(folder.join("processes").join("1")).expect("a file");
    presence.lock().expect("it is free");
    let data = fs::File::open(folder.join("data.mdb")).expect("it is there");
    data.lock_shared().expect("it can be shared");
    [presence, data]
}

#[test]
fn damage_is_found_when_the_store_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let data = path.join("data.mdb");
    run(async {
        let connection = open(path).await;
        let uids = (0..5000).map(|n| format!("uid-{n}").into_bytes());
        let key = b"k".to_vec();
        write(&connection, Command::write_members(WriteOp::Add, key, uids)).await;
        connection.close().await;

        let good = fs::read(&data).expect("it is there");
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        for damaged in [flipped, good[..good.len() / 2].to_vec(), Vec::new()] {
            fs::write(&data, damaged).expect("it can be written");
            let words = refusal(path).await;
            assert!(words.contains("is damaged"), "{words}");
        }
        fs::write(&data, &good).expect("it can be written");
        open(path).await.close().await;

        // Not closed in order: LMDB's own look.
        left_open(path, &boot());
        for damaged in [vec![7; 8192], Vec::new()] {
            fs::write(&data, damaged).expect("it can be written");
            let words = refusal(path).await;
            assert!(words.contains("is damaged"), "{words}");
        }
    });
}

#[test]
fn a_store_that_was_left_half_made_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        open(path).await.close().await;
        for half in [Vec::new(), vec![0; 4096]] {
            left_as(path, "unmade", json!({}));
            fs::write(path.join("data.mdb"), half).expect("it can be written");
            let connection = open(path).await;
            assert!(state(path)["open"].is_object());
            write(&connection, add("k", &["a"])).await;
            connection.close().await;
        }
        // Once it was made, it is damage.
        fs::write(path.join("data.mdb"), "").expect("it can be written");
        assert!(refusal(path).await.contains("is damaged"));
    });
}

#[test]
fn after_a_power_cut_the_store_begins_empty_unless_each_commit_was_synced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        let connection = open(path).await;
        write(&connection, add("k", &["a"])).await;
        connection.close().await;
        // As it is left by processes that die with the machine.
        left_open(path, "another");
        let connected = manager(path, Durability::Process).connect().await;
        let connected = connected.expect("the store opens");
        let note = connected.note.as_deref().expect("a line for the log");
        assert!(note.contains("the system went down"), "{note}");
        assert_eq!(members(&connected.connection, "k").await, "[]");
        assert!(path.join("data.mdb.aside").exists());
        drop(connected);

        let os = path.join("os");
        let connected = manager(&os, Durability::Os).connect().await;
        let connection = connected.expect("the store opens").connection;
        write(&connection, add("k", &["a"])).await;
        connection.close().await;
        assert!(state(&os)["closed"].is_object());
        let connected = manager(&os, Durability::Os).connect().await;
        let connection = connected.expect("the store opens").connection;
        assert!(state(&os)["synced"].is_object());
        drop(connection);
    });
}

/// The process ended before the disk was done, and then the system was shut down.
#[test]
fn rows_that_are_as_the_last_process_closed_them_are_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        let connection = open(path).await;
        write(&connection, add("k", &["a"])).await;
        connection.close().await;
        let note = json!({"format": 1, "closing": state(path)["closed"]});
        let closing = path.join("closing.json");
        assert!(!closing.exists());
        for half in ["", &note.to_string()[..20]] {
            fs::write(&closing, half).expect("it can be written");
            left_open(path, "another");
            let lacks = manager(path, Durability::Process).options.lacks();
            assert!(lacks.is_some_and(|words| words.contains("went down")));
        }
        fs::write(&closing, note.to_string()).expect("it can be written");
        assert_eq!(manager(path, Durability::Process).options.lacks(), None);
        let connection = open(path).await;
        assert_eq!(members(&connection, "k").await, r#"["a"]"#);
        // From now on it says nothing.
        assert!(!closing.exists());
        write(&connection, add("k", &["b"])).await;
        connection.close().await;

        fs::write(&closing, note.to_string()).expect("it can be written");
        left_open(path, "another");
        let connection = open(path).await;
        assert_eq!(members(&connection, "k").await, "[]");
    });
}

/// Whatever else of it was taken away.
#[cfg(unix)]
#[test]
fn a_process_that_has_the_rows_open_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        open(path).await.close().await;
        let [_, data] = other_process(path);
        left_open(path, &boot());
        let locks = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        fs::remove_file(path.join("processes").join("1")).expect("it is there");
        open(path).await.close().await;
        let same = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        assert_eq!(same, locks);

        // It has to notice first.
        for name in ["lock.mdb", "next.lock", "write.lock", "store.json"] {
            let kept = fs::read(path.join(name)).expect("it is there");
            fs::remove_file(path.join(name)).expect("it is there");
            let failed = super::world::try_open(path).await.map(drop);
            let Err(ConnectError::Unreachable(words)) = failed else {
                panic!("{failed:?}");
            };
            assert!(words.contains(name), "{words}");
            fs::write(path.join(name), kept).expect("it can be written");
        }
        drop(data);
        fs::remove_file(path.join("lock.mdb")).expect("it is there");
        open(path).await.close().await;
    });
}

/// One of an older version has no lock on the rows, only its presence.
#[test]
fn a_process_of_an_older_version_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        open(path).await.close().await;
        let [presence, data] = other_process(path);
        drop(data);
        left_open(path, &boot());
        let locks = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        open(path).await.close().await;
        let same = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        assert_eq!(same, locks);
        let left = state(path);
        assert!(
            left.get("closed").is_none(),
            "it is not closed by the other one's leave: {left}"
        );
        drop(presence);
    });
}

/// A second process that is refused may have the number of the first one, in another container.
#[test]
fn a_process_that_is_refused_leaves_the_presence_of_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        open(path).await.close().await;
        let own = path.join("processes").join(std::process::id().to_string());
        for was_there in [true, false] {
            if was_there {
                // Its lock is not seen here.
                fs::File::create(&own).expect("a file");
            }
            fs::write(path.join("store.json"), "{}").expect("it can be written");
            refusal(path).await;
            assert_eq!(own.exists(), was_there);
            let _ = fs::remove_file(&own);
        }
    });
}

/// Processes whose data.mdb was removed use it until they notice. A process that opens the store meanwhile makes
/// another one, and must not share lock.mdb with them, which says where in the file the last commit is.
#[test]
fn a_store_that_was_taken_away_shares_no_locks_with_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        open(path).await.close().await;
        let _other = other_process(path);
        let locks = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");

        // The other one still has what is there.
        drop(open(path).await);
        let same = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        assert_eq!(same, locks);

        fs::remove_file(path.join("data.mdb")).expect("it is there");
        let connection = open(path).await;
        write(&connection, add("k", &["a"])).await;
        assert_eq!(members(&connection, "k").await, r#"["a"]"#);
        let fresh = same_file::Handle::from_path(path.join("lock.mdb")).expect("they are there");
        assert_ne!(fresh, locks);
    });
}

/// Durability `os` does not hold while a process with the other durability has the store open: the log must say so
/// before a power cut.
#[test]
fn processes_of_different_durability_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let note = async |durability| {
        let connected = manager(path, durability).connect().await;
        let connected = connected.expect("the store opens");
        connected.connection.close().await;
        connected.note
    };
    run(async {
        assert_eq!(note(Durability::Os).await, None);
        let _other = other_process(path);
        left_open(path, &boot());
        let words = note(Durability::Os).await.expect("a line for the log");
        assert!(words.contains("durability 'process'"), "{words}");
        assert!(words.ends_with("for this one too"), "{words}");
        assert_eq!(note(Durability::Process).await, None);
        left_as(path, "synced", json!({}));
        let words = note(Durability::Process).await.expect("a line for the log");
        assert!(words.contains("durability 'os'"), "{words}");
        assert!(words.ends_with("for them too"), "{words}");
    });
}

/// Nor does it say, when it closes, that the next one was closed in order.
#[test]
fn a_store_that_was_taken_away_does_not_speak_for_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        let connection = open(path).await;
        let next = fs::read(path.join("data.mdb")).expect("it is there");
        fs::remove_file(path.join("data.mdb")).expect("it is there");
        // Of a process that was killed since.
        fs::write(path.join("data.mdb"), next).expect("it can be written");
        connection.close().await;
        assert!(state(path)["open"].is_object());
    });
}

#[cfg(target_os = "linux")]
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(not(target_os = "linux"))]
fn boot() -> String {
    String::new()
}
