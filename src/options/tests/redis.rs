//! The options of Redis: one server, sentinels, a cluster, TLS.

use super::{super::*, embedded, parse, redis, text};
use crate::{
    redis_cluster::ClusterOptions,
    redis_manager::{Address, Endpoint, LoginOptions, NatMap, Sentinels, Tls},
};

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
            redis.login.username.as_deref(),
            redis.login.password.as_deref()
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
        (redis.endpoint, redis.db, redis.login.password.as_deref()),
        (Endpoint::Server(Address::Tcp("h".into(), 7)), 1, Some("pw"))
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
        record(&[
            ("host", text("b")),
            ("port", Raw::Absent),
            ("family", Raw::Absent),
        ]),
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
        login: LoginOptions {
            username: Some("u".to_owned()),
            password: Some("1".to_owned()),
            ..LoginOptions::default()
        },
        ..Sentinels::default()
    };
    let shown = format!("{redis:?}");
    assert!(
        !shown.contains("password") && !shown.contains("of the server"),
        "{shown}"
    );
    assert_eq!(redis.endpoint, Endpoint::Sentinel(expected));
    assert_eq!(
        (redis.db, redis.login.password.as_deref()),
        (3, Some("of the server"))
    );
}

#[test]
fn a_function_is_asked_in_place_of_a_value() {
    let given = [
        ("url", text("redis://u:p@h")),
        ("username", Raw::Function),
        ("auth_pass", Raw::Function),
    ];
    let asked = redis(parse(&given).expect("all are valid")).login.asked;
    let expected = (Some("username"), Some("auth_pass"));
    assert_eq!((asked.username, asked.password), expected);
    let given = [
        ("sentinels", list(&[text("a")])),
        ("name", text("mymaster")),
        ("sentinelPassword", Raw::Function),
        ("natMap", Raw::Function),
    ];
    let redis = redis(parse(&given).expect("all are valid"));
    assert_eq!(redis.nat_map, NatMap::Function("natMap"));
    let Endpoint::Sentinel(sentinels) = redis.endpoint else {
        panic!("no sentinels");
    };
    let expected = (None, Some("sentinelPassword"));
    let asked = sentinels.login.asked;
    assert_eq!((asked.username, asked.password), expected);
}

#[test]
fn tls_to_sentinels_is_that_to_the_server_unless_it_is_given() {
    let of = |given: &[(&str, Raw)]| {
        let sentinels = [
            ("sentinels", list(&[text("a")])),
            ("name", text("mymaster")),
        ];
        let redis = redis(parse(&[given, &sentinels].concat()).expect("all are valid"));
        let Endpoint::Sentinel(sentinels) = redis.endpoint else {
            panic!("no sentinels");
        };
        let option = |tls: Option<Tls>| tls.map(|tls| tls.option());
        (option(redis.tls), option(sentinels.tls))
    };
    let (on, off) = (Raw::Bool(true), Raw::Bool(false));
    assert_eq!(of(&[]), (None, None));
    assert_eq!(of(&[("tls", on.clone())]), (Some("tls"), Some("tls")));
    let given = [("tls", on.clone()), ("sentinelTls", off)];
    assert_eq!(of(&given), (Some("tls"), None));
    assert_eq!(
        of(&[("sentinelTls", on.clone())]),
        (None, Some("sentinelTls"))
    );
    let given = [("tls", on), ("sentinelTls", Raw::Object)];
    assert_eq!(of(&given), (Some("tls"), Some("sentinelTls")));
    let error = parse(&[("sentinelTls", Raw::Bool(true))]).unwrap_err();
    let words = "option sentinelTls is for use with option sentinels";
    assert_eq!(error.to_string(), words);
}

#[test]
fn a_map_of_addresses_is_by_host_and_port() {
    let map = Raw::Record(vec![
        ("Node-1:6379".to_owned(), text("h")),
        (
            "::1:7000".to_owned(),
            record(&[("host", text("h2")), ("port", text("8"))]),
        ),
        ("[::2]:7000".to_owned(), text("[::3]:9")),
        ("unused:1".to_owned(), Raw::Absent),
    ]);
    let NatMap::Table(map) = cluster(&[("natMap", map)]).expect("a map").node.nat_map else {
        panic!("no map");
    };
    let to = |host: &str, port| map.get(&(host.to_owned(), port)).map(ToString::to_string);
    assert_eq!(to("node-1", 6379).as_deref(), Some("h:6379"));
    assert_eq!(to("::1", 7000).as_deref(), Some("h2:8"));
    assert_eq!(to("::2", 7000).as_deref(), Some("[::3]:9"));
    assert_eq!(map.len(), 3);
}

#[test]
fn a_wrong_sentinel_is_told_by_its_place_and_without_a_secret() {
    const LIST: &str = "accepted is an array of {host, port} or 'host:port'";
    const HOST: &str = "accepted is a host name or an address (no URL)";
    const PORT: &str = "accepted is a whole number from 1 to 65535";
    let good = text("a:1");
    for (sentinels, words) in [
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
            list(&[text("h:1?password=hush")]),
            format!("sentinels[0] is no host name (not shown); {HOST}"),
        ),
        (
            list(&[record(&[("host", text("h")), ("password", text("hush"))])]),
            "sentinels[0] has an unknown field \"password\"; accepted is {host, port} or 'host:port'"
                .to_owned(),
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
    for lone in ["sentinelUsername", "sentinelPassword"] {
        let error = parse(&[(lone, text("s3cret"))]).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("option {lone} is for use with option sentinels")
        );
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
    let login = (
        node.login.username.as_deref(),
        node.login.password.as_deref(),
    );
    assert_eq!(login, (Some("u"), Some("p")));
    assert!(!format!("{options:?}").contains("\"p\""));
    // The nodes say whether they have it.
    let options = cluster(&[("db", text("3"))]).expect("a database");
    assert_eq!(options.node.db, 3);
}

#[test]
fn what_a_cluster_has_not_is_refused() {
    let error = |given| cluster(&[given]).unwrap_err().to_string();
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
