//! What each part of a URL means, and that what is refused is named without showing a value.

use proptest::prelude::*;

use super::*;

fn parsed(url: &str) -> StoreUrl {
    StoreUrl::parse(url).unwrap_or_else(|fault| panic!("{url}: {fault}"))
}

fn read(url: &str) -> RedisOptions {
    parsed(url).options
}

fn words(url: &str) -> String {
    let fault = StoreUrl::parse(url).map(|_| url).expect_err(url);
    fault.to_string()
}

#[test]
fn parameters_count() {
    for (url, db) in [
        ("redis://h", 0),
        ("redis://h?", 0),
        ("redis://h/", 0),
        ("redis://h?db=3", 3),
        ("redis://h/?db=3", 3),
        ("redis://h/3?db=3", 3),
        ("redis://h?database=4", 4),
        ("redis://h?d%62=5", 5),
        ("rediss://h/3", 3),
        ("unix:///s?db=6", 6),
    ] {
        assert_eq!(read(url).db, db, "{url}");
    }
    let login = |url| {
        let options = read(url);
        (
            options.login.username.unwrap_or_default(),
            options.login.password.unwrap_or_default(),
        )
    };
    for url in [
        "redis://me:p%40%26@h",
        "redis://me@h?password=p%40%26",
        "redis://me:p%40%26@h?password=p%40%26",
        "redis://h?username=me&password=p%40%26",
        "unix:///s?user=me&pass=p%40%26",
    ] {
        assert_eq!(login(url), ("me".to_owned(), "p@&".to_owned()), "{url}");
    }
    for (url, is_on) in [
        ("redis://h", false),
        ("redis://h?tls=false", false),
        ("redis://h?tls=true", true),
        ("redis://h?ssl=1", true),
        ("rediss://h", true),
        ("rediss://h?tls=true", true),
        ("unix:///s?tls=0", false),
    ] {
        assert_eq!(read(url).tls.is_some(), is_on, "{url}");
    }
}

