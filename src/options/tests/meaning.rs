//! What values mean that are not of an option's own type: texts of booleans, values for "not used", and names of other
//! clients.

use std::collections::HashMap;

use super::{
    super::{kinds::Alias, *},
    embedded, parse, redis, text,
};

/// The options that are true or false, besides other forms.
fn booleans() -> impl Iterator<Item = &'static str> {
    let is_boolean = |row: &&&Row| {
        let kind = format!("{:?}", &row.kind);
        ["Flag", "Truthy", "Switch"]
            .iter()
            .any(|name| kind.starts_with(name))
            && row.name != "socket"
    };
    TABLE.iter().filter(is_boolean).map(|row| row.name)
}

/// What becomes of a value of an option, with the option of which it is a field and with the store that it is for.
fn given(name: &'static str, value: Raw) -> Result<Options> {
    let mut given = vec![(name, value)];
    if let Some((object, _)) = name.split_once('.') {
        given.push((object, Raw::Object));
    }
    let row = TABLE.iter().find(|row| row.name == name);
    if row.is_some_and(|row| row.store == For::Sentinel) {
        given.push(("sentinels", Raw::List(vec![text("h")])));
        given.push(("name", text("main")));
    }
    if row.is_some_and(|row| row.store == For::Embedded) {
        given.push(("path", text("/data")));
        embedded(&given)
    } else {
        parse(&given)
    }
}

fn parsed(name: &'static str, value: Raw) -> String {
    format!("{:?}", given(name, value).expect(name))
}

#[test]
fn texts_of_booleans_mean_what_they_say_in_each_boolean_option() {
    let names: Vec<_> = booleans().collect();
    for expected in [
        "cleanOnStartUp",
        "tls",
        "cache",
        "hashTag",
        "tls.rejectUnauthorized",
    ] {
        assert!(names.contains(&expected), "{names:?}");
    }
    for name in names {
        for (value, words) in [
            (true, ["true", "1", "TRUE", " true\n"]),
            (false, ["false", "0", "False", "false "]),
        ] {
            for word in words {
                let one = parsed(name, text(word));
                assert_eq!(one, parsed(name, Raw::Bool(value)), "{name}: {word:?}");
            }
        }
        let not_given = parsed(name, Raw::Absent);
        assert_eq!(parsed(name, text("")), not_given, "{name}");
        // `tls: false` is the default.
        let both = [true, false].map(|value| parsed(name, Raw::Bool(value)));
        assert_ne!(both[0], both[1], "{name}");
    }
}

#[test]
fn other_texts_are_refused_or_mean_what_they_did_in_0_0_7() {
    for name in booleans().filter(|name| *name != "cleanOnStartUp") {
        assert!(given(name, text("yes")).is_err(), "{name}");
    }
    for (word, cleans) in [("yes", true), ("on", true), ("no", false), ("off", false)] {
        let options = parse(&[("cleanOnStartUp", text(word))]).expect("any value is accepted");
        assert_eq!(options.clean_on_start_up, cleans, "{word}");
    }
}

