//! What the options promise: defaults, forms, errors without secrets, and no panic.

use std::{collections::HashMap, path::Path};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    embedded::{Durability, MAX_KEY},
    error::Error,
    redis_cluster::ClusterOptions,
    redis_manager::{Address, Endpoint, RedisOptions, Sentinels},
};

fn parse(given: &[(&str, Raw)]) -> Result<Options> {
    let given: HashMap<_, _> = given.iter().cloned().collect();
    Options::parse(&|name| given.get(name).cloned().unwrap_or(Raw::Absent))
}

fn redis(options: Options) -> RedisOptions {
    match options.store {
        Store::Redis(redis) => redis,
        Store::Cluster(_) | Store::Embedded(_) => panic!("not Redis"),
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
fn tls_is_on_with_its_option_or_the_scheme_of_the_url() {
    let is_on = |given: &[(&str, Raw)]| redis(parse(given).expect("all are valid")).tls.is_some();
    let (plain, secured) = (text("redis://h"), text("rediss://me:pw@h:7/1"));
    assert!(!is_on(&[]));
    assert!(!is_on(&[("url", plain.clone()), ("tls", Raw::Bool(false))]));
    assert!(is_on(&[("tls", Raw::Bool(true))]));
    assert!(is_on(&[("url", plain), ("tls", Raw::Object)]));
    assert!(is_on(&[("url", secured.clone())]));
    assert!(is_on(&[("url", secured.clone()), ("tls", Raw::Bool(true))]));
    let redis = redis(parse(&[("url", secured)]).expect("a url"));
    assert_eq!(
        (redis.endpoint, redis.db, redis.password.as_deref()),
        (Endpoint::Server(Address::Tcp("h".into(), 7)), 1, Some("pw"))
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
    let error = parse(&[("url", text("redis+tls://:hunter2@h"))])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("url") && !error.contains("hunter2"),
        "{error}"
    );
}

fn list(items: &[Raw]) -> Raw {
    Raw::List(items.to_vec())
}

fn record(fields: &[(&str, Raw)]) -> Raw {
    let named = |(name, value): &(&str, Raw)| ((*name).to_owned(), value.clone());
    Raw::Record(fields.iter().map(named).collect())
}

#[test]
fn sentinels_are_records_or_text_with_a_port_or_without() {
    let sentinels = list(&[
        record(&[("host", text("a")), ("port", Raw::Number(7.0))]),
        record(&[("host", text("::1")), ("port", text("8"))]),
        record(&[("host", text("b")), ("port", Raw::Absent)]),
        text("c:9"),
        text("d"),
        text("[::2]:10"),
        text("[::3]"),
        text("::4"),
    ]);
    let given = [
        ("sentinels", sentinels),
        ("name", text("mymaster")),
        ("sentinelUsername", text("u")),
        ("sentinelPassword", Raw::Number(1.0)),
        ("password", text("of the server")),
        ("db", Raw::Number(3.0)),
    ];
    let redis = redis(parse(&given).expect("all are valid"));
    let at = |(host, port): (&str, u16)| Address::Tcp(host.to_owned(), port);
    let addresses = [
        ("a", 7),
        ("::1", 8),
        ("b", 26379),
        ("c", 9),
        ("d", 26379),
        ("::2", 10),
        ("::3", 26379),
        ("::4", 26379),
    ];
    let expected = Sentinels {
        addresses: addresses.into_iter().map(at).collect(),
        name: "mymaster".to_owned(),
        username: Some("u".to_owned()),
        password: Some("1".to_owned()),
        tls: None,
    };
    let shown = format!("{redis:?}");
    assert!(
        !shown.contains("password") && !shown.contains("of the server"),
        "{shown}"
    );
    assert_eq!(redis.endpoint, Endpoint::Sentinel(expected));
    assert_eq!(
        (redis.db, redis.password.as_deref()),
        (3, Some("of the server"))
    );
}

#[test]
fn a_wrong_sentinel_is_told_by_its_place_and_without_a_secret() {
    const LIST: &str = "accepted is an array of {host, port} or 'host:port', at least one";
    const HOST: &str = "accepted is a host name or an address (no URL)";
    const PORT: &str = "accepted is a whole number from 1 to 65535";
    let good = text("a:1");
    for (sentinels, words) in [
        (list(&[]), format!("sentinels is []; {LIST}")),
        (Raw::Object, format!("sentinels is {{…}}; {LIST}")),
        (Raw::Number(5.0), format!("sentinels is 5; {LIST}")),
        (
            text("redis://:hush@h"),
            format!("sentinels is a string (not shown); {LIST}"),
        ),
        (
            list(&[good.clone(), Raw::Number(5.0)]),
            "sentinels[1] is 5; accepted is {host, port} or 'host:port'".to_owned(),
        ),
        (
            list(&[good.clone(), text("a:70000")]),
            format!("sentinels[1].port is \"70000\"; {PORT}"),
        ),
        (
            list(&[record(&[("host", text("a")), ("port", Raw::Bool(true))])]),
            format!("sentinels[0].port is true; {PORT}"),
        ),
        (
            list(&[record(&[("port", Raw::Number(1.0))])]),
            format!("sentinels[0].host is absent; {HOST}"),
        ),
        (
            list(&[text("")]),
            format!("sentinels[0].host is \"\"; {HOST}"),
        ),
        (
            list(&[text("redis://:hush@h:1")]),
            format!("sentinels[0] is no host name (not shown); {HOST}"),
        ),
        (
            list(&[text("joe:hush@h")]),
            format!("sentinels[0] is no host name (not shown); {HOST}"),
        ),
        (
            list(&[record(&[("host", text("joe:hush@h"))])]),
            format!("sentinels[0].host is no host name (not shown); {HOST}"),
        ),
    ] {
        let error = parse(&[("sentinels", sentinels), ("name", text("x"))]).unwrap_err();
        assert_eq!(error.to_string(), format!("option {words}"));
    }
}

#[test]
fn sentinels_need_a_name_and_exclude_a_server() {
    let sentinels = ("sentinels", list(&[text("a:1")]));
    let error = parse(std::slice::from_ref(&sentinels))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("option name is absent; "), "{error}");
    for other in ["host", "port", "url", "path"] {
        let given = [sentinels.clone(), ("name", text("x")), (other, text("7"))];
        let error = parse(&given).unwrap_err().to_string();
        let words = format!("options sentinels and {other} exclude each other: give one of them");
        assert_eq!(error, words);
    }
    for lone in ["name", "sentinelUsername", "sentinelPassword"] {
        let error = parse(&[(lone, text("s3cret"))]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("option {lone} is for use with option sentinels")
        );
    }
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
        "sentinels",
        "name",
        "sentinelUsername",
        "sentinelPassword",
        "db",
        "username",
        "password",
        "auth_pass",
        "tls",
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
            "tls" if given.keys().any(|name| name.starts_with("tls.")) => Raw::Object,
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
                // Names are none, wherever they came from.
                let is_name = given.contains_key("username") || given.contains_key("name");
                prop_assert!(is_name || !shown.contains(secret), "{}", shown);
            }
        }
    }
}