#[test]
fn what_does_not_count_is_refused_by_name() {
    for (url, part) in [
        ("redis://h?family=6", "unknown parameter family;"),
        ("redis://h?timeout=5s", "unknown parameter timeout;"),
        ("redis://h?protocol=resp3", "unknown parameter protocol;"),
        ("redis://h?DB=3", "unknown parameter DB;"),
        ("unix:///s?name=x", "unknown parameter name;"),
        ("rediss://h?ssl_cert_reqs=none", "parameter ssl_cert_reqs;"),
        ("redis://h?hunter2", "unknown parameter (not shown);"),
        ("redis://h?db=3&db=3", "has db twice"),
        ("redis://h?db=3&database=4", "has db twice"),
        ("redis://h/3?db=4", "has db twice"),
        ("redis://h/0?db=4", "has db twice"),
        ("redis://a@h?username=b", "has username twice"),
        ("redis://:hunter1@h?password=hunter2", "has password twice"),
        ("redis://h?db=", "parameter db that is no database"),
        ("redis://h?db=-1", "parameter db that is no database"),
        (
            "redis://h?db=4294967296",
            "parameter db that is no database",
        ),
        ("redis://h?db", "parameter db that is no database"),
        ("redis://h?tls=hunter2", "parameter tls that is neither"),
        ("redis://h?password=", "parameter password that is empty"),
        ("redis://h?password=%FFhunter2", "empty or not UTF-8"),
        ("rediss://h?tls=false", "begins with rediss:// and has"),
        ("rediss://h#insecure", "has a fragment"),
        ("redis://h/3#hunter2", "has a fragment"),
        ("unix:///s#hunter2", "has a fragment"),
        ("unix:///s?tls=true", "no TLS on a Unix socket"),
        ("unix://me:hunter2@localhost/s", "before the path of"),
        ("unix://localhost:70/s", "before the path of"),
        ("redis://me:12?hunter2=3@h:1/3", "has an @ behind its host"),
        ("redis://me:12/hunter2@h:1/3", "has an @ behind its host"),
        ("redis://me:12#hunter2@h:1/3", "has an @ behind its host"),
        ("redis://h/3/x", "is 'redis://…'; accepted is redis://[["),
        ("redis://h/x", "is 'redis://…'; "),
        ("redis://h/-1", "is 'redis://…'; "),
        ("redis://h/4294967296", "is 'redis://…'; "),
        ("redis://", "is 'redis://…'; "),
        ("unix://other/s", "is 'unix://…'; "),
        ("redis://h%0A", "has a host that is none (not shown)"),
        ("redis://h%20", "has a host that is none (not shown)"),
        (
            "redis://hunter2,b:1/0",
            "names several servers; use redis+cl",
        ),
        (
            "redis://h:1,h:2?db=3",
            "names several servers; use redis+cl",
        ),
        (
            "redis-sentinel://:hunter2@h",
            "begins with redis-sentinel://; use redis+sentinel://host",
        ),
        (
            "VALKEY-CLUSTER://:hunter2@h",
            "begins with valkey-cluster://; use redis+cluster://host",
        ),
        (
            "redis+tls://:hunter2@h",
            "begins with redis+tls://; use rediss",
        ),
        ("redis+socket:///s", "use unix:///path, or option path"),
        (
            "valkeys://h?tls=false",
            "begins with valkeys:// and has the",
        ),
        ("redis+sentinel://:hunter2@a,/m", "has a host that is none"),
        ("redis+sentinel://:hun/ter2@a/m", "has a host that is none"),
        (
            "redis+sentinel://me:12?hunter2@a/m",
            "has an @ behind its host",
        ),
        ("redis+sentinel://me:12/hunter2@a/m", "with a % or an @"),
        (
            "redis+sentinel://a:hunter2/m",
            "has a port that is no number",
        ),
        (
            "redis+sentinel://a/m/x",
            "is 'redis+sentinel://…'; accepted",
        ),
        (
            "redis+sentinel://a/m?service_name=x",
            "parameter service_name;",
        ),
        ("redis+cluster://a:0", "has a port that is no number"),
        ("redis+cluster://a,b#hunter2", "has a fragment"),
        ("redis+mysql://:hunter2@h", "is 'redis+mysql://…'; "),
        (":hunter2@h", "is '…'; "),
        (":hunter2@h://", "is '…'; "),
    ] {
        let words = words(url);
        assert!(words.contains(part), "{url}: {words}");
        assert!(!words.contains("hunter"), "{url}: {words}");
    }
}

proptest! {
    /// Whatever stands where a value is: no panic, and no error shows it.
    #[test]
    fn no_value_is_shown(
        start in "(redis|rediss|unix)://(me:)?",
        name in "[?/#&:@]{0,2}(db|tls|password|timeout|)=?",
    ) {
        for url in [
            format!("{start}h{name}hunter2"),
            format!("{start}hunter2@h{name}"),
            format!("{start}h/{name}hunter2?{name}hunter2"),
        ] {
            if let Err(fault) = StoreUrl::parse(&url) {
                prop_assert!(!fault.to_string().contains("hunter2"), "{url}: {fault}");
            }
        }
    }
}

fn at(host: &str, port: u16) -> Address {
    Address::Tcp(host.to_owned(), port)
}

#[test]
fn schemes_are_those_of_redis_and_of_valkey_in_any_case() {
    for (url, is_on) in [
        ("valkey://h:7/3", false),
        ("Redis://h:7/3", false),
        ("REDISS://h:7/3", true),
        ("valkeys://h:7/3", true),
        ("ValkeyS://h:7/3", true),
        ("  redis://h:7/3\n", false),
    ] {
        let options = read(url);
        assert_eq!(options.endpoint, Endpoint::Server(at("h", 7)), "{url}");
        assert_eq!((options.db, options.tls.is_some()), (3, is_on), "{url}");
    }
    for url in [
        "unix:///s?db=3",
        "redis+unix:///s?db=3",
        "valkey+unix:///s?db=3",
    ] {
        let endpoint = Endpoint::Server(Address::Unix("/s".into()));
        assert_eq!((read(url).endpoint, read(url).db), (endpoint, 3), "{url}");
    }
}

