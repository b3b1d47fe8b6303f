//! Where Redis is and how to log in: one server, by Sentinel, or a Redis Cluster. Which store is chosen is in
//! [`super::store`], TLS in [`super::tls`].

use super::{
    kinds::{Secret, User},
    raw::{Raw, invalid, no_host},
    read::{Reader, foreign},
    table::{
        CLUSTER, DB, For, HOST, NAME, NAT_MAP, PASSWORD, PATH, PORT, Row, SENTINEL_PASSWORD,
        SENTINEL_USERNAME, SENTINELS, URL, USERNAME,
    },
    tls::{sentinel_tls, tls},
};
use crate::{
    error::{Error, Result},
    redis_cluster::ClusterOptions,
    redis_manager::{
        Address, Asked, Endpoint, LoginOptions, RedisOptions, SentinelUrl, Sentinels, StoreUrl,
        Topology, host_fault,
    },
};

/// Reads the options of a single server, given or found by Sentinel.
pub(super) fn redis_options(read: &Reader) -> Result<RedisOptions> {
    let mut redis = match read.addresses(&SENTINELS)? {
        Some(addresses) => {
            read.excludes(SENTINELS.name, &[&HOST, &PORT, &URL, &PATH])?;
            RedisOptions::new(sentinels(
                read,
                SentinelUrl {
                    addresses,
                    ..SentinelUrl::default()
                },
            )?)
        }
        None => server(read)?,
    };
    if let Endpoint::Server(_) = redis.endpoint {
        foreign(read, &[For::Sentinel], "use with option sentinels")?;
    }
    if let Some(db) = read.given(&DB)? {
        redis.db = db;
    }
    log_in(read, &mut redis)?;
    match &mut redis.endpoint {
        Endpoint::Sentinel(sentinels) => sentinels.tls = sentinel_tls(read, redis.tls.as_ref())?,
        Endpoint::Server(_) => {
            foreign(
                read,
                &[For::Announced],
                "use with option sentinels or cluster",
            )?;
        }
    }
    Ok(redis)
}

/// Reads what means the same for every way to find a server: username, password, TLS and the map of addresses.
fn log_in(read: &Reader, redis: &mut RedisOptions) -> Result<()> {
    let in_url = std::mem::take(&mut redis.login);
    redis.login = login(read, (&USERNAME, &PASSWORD), in_url)?;
    redis.secrets.extend(read.secrets());
    redis.nat_map = read.nat_map(&NAT_MAP)?;
    tls(read, redis)
}

/// Reads a login, of which `url` says something too.
fn login(
    read: &Reader,
    (username, password): (&Row<User>, &Row<Secret>),
    in_url: LoginOptions,
) -> Result<LoginOptions> {
    Ok(LoginOptions {
        username: read.user(username)?.or(in_url.username),
        password: read.secret(password)?.or(in_url.password),
        asked: Asked {
            username: read.function(username),
            password: read.function(password),
        },
    })
}

/// Reads the server from `url`, `path`, or `host` and `port`; without any of them it is 127.0.0.1:6379.
fn server(read: &Reader) -> Result<RedisOptions> {
    match (url(read)?, read.socket(&PATH)?) {
        (Some(StoreUrl { options, topology }), path) => {
            read.excludes(URL.name, &[&HOST, &PORT])?;
            if path.is_some() {
                read.excludes(URL.name, &[&PATH])?;
            }
            let endpoint = match topology {
                Topology::Sentinels(url) => sentinels(read, url)?,
                Topology::One | Topology::Cluster(_) => options.endpoint,
            };
            Ok(RedisOptions {
                endpoint,
                ..options
            })
        }
        (None, Some(path)) => {
            read.excludes(PATH.name, &[&HOST, &PORT])?;
            Ok(RedisOptions::new(Endpoint::Server(Address::Unix(path))))
        }
        (None, None) => Ok(RedisOptions::new(Endpoint::Server(tcp_address(read)?))),
    }
}

/// Reads option `url`; `None` if it is not given.
fn url(read: &Reader) -> Result<Option<StoreUrl>> {
    let fault = |fault| Error::InvalidOption(format!("option url {fault}"));
    let url = read.text(&URL)?;
    url.map(|url| StoreUrl::parse(&url).map_err(fault))
        .transpose()
}

/// Reads the options that go with sentinels, of which `url` says something too.
fn sentinels(read: &Reader, url: SentinelUrl) -> Result<Endpoint> {
    let name = match (read.text(&NAME)?, url.name) {
        (Some(name), Some(other)) if name != other => {
            return Err(Error::InvalidOption(
                "options name and url have different names for the primary: give one of them"
                    .to_owned(),
            ));
        }
        (name, in_url) => name.or(in_url),
    };
    let name = name.ok_or_else(|| invalid(NAME.name, "absent", NAME.kind.0))?;
    Ok(Endpoint::Sentinel(Sentinels {
        addresses: url.addresses,
        name,
        login: login(read, (&SENTINEL_USERNAME, &SENTINEL_PASSWORD), url.login)?,
        ..Sentinels::default()
    }))
}

/// Reads the options of a Redis Cluster; `None` if neither option `cluster` nor the URL of one is given.
pub(super) fn cluster_options(read: &Reader) -> Result<Option<ClusterOptions>> {
    let Some((seeds, mut node)) = nodes(read)? else {
        return Ok(None);
    };
    foreign(read, &[For::Sentinel], "use with option sentinels")?;
    // A node says whether it has that database: Valkey may since version 9, Redis has 0 only.
    node.db = read.given(&DB)?.unwrap_or(node.db);
    log_in(read, &mut node)?;
    Ok(Some(ClusterOptions { seeds, node }))
}

/// Reads the nodes of a Redis Cluster, and how to log in as the URL says.
fn nodes(read: &Reader) -> Result<Option<(Vec<Address>, RedisOptions)>> {
    let servers: [&Row; 3] = [&HOST, &PORT, &PATH];
    if let Some(seeds) = read.addresses(&CLUSTER)? {
        read.excludes(CLUSTER.name, &servers)?;
        read.excludes(CLUSTER.name, &[&URL, &SENTINELS])?;
        // The endpoint is replaced for each connection, so any node serves.
        let seed = seeds.first().cloned();
        return Ok(seed.map(|seed| (seeds, RedisOptions::new(Endpoint::Server(seed)))));
    }
    // Read with the sentinels, which exclude it.
    if read.raw(&SENTINELS) != Raw::Absent {
        return Ok(None);
    }
    match url(read)? {
        Some(StoreUrl {
            options,
            topology: Topology::Cluster(seeds),
        }) => {
            read.excludes(URL.name, &servers)?;
            Ok(Some((seeds, options)))
        }
        _ => Ok(None),
    }
}

fn tcp_address(read: &Reader) -> Result<Address> {
    let host = read.text(&HOST)?;
    let host = host.unwrap_or_else(|| HOST.kind.1.to_owned());
    if let Some(fault) = host_fault(&host) {
        let (name, _) = read.find(&HOST);
        return Err(no_host(name, &host, fault.accepted()));
    }
    match read.raw(&PORT) {
        // As in 0.0.7, where net.connect took a path in the place of a port.
        Raw::Text(path) if path.contains('/') => {
            Ok(Address::Unix(read.socket(&PORT)?.unwrap_or_default()))
        }
        _ => {
            let port = read.integer(&PORT)?;
            Ok(Address::Tcp(host, u16::try_from(port).unwrap_or(u16::MAX)))
        }
    }
}
