//! The options of the embedded store: accepted and refused folders.

use std::path::Path;

use super::{super::*, embedded, parse, redis, text};
use crate::{
    embedded::{Durability, MAX_KEY},
    redis_manager::{Address, Endpoint},
};

#[test]
fn the_embedded_store_is_a_folder() {
    let options = embedded(&[("path", text("data/channels"))]).expect("a folder is enough");
    assert_eq!(options.store.name(), "embedded");
    let Store::Embedded(store) = options.store else {
        panic!("not embedded")
    };
    assert_eq!(store.folder, Path::new("data/channels"));
    assert_eq!(store.durability, Some(Durability::Process));
    let given = [("path", text("/data")), ("durability", text("os"))];
    let Store::Embedded(store) = embedded(&given).expect("all are valid").store else {
        panic!("not embedded")
    };
    assert_eq!(store.durability, Some(Durability::Os));
    assert!(!store.local_file_system);
    let given = [
        ("path", text("/data")),
        ("localFileSystem", Raw::Bool(true)),
    ];
    let Store::Embedded(store) = embedded(&given).expect("all are valid").store else {
        panic!("not embedded")
    };
    assert!(store.local_file_system);
}

#[test]
fn path_without_the_embedded_store_is_still_a_unix_socket() {
    for store in [Raw::Absent, text(""), text("redis")] {
        let options = parse(&[("store", store), ("path", text("/run/redis.sock"))]);
        let redis = redis(options.expect("all are valid"));
        assert_eq!(
            redis.endpoint,
            Endpoint::Server(Address::Unix("/run/redis.sock".into()))
        );
    }
}

#[test]
fn what_cannot_be_the_embedded_store_is_told_by_name() {
    const FOLDER: &str = "accepted is the path of a folder, which store 'embedded' needs";
    for (given, words) in [
        (vec![], format!("option path is absent; {FOLDER}")),
        (
            vec![("path", Raw::Number(5.0))],
            format!("option path is 5; {FOLDER}"),
        ),
        (
            vec![("path", text("redis://:hush@h"))],
            format!("option path is a URL (not shown); {FOLDER}"),
        ),
        (
            vec![("path", text("/data")), ("durability", text("disk"))],
            "option durability is \"disk\"; accepted is 'process' or 'os'".to_owned(),
        ),
    ] {
        assert_eq!(embedded(&given).unwrap_err().to_string(), words);
    }
    assert_eq!(
        parse(&[("store", text("lmdb"))]).unwrap_err().to_string(),
        "option store is \"lmdb\"; accepted is 'redis' or 'embedded'"
    );
}

#[test]
fn a_prefix_that_leaves_no_room_for_names_is_refused() {
    let with = |bytes| {
        let prefix = text(&"x".repeat(bytes));
        embedded(&[("path", text("/data")), ("prefix", prefix)]).map(drop)
    };
    assert_eq!(with(MAX_KEY - 2), Ok(()));
    let error = with(MAX_KEY - 1).unwrap_err();
    assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_OPTION");
    assert!(error.to_string().contains("at most 509"), "{error}");
    assert!(parse(&[("prefix", text(&"x".repeat(1000)))]).is_ok());
}