#[test]
fn a_url_may_name_sentinels_or_the_nodes_of_a_cluster() {
    for (url, name, db, tls) in [
        (
            "redis+sentinel://a,b:7,[::1]:8/mymaster",
            Some("mymaster"),
            0,
            false,
        ),
        (
            "redis+sentinel://a,b:7,[::1]:8/mymaster/3",
            Some("mymaster"),
            3,
            false,
        ),
        (
            "valkey+sentinel://a,b:7,[::1]:8/mymaster?db=3",
            Some("mymaster"),
            3,
            false,
        ),
        (
            "REDISS+SENTINEL://a,b:7,[::1]:8/mymaster/",
            Some("mymaster"),
            0,
            true,
        ),
        ("redis+sentinel://a,b:7,[::1]:8", None, 0, false),
        ("redis+sentinel://a,b:7,[::1]:8?tls=true", None, 0, true),
    ] {
        let StoreUrl { options, topology } = parsed(url);
        let addresses = vec![at("a", 26379), at("b", 7), at("::1", 8)];
        let expected = SentinelUrl {
            addresses,
            name: name.map(str::to_owned),
            ..SentinelUrl::default()
        };
        assert_eq!(topology, Topology::Sentinels(expected), "{url}");
        assert_eq!((options.db, options.tls.is_some()), (db, tls), "{url}");
    }
    for url in [
        "redis+cluster://me:p%40,w@a,b:7",
        "valkey+cluster://me:p%40,w@a,b:7/0",
        "redis+cluster://a,b:7?username=me&password=p%40,w",
    ] {
        let StoreUrl { options, topology } = parsed(url);
        let nodes = vec![at("a", 6379), at("b", 7)];
        assert_eq!(topology, Topology::Cluster(nodes), "{url}");
        assert_eq!(options.endpoint, Endpoint::Server(at("a", 6379)));
        let login = &options.login;
        let login = (login.username.as_deref(), login.password.as_deref());
        assert_eq!(login, (Some("me"), Some("p@,w")), "{url}");
    }
    assert!(parsed("valkeys+cluster://a,b").options.tls.is_some());
}

#[test]
fn the_login_at_sentinels_is_in_parameters_of_its_own() {
    let url =
        "redis+sentinel://:pw@a/main.1/2?sentinelPassword=x%26y&username=me&sentinelUsername=s";
    let StoreUrl { options, topology } = parsed(url);
    let expected = SentinelUrl {
        addresses: vec![at("a", 26379)],
        name: Some("main.1".to_owned()),
        login: LoginOptions {
            username: Some("s".to_owned()),
            password: Some("x&y".to_owned()),
            ..LoginOptions::default()
        },
    };
    assert_eq!(topology, Topology::Sentinels(expected));
    let login = &options.login;
    let login = (login.username.as_deref(), login.password.as_deref());
    assert_eq!((options.db, login), (2, (Some("me"), Some("pw"))));
    assert_eq!(options.secrets, ["x&y"]);
    let only = parsed("redis+sentinel://a/m?sentinelPassword=x").topology;
    assert!(matches!(only, Topology::Sentinels(url) if url.login.password.as_deref() == Some("x")));
    for (url, part) in [
        (
            "redis+sentinel://a/m?sentinelPassword=",
            "has a parameter sentinelPassword that is empty or not UTF-8",
        ),
        (
            "redis+sentinel://a/m?sentinelPassword=%ff",
            "has a parameter sentinelPassword that is empty or not UTF-8",
        ),
        (
            "redis+sentinel://a/m?sentinelPassword=hunter2&sentinelPassword=x",
            "has sentinelPassword twice",
        ),
        (
            "redis+sentinel://a/m?sentinelPassword=hunter2@b",
            "has an @ behind its host",
        ),
        (
            "redis+sentinel://a/m?sentinelPassword=x#hunter2",
            "has a fragment",
        ),
        (
            "redis+cluster://a?sentinelPassword=hunter2",
            "unknown parameter sentinelPassword",
        ),
    ] {
        let words = words(url);
        assert!(words.contains(part), "{url}: {words}");
        assert!(!words.contains("hunter"), "{url}: {words}");
    }
}
