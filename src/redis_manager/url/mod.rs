//! Parses the URL of a server. Every part of it is used, or refused by name: an ignored part could mean a wrong
//! database, a plain connection or a missing password. No error shows a value. The schemes, and URLs of several servers,
//! are in [`topology`].

mod parameters;
mod topology;

use redis::{ConnectionAddr, IntoConnectionInfo as _, parse_redis_url};

use self::{
    parameters::Parameters,
    topology::{Kind, Several, scheme, several},
};
use super::{
    Address, Endpoint, LoginOptions, RedisOptions, Tls,
    host::{host_fault, socket_path},
};

/// The accepted forms of URLs.
pub const URL_FORMS: &str = "redis://[[user][:password]@]host[:port][/db], rediss://… for TLS, unix:///path, \
                             redis+sentinel://host[:port],…/name[/db] or redis+cluster://host[:port],…, \
                             each with parameters (?db=n&username=…&password=…&tls=true) or without; \
                             valkey means the same as redis";

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

/// A URL, parsed.
#[derive(Debug, Clone)]
pub struct StoreUrl {
    /// The first server, and how to log in at all of them.
    pub options: RedisOptions,
    /// What its servers are.
    pub topology: Topology,
}

/// What the servers of a URL are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    One,
    /// Sentinels.
    Sentinels(SentinelUrl),
    /// Nodes of a Redis Cluster.
    Cluster(Vec<Address>),
}

/// What a URL says of sentinels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentinelUrl {
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// The name of the primary at them.
    pub name: Option<String>,
    /// How to log in at them.
    pub login: LoginOptions,
}

impl StoreUrl {
    /// Parses a URL in one of the [`URL_FORMS`].
    pub fn parse(url: &str) -> Result<Self> {
        let url = url.trim();
        let (kind, secured, rest) = scheme(url)?;
        let secured = secured.then_some(url);
        if matches!(kind, Kind::Tcp | Kind::Unix) {
            if kind == Kind::Tcp && topology::is_list(rest) {
                return Err(fault(
                    "names several servers; use redis+cluster:// or redis+sentinel://, or option cluster or sentinels",
                ));
            }
            return Ok(Self {
                options: one_server(url, kind, secured, rest)?,
                topology: Topology::One,
            });
        }
        let Several {
            addresses,
            name,
            login,
            rest,
        } = several(kind, rest)?;
        let mut options = one_server(url, Kind::Tcp, secured, &rest)?;
        if let Some(address) = addresses.first() {
            options.endpoint = Endpoint::Server(address.clone());
        }
        options.secrets.extend(login.password.clone());
        let topology = if kind == Kind::Cluster {
            Topology::Cluster(addresses)
        } else {
            Topology::Sentinels(SentinelUrl {
                addresses,
                name: name.map(str::to_owned),
                login,
            })
        };
        Ok(Self { options, topology })
    }
}

/// Parses the URL of one server: `rest` is what follows the scheme. `secured` is the URL if its scheme means TLS.
fn one_server(url: &str, kind: Kind, secured: Option<&str>, rest: &str) -> Result<RedisOptions> {
    // TLS is handled here: redis-rs without its TLS feature refuses such a URL.
    let on_unix = kind == Kind::Unix;
    let scheme = if on_unix { "unix" } else { "redis" };
    let mut parsed = parse_redis_url(&format!("{scheme}://{rest}")).ok_or_else(|| no_url(url))?;
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
        && (!parsed.username().is_empty() || parsed.password().is_some() || parsed.port().is_some())
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
        ConnectionAddr::Tcp(host, port) => tcp(host, *port)?,
        ConnectionAddr::Unix(path) => {
            let path = path.to_str().ok_or_else(|| no_url(url))?;
            let none = |accepted| fault(format!("has no path of a socket; accepted is {accepted}"));
            Address::Unix(socket_path(path).map_err(none)?)
        }
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
    let tls = has_tls(given.tls()?, secured, on_unix)?.then(Tls::default);
    Ok(RedisOptions {
        db: one_of("db", has_path.then_some(in_path), given.db()?)?.unwrap_or(0),
        login: LoginOptions {
            username: one_of("username", user, given.text("username")?)?,
            password: one_of("password", password, given.text("password")?)?,
            ..LoginOptions::default()
        },
        tls,
        ..RedisOptions::new(Endpoint::Server(address))
    })
}

/// Returns whether there is TLS, by the parameter of that name and by the URL whose scheme means it.
fn has_tls(parameter: Option<bool>, secured: Option<&str>, on_unix: bool) -> Result<bool> {
    match (parameter, secured.and_then(|url| url.split_once("://"))) {
        (Some(false), Some((scheme, _))) => Err(fault(format!(
            "begins with {}:// and has the parameter tls=false: give one of them",
            scheme.to_ascii_lowercase()
        ))),
        (Some(true), _) if on_unix => Err(fault(
            "has the parameter tls=true, and there is no TLS on a Unix socket",
        )),
        _ => Ok(secured.is_some() || parameter == Some(true)),
    }
}

fn tcp(host: &str, port: u16) -> Result<Address> {
    match host_fault(host) {
        None => Ok(Address::Tcp(host.to_owned(), port)),
        // Not shown: it may be a part of a password.
        Some(fault) => Err(UrlFault::Part(format!(
            "has a host that is none (not shown); accepted is {}",
            fault.accepted()
        ))),
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
mod tests;