fn cluster(given: &[(&str, Raw)]) -> Result<ClusterOptions> {
    let nodes = Raw::List(vec![
        record(&[("host", text("a"))]),
        record(&[("host", text("::1")), ("port", Raw::Number(7000.0))]),
        text("b:7001"),
    ]);
    match parse(&[given, &[("cluster", nodes)]].concat())?.store {
        Store::Cluster(cluster) => Ok(cluster),
        _ => panic!("not a cluster"),
    }
}

#[test]
fn a_cluster_is_a_list_of_its_nodes() {
    let options = cluster(&[("username", text("u")), ("auth_pass", text("p"))]);
    let options = options.expect("all are valid");
    assert_eq!(options.to_string(), "a:6379, [::1]:7000, b:7001");
    let node = &options.node;
    let login = (node.username.as_deref(), node.password.as_deref());
    assert_eq!(login, (Some("u"), Some("p")));
    assert!(!format!("{options:?}").contains("\"p\""));
    // As config files have it.
    cluster(&[("db", Raw::Number(0.0))]).expect("the only database");
}

#[test]
fn what_a_cluster_has_not_is_refused() {
    let error = |given| cluster(&[given]).unwrap_err().to_string();
    assert_eq!(
        error(("db", Raw::Number(3.0))),
        "option db is 3; accepted is 0, because a Redis Cluster has no other database"
    );
    for (name, value) in [
        ("host", text("h")),
        ("port", Raw::Number(7000.0)),
        ("url", text("redis://h")),
        ("path", text("/s")),
    ] {
        let words = format!("options cluster and {name} exclude each other: give one of them");
        assert_eq!(error((name, value)), words);
    }
    let given = [("cluster", Raw::List(vec![text("h:1"), text("h:x")]))];
    let error = parse(&given).unwrap_err().to_string();
    assert!(error.starts_with("option cluster[1].port is "), "{error}");
    let given = [("cluster", Raw::List(Vec::new()))];
    let error = parse(&given).unwrap_err().to_string();
    assert!(error.starts_with("option cluster is []"), "{error}");
    for name in ["cluster", "hashTag"] {
        let error = embedded(&[("path", text("f")), (name, Raw::Bool(true))]);
        let error = error.map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("option {name} is for store 'redis'")),
            "{error}"
        );
    }
}

#[test]
fn a_hash_tag_is_the_name_of_the_channel() {
    let key = |given: &[(&str, Raw)]| {
        let options = parse(given).expect("all are valid");
        String::from_utf8(options.keys().key("room", "s1"))
    };
    let tagged = [("hashTag", Raw::Bool(true)), ("prefix", text("P"))];
    assert_eq!(key(&tagged), Ok("P:{room}:s1".to_owned()));
    assert_eq!(key(&[]), Ok("POMELO:CHANNEL:room:s1".to_owned()));
}
