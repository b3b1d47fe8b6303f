//! What the options promise: defaults, forms, errors without secrets, and no panic.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn parse(given: &[(&str, Raw)]) -> Result<Options> {
    let given: HashMap<_, _> = given.iter().cloned().collect();
    Options::parse(&|name| given.get(name).cloned().unwrap_or(Raw::Absent))
}

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

#[test]
fn without_options_it_is_the_local_redis() {
    let options = parse(&[]).expect("no option is needed");
    assert_eq!(
        options.redis.address,
        Address::Tcp("127.0.0.1".into(), 6379)
    );
    assert_eq!((options.redis.db, options.max_queue), (0, 100_000));
    assert_eq!(options.limits.command_timeout, Some(Duration::from_secs(5)));
}

#[test]
fn numbers_may_come_as_text_and_zero_means_no_limit() {
    let options = parse(&[
        ("port", text("7000")),
        ("db", text("3")),
        ("pushTimeout", Raw::Number(0.0)),
    ]);
    let options = options.expect("all are valid");
    assert_eq!(
        options.redis.address,
        Address::Tcp("127.0.0.1".into(), 7000)
    );
    assert_eq!((options.redis.db, options.push_timeout), (3, None));
}

#[test]
fn options_win_over_the_url() {
    let given = [
        ("url", text("redis://u:p@h:7/4")),
        ("db", Raw::Number(5.0)),
        ("password", text("q")),
    ];
    let redis = parse(&given).expect("all are valid").redis;
    assert_eq!(redis.address, Address::Tcp("h".into(), 7));
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

proptest! {
    /// Whatever is given, in whatever place: an Options or an error, never a panic, and
    /// never a password in the words.
    #[test]
    fn parsing_never_panics(
        name in prop::sample::select(NAMES),
        value in prop_oneof![
            any::<f64>().prop_map(Raw::Number),
            "\\PC{0,20}".prop_map(Raw::Text),
            "(redis|unix|rediss)://\\PC{0,20}".prop_map(Raw::Text),
            any::<bool>().prop_map(Raw::Bool),
            Just(Raw::Other("{…}".to_owned())),
        ],
    ) {
        let secret = "s3cret-word";
        let source = |asked: &str| match asked {
            _ if asked == name => value.clone(),
            "password" => text(secret),
            _ => Raw::Absent,
        };
        if let Err(error) = Options::parse(&source) {
            prop_assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_OPTION");
            prop_assert!(!error.to_string().contains(secret));
        }
    }
}
