//! Where Redis is and how to log in: one server, by Sentinel, or a Redis Cluster. Which store is chosen at all is
//! in [`super::store`], TLS in [`super::tls`].

use super::{
    addresses::is_url,
    read::{Raw, Reader, foreign, invalid},
    tls::tls,
};
use crate::{
    error::{Error, Result},
    redis_cluster::ClusterOptions,
    redis_manager::{Address, Endpoint, RedisOptions, Sentinels, URL_FORMS},
};

/// What has no meaning without `sentinels`. `name` alone may be in an old configuration for another purpose.
const SENTINEL_ONLY: [&str; 2] = ["sentinelUsername", "sentinelPassword"];

/// One server, given or found by Sentinel.
pub(super) fn redis_options(read: &Reader) -> Result<RedisOptions> {
    let mut redis = match sentinels(read)? {
        Some(sentinels) => RedisOptions::new(Endpoint::Sentinel(sentinels)),
        None => server(read)?,
    };
    if let Some(db) = read.integer("db", 0, i32::MAX as u64)? {
        redis.db = db;
    }
    log_in(read, &mut redis)?;
    Ok(redis)
}

/// How to log in, and what connections are secured with: the same for every way to find a server.
fn log_in(read: &Reader, redis: &mut RedisOptions) -> Result<()> {
    redis.username = read.text("username")?.or(redis.username.take());
    redis.password = password(read)?.or(redis.password.take());
    tls(read, redis)
}

/// The one server that is given, or the local one.
fn server(read: &Reader) -> Result<RedisOptions> {
    match (read.text_as("url", URL_FORMS)?, read.socket("path")?) {
        (Some(url), path) => {
            read.excludes("url", &["host", "port"])?;
            if path.is_some() {
                read.excludes("url", &["path"])?;
            }
            RedisOptions::from_url(&url)
                .map_err(|fault| Error::InvalidOption(format!("option url {fault}")))
        }
        (None, Some(path)) => {
            read.excludes("path", &["host", "port"])?;
            Ok(RedisOptions::new(Endpoint::Server(Address::Unix(path))))
        }
        (None, None) => Ok(RedisOptions::new(Endpoint::Server(tcp_address(read)?))),
    }
}

/// Who knows where the server is, if that is not given itself.
fn sentinels(read: &Reader) -> Result<Option<Sentinels>> {
    let Some(addresses) = read.addresses("sentinels", 26379)? else {
        foreign(read, &SENTINEL_ONLY, "use with option sentinels")?;
        return Ok(None);
    };
    read.excludes("sentinels", &["host", "port", "url", "path"])?;
    let accepted =
        "what the sentinels call the primary (mymaster, say), which option sentinels needs";
    let Some(name) = read.text_as("name", accepted)? else {
        return Err(invalid("name", "absent", accepted));
    };
    Ok(Some(Sentinels {
        addresses,
        name,
        username: read.text("sentinelUsername")?,
        password: read.secret("sentinelPassword")?,
        tls: None,
    }))
}

fn password(read: &Reader) -> Result<Option<String>> {
    match (read.secret("password")?, read.secret("auth_pass")?) {
        (Some(a), Some(b)) if a != b => Err(Error::InvalidOption(
            "options password and auth_pass differ: give one of them".to_owned(),
        )),
        (a, b) => Ok(a.or(b)),
    }
}

/// Nothing if option `cluster` is not given.
pub(super) fn cluster_options(read: &Reader) -> Result<Option<ClusterOptions>> {
    let Some(seeds) = read.addresses("cluster", 6379)? else {
        return Ok(None);
    };
    // Any node will do here: each connection has an endpoint of its own.
    let Some(seed) = seeds.first().cloned() else {
        return Ok(None);
    };
    read.excludes("cluster", &["host", "port", "url", "path", "sentinels"])?;
    foreign(read, &SENTINEL_ONLY, "use with option sentinels")?;
    if let Some(db) = read
        .integer("db", 0, i32::MAX as u64)?
        .filter(|&db| db != 0)
    {
        let accepted = "0, because a Redis Cluster has no other database";
        return Err(invalid("db", &db.to_string(), accepted));
    }
    let mut node = RedisOptions::new(Endpoint::Server(seed));
    log_in(read, &mut node)?;
    Ok(Some(ClusterOptions { seeds, node }))
}

fn tcp_address(read: &Reader) -> Result<Address> {
    let host = read.text("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    if is_url(&host) {
        // Not shown: a URL in the wrong place may hold a password.
        let accepted = "a host name or an address (a URL goes into option url)";
        return Err(invalid("host", "no host name (not shown)", accepted));
    }
    match (read.0)("port") {
        // As in 0.0.7, where net.connect took a path in the place of a port.
        Raw::Text(path) if path.contains('/') => {
            Ok(Address::Unix(read.socket("port")?.unwrap_or_default()))
        }
        _ => {
            let port = read
                .integer("port", 1, u64::from(u16::MAX))?
                .unwrap_or(6379);
            Ok(Address::Tcp(host, u16::try_from(port).unwrap_or(u16::MAX)))
        }
    }
}
