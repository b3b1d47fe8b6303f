//! The options of a service: their names, types, limits and defaults, in one table of code.
//! Where the values come from (a JavaScript object) is the caller's business: see [`Source`].

use std::time::Duration;

use crate::{
    error::{Error, Result},
    redis_manager::{Address, RedisOptions, URL_FORMS},
};

/// The longest time that can be given: what a JavaScript timer takes (about 24.8 days).
const LONGEST: u64 = (1 << 31) - 1;

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// Not there, `undefined` or `null`.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// Anything else: how to show it in an error.
    Other(String),
}

/// Gives the value of an option by its name.
pub type Source<'a> = &'a dyn Fn(&str) -> Raw;

/// Every option name that is understood. 0.0.7 handed its options to `node_redis`; the names of
/// `node_redis` that have no meaning here are taken and ignored.
pub const NAMES: &[&str] = &[
    "host",
    "port",
    "path",
    "url",
    "db",
    "prefix",
    "username",
    "password",
    "auth_pass",
    "connectTimeout",
    "commandTimeout",
    "startTimeout",
    "pushTimeout",
    "maxQueue",
    "cleanOnStartUp",
    "channelManager",
    "enable_offline_queue",
    "max_attempts",
    "retry_max_delay",
    "connect_timeout",
    // Of node_redis 0.10, without effect:
    "parser",
    "return_buffers",
    "detect_buffers",
    "socket_nodelay",
    "socket_keepalive",
    "no_ready_check",
    "command_queue_high_water",
    "command_queue_low_water",
];

/// What a service is built from.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first part of every key; empty means the default.
    pub prefix: String,
    /// Whether `start` removes what is there.
    pub clean_on_start_up: bool,
    /// How many calls may be unanswered.
    pub max_queue: usize,
    /// How long a frontend may take to answer a push; `None` = for ever.
    pub push_timeout: Option<Duration>,
    /// When the driver gives up on what.
    pub limits: Limits,
    /// Where Redis is and how to log in.
    pub redis: RedisOptions,
}

/// The driver's times and bounds. `None` = no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One attempt to connect.
    pub connect_timeout: Option<Duration>,
    /// From a call to its answer.
    pub command_timeout: Option<Duration>,
    /// From `start` to the first connection.
    pub start_timeout: Option<Duration>,
    /// How long `stop` waits for answers.
    pub drain: Duration,
    /// Whether calls wait while there is no connection.
    pub offline_queue: bool,
    /// Attempts to connect in a row before giving up.
    pub max_attempts: Option<u64>,
    /// The longest pause between two attempts.
    pub retry_cap: Duration,
    /// Time without a connection before giving up.
    pub give_up_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Some(Duration::from_secs(5)),
            command_timeout: Some(Duration::from_secs(5)),
            start_timeout: Some(Duration::from_secs(30)),
            drain: Duration::from_secs(1),
            offline_queue: true,
            max_attempts: None,
            retry_cap: Duration::from_secs(2),
            give_up_after: None,
        }
    }
}

impl Options {
    /// Reads and checks every option.
    pub fn parse(source: Source) -> Result<Self> {
        let read = Reader(source);
        if source("return_buffers") == Raw::Bool(true) {
            return Err(invalid(
                "return_buffers",
                "true",
                "false: members are strings",
            ));
        }
        if !matches!(
            source("channelManager"),
            Raw::Absent | Raw::Bool(false) | Raw::Other(_)
        ) {
            let shown = show(&source("channelManager"));
            return Err(invalid(
                "channelManager",
                &shown,
                "a manager object, a factory function or a class",
            ));
        }
        let default = Limits::default();
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default();
        Ok(Self {
            prefix: read.text("prefix")?.unwrap_or_default(),
            clean_on_start_up: read.truthy("cleanOnStartUp"),
            max_queue: usize::try_from(
                read.integer("maxQueue", 1, u64::from(u32::MAX))?
                    .unwrap_or(100_000),
            )
            .unwrap_or(usize::MAX),
            push_timeout: read.time("pushTimeout", Duration::from_secs(10))?,
            limits: Limits {
                connect_timeout: read.time("connectTimeout", seconds(default.connect_timeout))?,
                command_timeout: read.time("commandTimeout", seconds(default.command_timeout))?,
                start_timeout: read.time("startTimeout", seconds(default.start_timeout))?,
                drain: default.drain,
                offline_queue: read.flag("enable_offline_queue")?.unwrap_or(true),
                max_attempts: read.node_redis("max_attempts")?,
                retry_cap: read
                    .node_redis("retry_max_delay")?
                    .map_or(default.retry_cap, Duration::from_millis),
                give_up_after: read
                    .node_redis("connect_timeout")?
                    .map(Duration::from_millis),
            },
            redis: redis_options(&read)?,
        })
    }
}

