//! What the options promise: defaults, forms, errors without secrets, and no panic.

use std::{collections::HashMap, path::Path};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    embedded::{Durability, MAX_KEY},
    error::Error,
    redis_manager::{Address, Endpoint, RedisOptions},
};

fn parse(given: &[(&str, Raw)]) -> Result<Options> {
    let given: HashMap<_, _> = given.iter().cloned().collect();
    Options::parse(&|name| given.get(name).cloned().unwrap_or(Raw::Absent))
}

fn redis(options: Options) -> RedisOptions {
    match options.store {
        Store::Redis(redis) => redis,
        Store::Embedded(_) => panic!("not Redis"),
    }
}

fn embedded(given: &[(&str, Raw)]) -> Result<Options> {
    parse(&[given, &[("store", text("embedded"))]].concat())
}

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

#[test]
fn without_options_it_is_the_local_redis() {
    let options = parse(&[]).expect("no option is needed");
    assert_eq!(options.max_queue, 100_000);
    assert_eq!(options.limits.command_timeout, Some(Duration::from_secs(5)));
    let redis = redis(options);
    assert_eq!(
        redis.endpoint,
        Endpoint::Server(Address::Tcp("127.0.0.1".into(), 6379))
    );
    assert_eq!(redis.db, 0);
}

#[test]
fn numbers_may_come_as_text_and_zero_means_no_limit() {
    let options = parse(&[
        ("port", text("7000")),
        ("db", text("3")),
        ("pushTimeout", Raw::Number(0.0)),
    ]);
    let options = options.expect("all are valid");
    assert_eq!(options.push_timeout, None);
    let redis = redis(options);
    assert_eq!(
        redis.endpoint,
        Endpoint::Server(Address::Tcp("127.0.0.1".into(), 7000))
    );
    assert_eq!(redis.db, 3);
}

#[test]
fn options_win_over_the_url() {
    let given = [
        ("url", text("redis://u:p@h:7/4")),
        ("db", Raw::Number(5.0)),
        ("password", text("q")),
    ];
    let redis = redis(parse(&given).expect("all are valid"));
    assert_eq!(
        redis.endpoint,
        Endpoint::Server(Address::Tcp("h".into(), 7))
    );
    assert_eq!(
        (
            redis.db,
            redis.username.as_deref(),
            redis.password.as_deref()
        ),
        (5, Some("u"), Some("q"))
    );
}

#[test]
fn an_error_names_option_value_and_what_is_accepted_but_no_secret() {
    for (name, value, words) in [
        (
            "port",
            Raw::Number(1.5),
            "option port is 1.5; accepted is a whole number from 1 to 65535",
        ),
        (
            "db",
            text("x"),
            "option db is \"x\"; accepted is a whole number from 0 to 2147483647",
        ),
        (
            "host",
            Raw::Other("{…}".to_owned()),
            "option host is {…}; accepted is a string",
        ),
    ] {
        assert_eq!(parse(&[(name, value)]).unwrap_err().to_string(), words);
    }
    let error = parse(&[("url", text("rediss://:hunter2@h"))])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("url") && !error.contains("hunter2"),
        "{error}"
    );
}

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
fn options_of_two_stores_exclude_each_other() {
    for name in [
        "host",
        "port",
        "url",
        "db",
        "username",
        "password",
        "auth_pass",
    ] {
        let error = embedded(&[("path", text("/data")), (name, text("s3cret"))]).unwrap_err();
        assert_eq!(
            error,
            Error::InvalidOption(format!(
                "option {name} is for store 'redis', and option store is 'embedded'"
            ))
        );
    }
    let error = parse(&[("durability", text("os"))]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option durability is for store 'embedded', and option store is 'redis'"
    );
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

/// A value of any kind, with a secret in each text.
fn anything() -> impl Strategy<Value = Raw> {
    let leaf = prop_oneof![
        Just(Raw::Absent),
        any::<bool>().prop_map(Raw::Bool),
        any::<f64>().prop_map(Raw::Number),
        (-2i32..70000).prop_map(|number| Raw::Number(number.into())),
        any::<String>().prop_map(Raw::Text),
        "-?[0-9]{1,20}".prop_map(Raw::Text),
        "(redis|unix|rediss|http|)(://)?\\PC{0,20}".prop_map(Raw::Text),
        "(redis|unix|rediss)://[a-z]{0,3}:s3cret-word@[a-z:/0-9]{0,10}".prop_map(Raw::Text),
        "process|os|redis|embedded".prop_map(Raw::Text),
        Just(Raw::Object),
        vec(any::<u8>(), 0..10).prop_map(Raw::Bytes),
        Just(Raw::Other("{…}".to_owned())),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Raw::List),
            vec((any::<String>(), inner), 0..5).prop_map(Raw::Record),
        ]
    })
}

proptest! {
    /// Whatever is given, in whatever places at once: an Options or an error that names an option, never a panic, and
    /// never a password in the words.
    #[test]
    fn parsing_never_panics(
        given in prop::collection::hash_map(prop::sample::select(NAMES), anything(), 1..4),
        embedded: bool,
    ) {
        let secret = "s3cret-word";
        let source = |asked: &str| match asked {
            _ if given.contains_key(asked) => given[asked].clone(),
            "store" if embedded => text("embedded"),
            "path" if embedded => text("/data"),
            "password" if !embedded => text(secret),
            _ => Raw::Absent,
        };
        match Options::parse(&source) {
            Err(error) => {
                let words = error.to_string();
                prop_assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_OPTION");
                prop_assert!(NAMES.iter().any(|name| words.contains(name)), "{}", words);
                prop_assert!(!words.contains(secret), "{}", words);
            }
            Ok(options) => {
                let shown = format!("{:?}", options.store);
                // A user's name is none, wherever it came from.
                let is_user = given.contains_key("username");
                prop_assert!(is_user || !shown.contains(secret), "{}", shown);
            }
        }
    }
}
