//! Opening and closing: what stays, what is refused and in which words, and the room that a store takes.

use std::fs;

use super::{
    trust::state,
    world::{add, clean, execute, manager, members, open, refusal, run, write},
};
use crate::{
    command::{Command, ReadOp, WriteOp},
    embedded::{Durability, MAX_KEY},
    manager::{ConnectError, Connection as _, Manager as _},
};

#[test]
fn what_was_written_is_there_after_an_orderly_end_and_after_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        let connection = open(path).await;
        write(&connection, add("k", &["a", "b"])).await;
        connection.close().await;
        assert!(state(path)["closed"].is_object());

        let connection = open(path).await;
        assert!(state(path)["open"].is_object());
        assert_eq!(members(&connection, "k").await, r#"["a","b"]"#);
        write(&connection, add("k", &["c"])).await;
        drop(connection);

        let connection = open(path).await;
        assert_eq!(members(&connection, "k").await, r#"["a","b","c"]"#);
    });
}

#[test]
fn two_spellings_of_one_folder_are_one_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    run(async {
        let first = open(&path).await;
        let other = open(&folder.path().join(".").join("store")).await;
        write(&first, add("k", &["a"])).await;
        assert_eq!(members(&other, "k").await, r#"["a"]"#);
        // The end of one is not the other's.
        first.close().await;
        write(&other, add("k", &["b"])).await;
        assert_eq!(members(&other, "k").await, r#"["a","b"]"#);
        other.close().await;
        assert!(state(&path)["closed"].is_object());
    });
}

#[test]
fn the_map_grows_by_itself_and_a_large_batch_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let connection = open(folder.path()).await;
        let uid = |n: usize| format!("{n:0>200}").into_bytes();
        // About 60 MB, and the map begins with 16.
        for key in 0..10 {
            let members = (0..20_000).map(uid);
            let key = format!("k{key}").into();
            write(
                &connection,
                Command::write_members(WriteOp::Add, key, members),
            )
            .await;
        }
        for key in 0..10 {
            let json = members(&connection, &format!("k{key}")).await;
            assert_eq!(json.len(), 20_000 * 203 + 1);
        }
        clean(&connection, b"k").await;
        assert_eq!(members(&connection, "k9").await, "[]");
    });
}

#[test]
fn a_key_of_the_full_length_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let connection = open(folder.path()).await;
        let longest = "k".repeat(MAX_KEY);
        write(&connection, add(&longest, &["a"])).await;
        assert_eq!(members(&connection, &longest).await, r#"["a"]"#);
    });
}

#[test]
fn what_is_not_ours_or_of_another_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    run(async {
        fs::write(path.join("data.mdb"), "x").expect("it can be written");
        assert!(refusal(path).await.contains("not of this package"));
        fs::write(path.join("store.json"), r#"{"format": 2}"#).expect("it can be written");
        let words = refusal(path).await;
        assert!(
            words.contains("its format is 2, known here is 1"),
            "{words}"
        );
        fs::write(path.join("store.json"), "{").expect("it can be written");
        assert!(refusal(path).await.contains("store.json is damaged"));
        let file = path.join("data.mdb");
        assert!(refusal(&file).await.contains("cannot make the folder"));
    });
}

#[test]
fn one_process_has_one_durability_per_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let _link = open(folder.path()).await;
        let other = manager(folder.path(), Durability::Os).connect().await;
        let Err(ConnectError::Refused(words)) = other.map(drop) else {
            panic!("it opens");
        };
        assert!(words.contains("another durability"), "{words}");
    });
}

#[test]
fn a_link_ends_when_its_files_are_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    run(async {
        let connected = manager(&path, Durability::Process).connect().await;
        let connected = connected.expect("the store opens");
        write(&connected.connection, add("k", &["a"])).await;
        fs::remove_dir_all(&path).expect("it can be removed");
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let keys = vec![b"k".to_vec()];
        let read = Command::read(ReadOp::Members, keys);
        let lost = execute(&connected.connection, &[read]).await;
        assert!(lost.is_err());
        connected.closed.await;
        drop(connected.connection);

        let connection = open(&path).await;
        assert_eq!(members(&connection, "k").await, "[]");
        write(&connection, add("k", &["b"])).await;
        assert_eq!(members(&connection, "k").await, r#"["b"]"#);
    });
}

#[cfg(unix)]
#[test]
fn nobody_else_can_look_into_the_folder_or_lock_what_is_in_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new").join("store");
    run(async {
        let _link = open(&path).await;
        let mode = |path: &std::path::Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        for folder in ["..", "", "processes"] {
            assert_eq!(mode(&path.join(folder)), 0o700, "{folder}");
        }
        let presence = format!("processes/{}", std::process::id());
        let locks = ["lock.mdb", "opening.lock", "next.lock", "write.lock"];
        for file in locks
            .into_iter()
            .chain(["data.mdb", "store.json", &presence])
        {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
    });
}