fn redis_options(read: &Reader) -> Result<RedisOptions> {
    let password = match (read.secret("password")?, read.secret("auth_pass")?) {
        (Some(a), Some(b)) if a != b => {
            return Err(Error::InvalidOption(
                "options password and auth_pass differ: give one of them".to_owned(),
            ));
        }
        (a, b) => a.or(b),
    };
    let mut redis = match (read.text_as("url", URL_FORMS)?, read.text("path")?) {
        (Some(url), path) => {
            read.excludes("url", &["host", "port"])?;
            if path.is_some() {
                read.excludes("url", &["path"])?;
            }
            RedisOptions::from_url(&url).ok_or_else(|| {
                // A URL may hold a password: only what precedes the credentials is shown.
                let shown = url.split_once("://").map_or("…", |(scheme, _)| scheme);
                invalid("url", &format!("'{shown}://…'"), URL_FORMS)
            })?
        }
        (None, Some(path)) => {
            read.excludes("path", &["host", "port"])?;
            RedisOptions::new(Address::Unix(path.into()))
        }
        (None, None) => RedisOptions::new(tcp_address(read)?),
    };
    if let Some(db) = read.integer("db", 0, i32::MAX as u64)? {
        redis.db = db;
    }
    redis.username = read.text("username")?.or(redis.username);
    redis.password = password.or(redis.password);
    Ok(redis)
}

fn tcp_address(read: &Reader) -> Result<Address> {
    let host = read.text("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    match (read.0)("port") {
        // As in 0.0.7, where net.connect took a path in the place of a port.
        Raw::Text(path) if path.contains('/') => Ok(Address::Unix(path.into())),
        _ => {
            let port = read
                .integer("port", 1, u64::from(u16::MAX))?
                .unwrap_or(6379);
            Ok(Address::Tcp(host, u16::try_from(port).unwrap_or(u16::MAX)))
        }
    }
}

fn invalid(name: &str, value: &str, accepted: &str) -> Error {
    Error::InvalidOption(format!("option {name} is {value}; accepted is {accepted}"))
}

fn show(raw: &Raw) -> String {
    match raw {
        Raw::Absent => "absent".to_owned(),
        Raw::Bool(value) => value.to_string(),
        Raw::Number(value) if value.is_infinite() => if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned(),
        Raw::Number(value) => value.to_string(),
        Raw::Text(value) => format!("{value:?}"),
        Raw::Other(what) => what.clone(),
    }
}

struct Reader<'a>(Source<'a>);

impl Reader<'_> {
    fn text(&self, name: &str) -> Result<Option<String>> {
        self.text_as(name, "a string")
    }

    fn text_as(&self, name: &str, accepted: &str) -> Result<Option<String>> {
        match (self.0)(name) {
            Raw::Absent => Ok(None),
            // 0.0.7 took an empty string for "not given" everywhere.
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            other => Err(invalid(name, &show(&other), accepted)),
        }
    }

    /// Like text (a password of digits may come as a number from a config file), but its value is
    /// never shown.
    fn secret(&self, name: &str) -> Result<Option<String>> {
        match (self.0)(name) {
            Raw::Absent | Raw::Bool(false) => Ok(None),
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            Raw::Number(number) => Ok(Some(number.to_string())),
            _ => Err(invalid(name, "of another type (not shown)", "a string")),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        match (self.0)(name) {
            Raw::Absent => Ok(None),
            Raw::Bool(value) => Ok(Some(value)),
            other => Err(invalid(name, &show(&other), "true or false")),
        }
    }

    /// 0.0.7 tested `!!cleanOnStartUp`.
    fn truthy(&self, name: &str) -> bool {
        match (self.0)(name) {
            Raw::Absent => false,
            Raw::Bool(value) => value,
            Raw::Number(value) => value != 0.0 && !value.is_nan(),
            Raw::Text(value) => !value.is_empty(),
            Raw::Other(_) => true,
        }
    }

    fn integer(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let raw = (self.0)(name);
        let value = match &raw {
            Raw::Absent => return Ok(None),
            Raw::Text(text) if text.is_empty() => return Ok(None),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "guarded: a whole number between 0 and 2^53"
            )]
            Raw::Number(n) if n.fract() == 0.0 && (0.0..9e15).contains(n) => Some(*n as u64),
            Raw::Text(text) => text.parse().ok(),
            _ => None,
        };
        match value {
            Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(invalid(
                name,
                &show(&raw),
                &format!("a whole number from {least} to {most}"),
            )),
        }
    }

    /// Milliseconds; 0 = no limit.
    fn time(&self, name: &str, default: Duration) -> Result<Option<Duration>> {
        let time = self
            .integer(name, 0, LONGEST)?
            .map_or(default, Duration::from_millis);
        Ok((!time.is_zero()).then_some(time))
    }

    /// A number of `node_redis`, where 0 and `false` mean "not set".
    fn node_redis(&self, name: &str) -> Result<Option<u64>> {
        if (self.0)(name) == Raw::Bool(false) {
            return Ok(None);
        }
        Ok(self.integer(name, 0, LONGEST)?.filter(|&value| value != 0))
    }

    fn excludes(&self, name: &str, others: &[&str]) -> Result<()> {
        match others.iter().find(|other| (self.0)(other) != Raw::Absent) {
            Some(other) => Err(Error::InvalidOption(format!(
                "options {name} and {other} exclude each other: give one of them"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
