//! Addresses of several servers on a command line: the nodes of a cluster, or sentinels and the name of a primary. Each
//! server is parsed as the URL of a single one, so that all parts are checked and no value is shown.

use redis::parse_redis_url;

use crate::{
    options::Store,
    redis_cluster::ClusterOptions,
    redis_manager::{Address, Endpoint, RedisOptions, Sentinels, UrlFault},
};

/// The accepted forms.
pub(super) const FORMS: &str = "redis+cluster://[[user][:password]@]host[:port][,host[:port]…][/db], or \
                                redis+sentinel://[[user][:password]@]host[:port][,host[:port]…]/NAME[/db] \
                                (rediss+… for TLS)";

/// The port of sentinels, unless it is given.
const SENTINEL_PORT: u16 = 26379;

type Result<T> = std::result::Result<T, UrlFault>;

/// A URL, divided as far as needed here.
struct Parts<'a> {
    scheme: &'a str,
    /// With the `@`.
    login: &'a str,
    hosts: Vec<&'a str>,
    /// With the `/`, without the parameters.
    path: &'a str,
    /// With the `?`.
    parameters: &'a str,
}

/// Parses an address of several servers; `None` if it is not one.
pub(super) fn parse(address: &str) -> Option<Result<Store>> {
    let (scheme, rest) = address.split_once("://")?;
    let (scheme, kind) = scheme.rsplit_once('+')?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let (path, parameters) = tail.split_at(tail.find(['?', '#']).unwrap_or(tail.len()));
    let parts = Parts {
        scheme,
        login,
        hosts: hosts.split(',').collect(),
        path,
        parameters,
    };
    match kind {
        "cluster" => Some(parts.cluster().map(Store::Cluster)),
        "sentinel" => Some(parts.sentinel().map(Store::Redis)),
        _ => None,
    }
}

impl Parts<'_> {
    fn cluster(&self) -> Result<ClusterOptions> {
        let (node, seeds) = self.servers(None, self.path, self.parameters)?;
        Ok(ClusterOptions { seeds, node })
    }

    fn sentinel(&self) -> Result<RedisOptions> {
        let path = self.path.trim_start_matches('/');
        let (name, db) = path.split_at(path.find('/').unwrap_or(path.len()));
        let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(fault(
                "has no name of a primary behind its sentinels; write redis+sentinel://host:26379/NAME",
            ));
        }
        let mut own = String::new();
        let (mut username, mut password) = (None, None);
        for parameter in self.parameters.trim_start_matches('?').split('&') {
            let place = match parameter.split_once('=') {
                Some(("sentinelUsername", text)) => Some((&mut username, text)),
                Some(("sentinelPassword", text)) => Some((&mut password, text)),
                _ => None,
            };
            match place {
                Some((Some(_), _)) => return Err(fault("has a parameter for its sentinels twice")),
                Some((place, text)) => *place = Some(decoded(text)?),
                None if parameter.is_empty() => {}
                None => {
                    own.push(if own.is_empty() { '?' } else { '&' });
                    own.push_str(parameter);
                }
            }
        }
        let (mut options, addresses) = self.servers(Some(SENTINEL_PORT), db, &own)?;
        options.secrets.extend(password.clone());
        options.endpoint = Endpoint::Sentinel(Sentinels {
            addresses,
            name: name.to_owned(),
            username,
            password,
            tls: None,
        });
        Ok(options)
    }

    /// Parses each host as the URL of a server; returns the options of the first one, and all addresses.
    fn servers(
        &self,
        port: Option<u16>,
        path: &str,
        parameters: &str,
    ) -> Result<(RedisOptions, Vec<Address>)> {
        let Self { scheme, login, .. } = self;
        let mut first = None;
        let mut addresses = Vec::new();
        for host in &self.hosts {
            let port = match port {
                Some(port) if !has_port(host) => format!(":{port}"),
                _ => String::new(),
            };
            let url = format!("{scheme}://{login}{host}{port}{path}{parameters}");
            let options = RedisOptions::from_url(&url)?;
            let Endpoint::Server(address @ Address::Tcp(..)) = &options.endpoint else {
                return Err(fault("has a server that is not at a host and port"));
            };
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
            first.get_or_insert(options);
        }
        // There is one at least, as of any text that is split.
        let first = first.ok_or_else(|| fault("names no server"))?;
        Ok((first, addresses))
    }
}

