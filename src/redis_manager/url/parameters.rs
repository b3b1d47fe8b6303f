//! The parameters of a URL, after the `?`.

use std::borrow::Cow;

use redis::parse_redis_url;

use super::{LARGEST_DB, LoginOptions, Result, UrlFault, fault, twice};

/// The parameters, each with an alternative name that other clients use.
const PARAMETERS: [(&str, &str); 4] = [
    ("db", "database"),
    ("username", "user"),
    ("password", "pass"),
    ("tls", "ssl"),
];

/// The parameters after the `?`, by the first of their names in [`PARAMETERS`].
pub(super) struct Parameters([Option<String>; PARAMETERS.len()]);

impl Parameters {
    pub(super) fn read<'a>(
        pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Self> {
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

    pub(super) fn db(&self) -> Result<Option<u64>> {
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

    pub(super) fn tls(&self) -> Result<Option<bool>> {
        match self.get("tls") {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(fault(
                "has a parameter tls that is neither true nor false; what TLS checks is said by option tls",
            )),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            Some(text) => checked(name, text).map(Some),
            None => Ok(None),
        }
    }
}

fn checked(name: &str, text: &str) -> Result<String> {
    // It was not UTF-8 when it was decoded; it would be another password.
    if text.is_empty() || text.contains('\u{fffd}') {
        return Err(fault(format!(
            "has a parameter {name} that is empty or not UTF-8"
        )));
    }
    Ok(text.to_owned())
}

/// Takes the login at sentinels, which is not that at the server, out of the end of a URL, which is returned without it.
pub(super) fn split_sentinel_login(tail: &str) -> Result<(LoginOptions, String)> {
    let mut login = LoginOptions::default();
    let (tail, fragment) = tail.split_at(tail.find('#').unwrap_or(tail.len()));
    let Some((path, query)) = tail.split_once('?') else {
        return Ok((login, format!("{tail}{fragment}")));
    };
    let mut others = Vec::new();
    for parameter in query.split('&') {
        let (name, text) = parameter.split_once('=').unwrap_or((parameter, ""));
        let place = match name {
            "sentinelUsername" => &mut login.username,
            "sentinelPassword" => &mut login.password,
            _ => {
                others.push(parameter);
                continue;
            }
        };
        if text.contains('@') {
            // Refused with the rest, as in any other parameter.
            others.push(parameter);
        } else if place.replace(decoded(name, text)?).is_some() {
            return Err(twice(name));
        }
    }
    let query = if others.is_empty() { "" } else { "?" };
    let others = others.join("&");
    Ok((login, format!("{path}{query}{others}{fragment}")))
}

fn decoded(name: &str, text: &str) -> Result<String> {
    let url = parse_redis_url(&format!("redis://h?value={text}"));
    let value = url.and_then(|url| {
        let (_, value) = url.query_pairs().next()?;
        Some(value.into_owned())
    });
    checked(name, &value.unwrap_or_default())
}

/// Names a parameter if it looks like a name: it may be something that was pasted there.
fn unknown(name: &str, value: &str) -> UrlFault {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let is_name = !value.is_empty() && name.len() <= 40 && name.chars().all(plain);
    let shown = if is_name { name } else { "(not shown)" };
    fault(format!(
        "has an unknown parameter {shown}; accepted are db, username, password and tls, with sentinels also \
         sentinelUsername and sentinelPassword; for anything else there are options"
    ))
}
