//! Where Redis is and how to log in: one server, by Sentinel, or a Redis Cluster. Which store is chosen is in
//! [`super::store`], TLS in [`super::tls`].

use super::{
    addresses::is_url,
    read::{Raw, Reader, foreign, invalid},
    table::{
        AUTH_PASS, CLUSTER, DB, For, HOST, NAME, NAT_MAP, PASSWORD, PATH, PORT, SENTINEL_PASSWORD,
        SENTINEL_USERNAME, SENTINELS, URL, USERNAME,
    },
    tls::{sentinel_tls, tls},
};
use crate::{
    error::{Error, Result},
    redis_cluster::ClusterOptions,
    redis_manager::{Address, Asked, Endpoint, RedisOptions, Sentinels},
};

/// Reads the options of a single server, given or found by Sentinel.
pub(super) fn redis_options(read: &Reader) -> Result<RedisOptions> {
    let mut redis = match sentinels(read)? {
        Some(sentinels) => RedisOptions::new(Endpoint::Sentinel(sentinels)),
        None => server(read)?,
    };
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
    redis.username = read.user(&USERNAME)?.or(redis.username.take());
    redis.password = password(read)?.or(redis.password.take());
    redis.asked = Asked {
        username: read.function(&USERNAME),
        password: read.function(&PASSWORD).or(read.function(&AUTH_PASS)),
    };
    redis.secrets = read.secrets();
    redis.nat_map = read.nat_map(&NAT_MAP)?;
    tls(read, redis)
}

/// Reads the server from `url`, `path`, or `host` and `port`; without any of them it is 127.0.0.1:6379.
fn server(read: &Reader) -> Result<RedisOptions> {
    match (read.text(&URL)?, read.socket(&PATH)?) {
        (Some(url), path) => {
            read.excludes(URL.name, &[HOST.name, PORT.name])?;
            if path.is_some() {
                read.excludes(URL.name, &[PATH.name])?;
            }
            RedisOptions::from_url(&url)
                .map_err(|fault| Error::InvalidOption(format!("option url {fault}")))
        }
        (None, Some(path)) => {
            read.excludes(PATH.name, &[HOST.name, PORT.name])?;
            Ok(RedisOptions::new(Endpoint::Server(Address::Unix(path))))
        }
        (None, None) => Ok(RedisOptions::new(Endpoint::Server(tcp_address(read)?))),
    }
}

/// Reads option `sentinels` and the options that go with it; `None` if it is not given.
fn sentinels(read: &Reader) -> Result<Option<Sentinels>> {
    let Some(addresses) = read.addresses(&SENTINELS)? else {
        foreign(read, &[For::Sentinel], "use with option sentinels")?;
        return Ok(None);
    };
    let others = [HOST.name, PORT.name, URL.name, PATH.name];
    read.excludes(SENTINELS.name, &others)?;
    let Some(name) = read.text(&NAME)? else {
        return Err(invalid(NAME.name, "absent", NAME.kind.0));
    };
    Ok(Some(Sentinels {
        addresses,
        name,
        username: read.user(&SENTINEL_USERNAME)?,
        password: read.secret(&SENTINEL_PASSWORD)?,
        asked: Asked {
            username: read.function(&SENTINEL_USERNAME),
            password: read.function(&SENTINEL_PASSWORD),
        },
        ..Sentinels::default()
    }))
}

fn password(read: &Reader) -> Result<Option<String>> {
    let (password, auth_pass) = (read.secret(&PASSWORD)?, read.secret(&AUTH_PASS)?);
    // Two functions cannot be compared.
    let asked = [read.function(&PASSWORD), read.function(&AUTH_PASS)];
    let asked = asked.iter().flatten().count();
    let differ = match (&password, &auth_pass) {
        (Some(a), Some(b)) => a != b,
        (None, None) => asked == 2,
        _ => asked == 1,
    };
    if differ {
        return Err(Error::InvalidOption(
            "options password and auth_pass differ: give one of them".to_owned(),
        ));
    }
    Ok(password.or(auth_pass))
}

/// Reads the options of a Redis Cluster; `None` if option `cluster` is not given.
pub(super) fn cluster_options(read: &Reader) -> Result<Option<ClusterOptions>> {
    let Some(seeds) = read.addresses(&CLUSTER)? else {
        return Ok(None);
    };
    // The endpoint is replaced for each connection, so any node serves.
    let Some(seed) = seeds.first().cloned() else {
        return Ok(None);
    };
    let others = [HOST.name, PORT.name, URL.name, PATH.name, SENTINELS.name];
    read.excludes(CLUSTER.name, &others)?;
    foreign(read, &[For::Sentinel], "use with option sentinels")?;
    let db = read.integer(&DB)?;
    if db != 0 {
        let accepted = "0, because a Redis Cluster has no other database";
        return Err(invalid(DB.name, &db.to_string(), accepted));
    }
    let mut node = RedisOptions::new(Endpoint::Server(seed));
    log_in(read, &mut node)?;
    Ok(Some(ClusterOptions { seeds, node }))
}

fn tcp_address(read: &Reader) -> Result<Address> {
    let host = read.text(&HOST)?;
    let host = host.unwrap_or_else(|| HOST.kind.1.to_owned());
    if is_url(&host) {
        // Not shown: a URL in the wrong place may hold a password.
        let accepted = "a host name or an address (a URL goes into option url)";
        return Err(invalid(HOST.name, "no host name (not shown)", accepted));
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