fn has_port(host: &str) -> bool {
    let behind = host.rfind(']').map_or(host, |end| &host[end..]);
    behind.contains(':')
}

fn decoded(text: &str) -> Result<String> {
    let url = parse_redis_url(&format!("redis://h?value={text}"));
    let value = url.and_then(|url| {
        let (_, value) = url.query_pairs().next()?;
        Some(value.into_owned())
    });
    let is_text = |value: &String| !value.is_empty() && !value.contains('\u{fffd}');
    value
        .filter(is_text)
        .ok_or_else(|| fault("has a parameter for its sentinels that is empty or not UTF-8"))
}

fn fault(words: &str) -> UrlFault {
    UrlFault::Part(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn the_nodes_of_a_cluster_are_read() {
        let address = "rediss+cluster://me:p%2C@a,[::1]:7000,b:7001/3?tls=true";
        let Some(Ok(Store::Cluster(cluster))) = parse(address) else {
            panic!("no cluster");
        };
        let seeds = [tcp("a", 6379), tcp("::1", 7000), tcp("b", 7001)];
        assert_eq!(cluster.seeds, seeds);
        let node = &cluster.node;
        assert_eq!((node.db, node.tls.is_some()), (3, true));
        assert_eq!(node.username.as_deref(), Some("me"));
        assert_eq!(node.password.as_deref(), Some("p,"));
    }

    #[test]
    fn sentinels_and_the_name_of_their_primary_are_read() {
        let address =
            "redis+sentinel://:pw@a,[::1],b:7001/main.1/2?sentinelPassword=x%26y&username=me";
        let Some(Ok(Store::Redis(options))) = parse(address) else {
            panic!("no sentinels");
        };
        let Endpoint::Sentinel(sentinels) = &options.endpoint else {
            panic!("a server");
        };
        let addresses = [tcp("a", 26379), tcp("::1", 26379), tcp("b", 7001)];
        assert_eq!(sentinels.addresses, addresses);
        assert_eq!(sentinels.name, "main.1");
        assert_eq!(sentinels.password.as_deref(), Some("x&y"));
        assert_eq!((options.db, options.username.as_deref()), (2, Some("me")));
        assert_eq!(options.password.as_deref(), Some("pw"));
        assert_eq!(options.secrets, ["x&y"]);
    }

    #[test]
    fn what_is_neither_is_refused_without_its_values() {
        assert!(parse("redis://h").is_none());
        assert!(parse("redis+other://h").is_none());
        for (address, part) in [
            ("redis+sentinel://hunter2@a:1", "no name of a primary"),
            (
                "redis+sentinel://:hunter2@a/ma%20in",
                "no name of a primary",
            ),
            (
                "redis+sentinel://a/m?sentinelPassword=",
                "empty or not UTF-8",
            ),
            (
                "redis+sentinel://a/m?sentinelPassword=hunter2&sentinelPassword=x",
                "twice",
            ),
            ("redis+cluster://a/x?password=hunter2", "is 'redis://…'"),
            ("redis+cluster://a,:hunter2", "is 'redis://…'"),
            (
                "redis+cluster://a?family=hunter2",
                "unknown parameter family",
            ),
            ("unix+cluster:///hunter2", "not at a host"),
        ] {
            let Some(Err(fault)) = parse(address) else {
                panic!("{address} is accepted");
            };
            let words = fault.to_string();
            assert!(words.contains(part), "{address}: {words}");
            assert!(!words.contains("hunter2"), "{address}: {words}");
        }
    }
}