#[test]
fn a_value_that_means_not_used_is_not_given() {
    let plain = format!("{:?}", parse(&[]).expect("no option is needed"));
    let empty = Raw::List(Vec::new());
    let off = Raw::Bool(false);
    for (name, values) in [
        ("sentinels", vec![&empty, &off]),
        ("cluster", vec![&empty, &off]),
        ("url", vec![&off]),
        ("path", vec![&off]),
        ("host", vec![&off]),
        ("port", vec![&off]),
        ("db", vec![&off]),
        ("maxQueue", vec![&off]),
        ("prefix", vec![&off]),
        ("username", vec![&off]),
        ("password", vec![&off]),
        ("auth_pass", vec![&off]),
        ("name", vec![&off]),
        ("sentinelUsername", vec![&off]),
        ("sentinelPassword", vec![&off]),
        ("channelManager", vec![&off]),
        ("max_attempts", vec![&off]),
        ("retry_max_delay", vec![&off]),
        ("connect_timeout", vec![&off]),
        ("durability", vec![]),
        ("localFileSystem", vec![&off]),
        ("tls", vec![&off]),
        ("hashTag", vec![&off]),
    ] {
        for value in values.into_iter().chain([&Raw::Absent, &text("")]) {
            let options = parse(&[(name, value.clone())]);
            assert_eq!(
                format!("{:?}", options.expect(name)),
                plain,
                "{name}: {value:?}"
            );
        }
    }
    let secured = |given: &[(&'static str, Raw)]| {
        let given = [&[("tls", Raw::Object)], given].concat();
        format!("{:?}", redis(parse(&given).expect("valid")).tls)
    };
    for name in ["tls.ca", "tls.cert", "tls.key", "tls.servername"] {
        assert_eq!(secured(&[(name, off.clone())]), secured(&[]), "{name}");
    }
    assert_eq!(secured(&[("tls.ca", empty)]), secured(&[]));
}

#[test]
fn what_is_not_used_excludes_nothing() {
    let off = Raw::Bool(false);
    let empty = Raw::List(Vec::new());
    parse(&[
        ("url", text("redis://h")),
        ("host", off.clone()),
        ("port", off.clone()),
        ("path", off.clone()),
        ("sentinels", empty.clone()),
        ("cluster", empty.clone()),
        ("sentinelPassword", text("")),
        ("durability", text("")),
        ("localFileSystem", text("false")),
    ])
    .expect("only url is used");
    embedded(&[
        ("path", text("/data")),
        ("host", text("")),
        ("tls", off.clone()),
        ("hashTag", off),
        ("cluster", empty),
    ])
    .expect("only the folder is used");
}

#[test]
fn another_clients_name_is_that_of_our_option() {
    let options = parse(&[
        ("socket", Raw::Object),
        ("socket.host", text("h")),
        ("socket.port", Raw::Number(7000.0)),
        ("socket.tls", Raw::Bool(true)),
        ("socket.servername", text("of-the-certificate")),
        ("socket.connectTimeout", Raw::Number(70.0)),
        ("database", text("3")),
        ("user", text("joe")),
        ("enableOfflineQueue", Raw::Bool(false)),
        ("commandsQueueMaxLength", Raw::Number(9.0)),
    ]);
    let options = options.expect("all are valid");
    assert_eq!(options.max_queue, 9);
    assert!(!options.limits.offline_queue);
    assert_eq!(
        options.limits.connect_timeout,
        Some(Duration::from_millis(70))
    );
    let redis = redis(options);
    assert_eq!(redis.endpoint.to_string(), "h:7000");
    assert_eq!(
        (redis.db, redis.login.username.as_deref()),
        (3, Some("joe"))
    );
    let tls = parse(&[
        ("tls", Raw::Object),
        ("tls.servername", text("of-the-certificate")),
    ]);
    assert_eq!(
        format!("{:?}", redis.tls),
        format!("{:?}", super::redis(tls.expect("valid")).tls)
    );
}

#[test]
fn an_error_names_the_option_as_it_was_given() {
    for (given, words) in [
        (vec![("database", text("x"))], "option database is \"x\"; "),
        (
            vec![("socket.host", Raw::Number(5.0))],
            "option socket.host is 5; ",
        ),
        (
            vec![("socket.host", text("redis://h"))],
            "option socket.host is no host name ",
        ),
        (
            vec![("auth_pass", Raw::Bool(true))],
            "option auth_pass is of another type ",
        ),
        (
            vec![("socket", text("s3cret"))],
            "option socket is of another type (not shown); ",
        ),
        (
            vec![
                ("url", text("redis://h")),
                ("socket.port", Raw::Number(1.0)),
            ],
            "options url and socket.port exclude each other",
        ),
        (
            vec![("db", Raw::Number(1.0)), ("database", Raw::Number(2.0))],
            "options db and database differ: give one of them",
        ),
        (
            vec![("password", text("s3cret")), ("auth_pass", text("s3crets"))],
            "options password and auth_pass differ: give one of them",
        ),
    ] {
        let error = parse(&given).unwrap_err().to_string();
        assert!(
            error.starts_with(words) && !error.contains("s3cret"),
            "{error}"
        );
    }
    // The same under both names, in whatever form.
    parse(&[("db", Raw::Number(2.0)), ("database", text("2"))]).expect("the same");
}

#[test]
fn each_other_name_is_that_of_an_option() {
    for row in TABLE {
        if let Some(name) = row.kind.stands_for() {
            let option = TABLE.iter().find(|row| row.name == name);
            let option = option.unwrap_or_else(|| panic!("{} is for {name}", row.name));
            assert_eq!(option.kind.stands_for(), None, "{}", row.name);
            assert_eq!(format!("{:?}", &row.kind), format!("{:?}", Alias(name)));
        }
    }
}

#[test]
fn one_line_names_the_options_without_effect_and_what_replaces_them() {
    let line = |given: &[(&str, Raw)]| {
        let given: HashMap<_, _> = given.iter().cloned().collect();
        Options::without_effect(&|name| given.get(name).cloned().unwrap_or(Raw::Absent))
    };
    assert_eq!(
        line(&[("db", Raw::Number(3.0)), ("user", text("joe"))]),
        None
    );
    // They ask for nothing.
    let nothing = [
        ("lazyConnect", Raw::Bool(false)),
        ("keepAlive", Raw::Absent),
    ];
    assert_eq!(line(&nothing), None);
    assert_eq!(
        line(&[
            ("parser", text("s3cret")),
            ("keyPrefix", text("s3cret")),
            ("retryStrategy", Raw::Other("a function".to_owned())),
        ]),
        Some(
            "options of other Redis clients that have no effect here: parser, \
             retryStrategy (use retry_max_delay and max_attempts), keyPrefix (use prefix)"
                .to_owned()
        )
    );
}
