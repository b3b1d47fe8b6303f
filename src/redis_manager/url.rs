//! Parses the URL of a server. Every part of it is used, or refused by name: an ignored part could mean a wrong
//! database, a plain connection or a missing password. No error shows a value.

use std::borrow::Cow;

use redis::{ConnectionAddr, IntoConnectionInfo as _, parse_redis_url};

use super::{Address, Endpoint, RedisOptions, Tls};

/// The accepted forms of URLs.
pub const URL_FORMS: &str = "redis://[[user][:password]@]host[:port][/db], rediss://… for TLS, or unix:///path, \
                             each with parameters (?db=n&username=…&password=…&tls=true) or without";

/// The parameters, each with an alternative name that other clients use.
const PARAMETERS: [(&str, &str); 4] = [
    ("db", "database"),
    ("username", "user"),
    ("password", "pass"),
    ("tls", "ssl"),
];

/// The largest database number, as that of option `db`.
const LARGEST_DB: u64 = i32::MAX as u64;

/// What is wrong with a URL: the text of an error after the name of the option or argument.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is in none of the [`URL_FORMS`]; its beginning, as far as that may be shown.
    #[error("is {0}; accepted is {URL_FORMS}")]
    Form(String),
    /// This part of it is not accepted.
    #[error("{0}")]
    Part(String),
}

type Result<T> = std::result::Result<T, UrlFault>;

impl RedisOptions {
    /// Parses a URL in one of the [`URL_FORMS`].
    pub fn from_url(url: &str) -> Result<Self> {
        // TLS is handled here: redis-rs without its TLS feature refuses such a URL.
        let plain = url.strip_prefix("rediss://");
        let plain = plain.map(|rest| format!("redis://{rest}"));
        let secured = plain.is_some();
        let text = plain.as_deref().unwrap_or(url);
        let on_unix = text.starts_with("unix://");
        if !(on_unix || text.starts_with("redis://")) {
            return Err(no_url(url));
        }
        let mut parsed = parse_redis_url(text).ok_or_else(|| no_url(url))?;
        let rest = [Some(parsed.path()), parsed.query(), parsed.fragment()];
        if !on_unix && rest.into_iter().flatten().any(|part| part.contains('@')) {
            // A part of a password could otherwise be shown as a name.
            return Err(fault(
                "has an @ behind its host; write @, /, ? and # within a password as %40, %2F, %3F and %23",
            ));
        }
        if parsed.fragment().is_some() {
            return Err(fault(
                "has a fragment (#…), which has no meaning; what TLS checks is said by option tls",
            ));
        }
        if on_unix
            && (!parsed.username().is_empty()
                || parsed.password().is_some()
                || parsed.port().is_some())
        {
            return Err(fault(
                "has a user, a password or a port before the path of the socket; \
                 write unix:///path?username=…&password=…",
            ));
        }
        let given = Parameters::read(parsed.query_pairs())?;
        let has_path = !on_unix && !parsed.path().trim_matches('/').is_empty();
        parsed.set_query(None);
        let info = parsed.into_connection_info().map_err(|_| no_url(url))?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => return Err(no_url(url)),
        };
        let settings = info.redis_settings();
        let in_path = u64::try_from(settings.db()).ok();
        let in_path = in_path
            .filter(|&db| db <= LARGEST_DB)
            .ok_or_else(|| no_url(url))?;
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let user = settings.username().and_then(text);
        let password = settings.password().and_then(text);
        let tls = given.tls()?;
        match tls {
            Some(false) if secured => {
                return Err(fault(
                    "begins with rediss:// and has the parameter tls=false: give one of them",
                ));
            }
            Some(true) if on_unix => {
                return Err(fault(
                    "has the parameter tls=true, and there is no TLS on a Unix socket",
                ));
            }
            _ => {}
        }
        Ok(Self {
            db: one_of("db", has_path.then_some(in_path), given.db()?)?.unwrap_or(0),
            username: one_of("username", user, given.text("username")?)?,
            password: one_of("password", password, given.text("password")?)?,
            tls: (secured || tls == Some(true)).then(Tls::default),
            ..Self::new(Endpoint::Server(address))
        })
    }
}

/// The parameters after the `?`, by the first of their names in [`PARAMETERS`].
struct Parameters([Option<String>; PARAMETERS.len()]);

impl Parameters {
    fn read<'a>(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Self> {
        let mut values: [Option<String>; PARAMETERS.len()] = Default::default();
        for (name, value) in pairs {
            let known = |(one, other): &(&str, &str)| name == *one || name == *other;
            let Some(index) = PARAMETERS.iter().position(known) else {
                return Err(unknown(&name, &value));
            };
            if values[index].replace(value.into_owned()).is_some() {
                return Err(twice(PARAMETERS[index].0));
            }
        }
        Ok(Self(values))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let index = PARAMETERS.iter().position(|(known, _)| *known == name)?;
        self.0[index].as_deref()
    }

    fn db(&self) -> Result<Option<u64>> {
        let accepted = || {
            fault(format!(
                "has a parameter db that is no database; accepted is a whole number from 0 to {LARGEST_DB}"
            ))
        };
        let parse = |text: &str| {
            let number = text.parse().ok().filter(|&db| db <= LARGEST_DB);
            number.ok_or_else(accepted)
        };
        self.get("db").map(parse).transpose()
    }

    fn tls(&self) -> Result<Option<bool>> {
        match self.get("tls") {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(fault(
                "has a parameter tls that is neither true nor false; what TLS checks is said by option tls",
            )),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            // It was not UTF-8 when it was decoded; it would be another password.
            Some(text) if text.is_empty() || text.contains('\u{fffd}') => Err(fault(format!(
                "has a parameter {name} that is empty or not UTF-8"
            ))),
            text => Ok(text.map(str::to_owned)),
        }
    }
}

/// Merges a part that may be in two places of the URL; in both it must be the same.
fn one_of<T: PartialEq>(name: &str, one: Option<T>, other: Option<T>) -> Result<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(twice(name)),
        (one, other) => Ok(one.or(other)),
    }
}

fn twice(name: &str) -> UrlFault {
    fault(format!("has {name} twice: give one of them"))
}

/// Names a parameter if it looks like a name: it may be something that was pasted there.
fn unknown(name: &str, value: &str) -> UrlFault {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let is_name = !value.is_empty() && name.len() <= 40 && name.chars().all(plain);
    let shown = if is_name { name } else { "(not shown)" };
    fault(format!(
        "has an unknown parameter {shown}; accepted are db, username, password and tls, for anything else there \
         are options"
    ))
}

/// Shows only what precedes the credentials.
fn no_url(url: &str) -> UrlFault {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '.');
    let shown = if !scheme.is_empty() && scheme.len() <= 20 && scheme.chars().all(plain) {
        format!("'{scheme}://…'")
    } else {
        "'…'".to_owned()
    };
    UrlFault::Form(shown)
}

fn fault(words: impl Into<String>) -> UrlFault {
    UrlFault::Part(words.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(url: &str) -> RedisOptions {
        RedisOptions::from_url(url).unwrap_or_else(|fault| panic!("{url}: {fault}"))
    }

    fn words(url: &str) -> String {
        let fault = RedisOptions::from_url(url).map(|_| url).expect_err(url);
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
                options.username.unwrap_or_default(),
                options.password.unwrap_or_default(),
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
            ("redis+sentinel://:hunter2@h", "is 'redis+sentinel://…'; "),
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
                if let Err(fault) = RedisOptions::from_url(&url) {
                    prop_assert!(!fault.to_string().contains("hunter2"), "{url}: {fault}");
                }
            }
        }
    }
}
