//! What the options promise: defaults, forms, errors without secrets. The options of Redis are in [`redis`], those of the
//! embedded store in [`embedded`], `fanOut` in [`fan_out`], texts of booleans and names of other clients in [`meaning`],
//! random values in [`random`], the table in [`mod@table`].

mod embedded;
mod fan_out;
mod meaning;
mod random;
mod redis;
mod table;

use std::{collections::HashMap, time::Duration};

use super::*;
use crate::{
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
        Store::Cluster(_) | Store::Embedded(_) => panic!("not Redis"),
    }
}

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

fn embedded(given: &[(&str, Raw)]) -> Result<Options> {
    parse(&[given, &[("store", text("embedded"))]].concat())
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

#[test]
fn options_of_two_stores_exclude_each_other() {
    let for_redis = |row: &&&Row| matches!(row.store, For::Redis | For::Sentinel);
    let names = TABLE.iter().filter(for_redis).map(|row| row.name);
    for name in names {
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
