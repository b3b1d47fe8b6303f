//! The schemes of URLs, and those that name several servers: `redis+sentinel://` and `redis+cluster://`, as Python's
//! `limits` and `redis-sentinel-url` have them. Lettuce and fred have `redis-sentinel://` and `redis-cluster://` with
//! other parts, which are refused with the options to use instead.

use super::{Result, UrlFault, fault, no_url, parameters::split_sentinel_login};
use crate::redis_manager::{
    Address, LoginOptions,
    host::{host_and_port, host_fault},
};

/// What a scheme leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Unix,
    Sentinel,
    Cluster,
}

/// The accepted schemes: what they lead to, and whether with TLS. Valkey's are the same.
const SCHEMES: [(&str, Kind, bool); 8] = [
    ("redis", Kind::Tcp, false),
    ("rediss", Kind::Tcp, true),
    ("unix", Kind::Unix, false),
    ("redis+unix", Kind::Unix, false),
    ("redis+sentinel", Kind::Sentinel, false),
    ("rediss+sentinel", Kind::Sentinel, true),
    ("redis+cluster", Kind::Cluster, false),
    ("rediss+cluster", Kind::Cluster, true),
];

/// Schemes of other clients, and what to use instead.
const OTHERS: [(&[&str], &str); 4] = [
    (
        &["redis-sentinel", "rediss-sentinel", "sentinel", "sentinels"],
        "redis+sentinel://host[:port],…/name[/db], or options sentinels and name",
    ),
    (
        &["redis-cluster", "rediss-cluster", "cluster"],
        "redis+cluster://host[:port],…, or option cluster",
    ),
    (
        &[
            "redis+tls",
            "redis+ssl",
            "redis-tls",
            "redis-ssl",
            "tls",
            "ssl",
        ],
        "rediss://",
    ),
    (
        &["redis-socket", "redis+socket", "file"],
        "unix:///path, or option path",
    ),
];

/// Reads the scheme, in any case. Returns what follows it too.
pub(super) fn scheme(url: &str) -> Result<(Kind, bool, &str)> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| no_url(url))?;
    let scheme = scheme.to_ascii_lowercase();
    let plain = match scheme.strip_prefix("valkey") {
        Some(rest) => format!("redis{rest}"),
        None => scheme.clone(),
    };
    if let Some((_, kind, tls)) = SCHEMES.iter().find(|(name, ..)| *name == plain) {
        return Ok((*kind, *tls, rest));
    }
    let other = OTHERS.iter().find(|(names, _)| names.contains(&&*plain));
    Err(other.map_or_else(
        || no_url(url),
        |(_, instead)| UrlFault::Part(format!("begins with {scheme}://; use {instead}")),
    ))
}

/// Returns whether what follows the scheme names several servers.
pub(super) fn is_list(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (_, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    hosts.contains(',')
}

/// The servers of a URL that names several, and the URL of one server with everything else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Several<'a> {
    pub(super) addresses: Vec<Address>,
    /// The first part of the path, which is the primary's name at the sentinels.
    pub(super) name: Option<&'a str>,
    /// How to log in at the sentinels.
    pub(super) login: LoginOptions,
    /// Without a scheme; its host is not used.
    pub(super) rest: String,
}

/// Splits what follows the scheme.
pub(super) fn several(kind: Kind, text: &str) -> Result<Several<'_>> {
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (authority, tail) = text.split_at(end);
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let default_port = if kind == Kind::Sentinel { 26379 } else { 6379 };
    let hosts = hosts.split(',').map(|text| host(text, default_port));
    let addresses = hosts.collect::<Result<_>>()?;
    let (name, tail) = match kind {
        Kind::Sentinel => name(tail)?,
        _ => (None, tail),
    };
    let (of_sentinels, tail) = match kind {
        Kind::Sentinel => split_sentinel_login(tail)?,
        _ => (LoginOptions::default(), tail.to_owned()),
    };
    let login = login.map(|login| format!("{login}@")).unwrap_or_default();
    Ok(Several {
        addresses,
        name,
        login: of_sentinels,
        rest: format!("{login}h{tail}"),
    })
}

fn host(text: &str, default_port: u16) -> Result<Address> {
    let (host, port) = host_and_port(text);
    // Not shown: it may be a part of a password.
    if host.is_empty() || host_fault(host).is_some() {
        return Err(fault(
            "has a host that is none (not shown); accepted is host[:port],host[:port],…",
        ));
    }
    let port = match port {
        "" => Some(default_port),
        port => port.parse().ok().filter(|port| *port > 0),
    };
    let port = port.ok_or_else(|| fault("has a port that is no number from 1 to 65535"))?;
    Ok(Address::Tcp(host.to_owned(), port))
}

/// Takes the primary's name from the path; what is left is the path of one server.
fn name(tail: &str) -> Result<(Option<&str>, &str)> {
    let end = tail.find(['?', '#']).unwrap_or(tail.len());
    let path = tail[..end].strip_prefix('/').unwrap_or_default();
    let name = path.split('/').next().unwrap_or_default();
    if name.contains(['%', '@']) {
        // An @: it is a part of a password.
        return Err(fault(
            "has a name of the primary with a % or an @ (not shown); give such a name as option name",
        ));
    }
    let left = match name {
        "" => tail,
        name => &tail[1 + name.len()..],
    };
    Ok(((!name.is_empty()).then_some(name), left))
}
