//! Chooses the store, and refuses the options of the others. Reads those of the embedded store; those of Redis are read
//! in [`super::redis`].

use super::{
    raw::{Raw, invalid, show},
    read::{Reader, foreign},
    redis::{cluster_options, redis_options},
    table::{DURABILITY, For, LOCAL_FILE_SYSTEM, PATH, STORE},
};
use crate::{
    embedded::{EmbeddedOptions, MAX_KEY, MAX_MEMBER},
    error::Result,
    redis_cluster::ClusterOptions,
    redis_manager::{Endpoint, RedisOptions, Tls},
    size_limits::Sizes,
};

/// The store for the members, unless a custom manager replaces it.
#[derive(Debug, Clone)]
pub enum Store {
    /// In Redis.
    Redis(RedisOptions),
    /// In a Redis Cluster.
    Cluster(ClusterOptions),
    /// In a folder of this machine.
    Embedded(EmbeddedOptions),
}

impl Store {
    /// Returns the store's name, in option `store` and in the tag of log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) | Self::Cluster(_) => "redis",
            Self::Embedded(_) => "embedded",
        }
    }

    /// Returns the maximum sizes of keys and members.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        match self {
            Self::Redis(_) | Self::Cluster(_) => Sizes::REDIS,
            Self::Embedded(_) => Sizes {
                key: MAX_KEY,
                member: MAX_MEMBER,
            },
        }
    }

    /// Returns the warnings that are logged at each start.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let redis = match self {
            Self::Redis(redis) | Self::Cluster(ClusterOptions { node: redis, .. }) => redis,
            Self::Embedded(_) => return Vec::new(),
        };
        let sentinels = match &redis.endpoint {
            Endpoint::Sentinel(sentinels) => sentinels.tls.as_ref(),
            Endpoint::Server(_) => None,
        };
        let mut options: Vec<_> = [redis.tls.as_ref(), sentinels]
            .into_iter()
            .flatten()
            .filter(|tls| tls.trusts_anyone())
            .map(Tls::option)
            .collect();
        options.dedup();
        let warning = |option| {
            format!(
                "{option}.rejectUnauthorized is false: TLS certificate verification is disabled"
            )
        };
        options.into_iter().map(warning).collect()
    }

    pub(super) fn parse(read: &Reader) -> Result<Self> {
        if read.word(&STORE)? {
            let why = "store 'redis', and option store is 'embedded'";
            foreign(read, &[For::Redis, For::Sentinel, For::Announced], why)?;
            embedded_options(read).map(Self::Embedded)
        } else {
            let why = "store 'embedded', and option store is 'redis'";
            foreign(read, &[For::Embedded], why)?;
            match cluster_options(read)? {
                Some(cluster) => Ok(Self::Cluster(cluster)),
                None => redis_options(read).map(Self::Redis),
            }
        }
    }
}

fn embedded_options(read: &Reader) -> Result<EmbeddedOptions> {
    let accepted = "the path of a folder, which store 'embedded' needs";
    let folder = match read.text_as(&PATH, accepted)? {
        None => return Err(invalid(PATH.name, "absent", accepted)),
        Some(path) if path.contains("://") || path.contains(char::is_control) => {
            return Err(invalid(PATH.name, &show(&Raw::Text(path)), accepted));
        }
        Some(path) => path.into(),
    };
    Ok(EmbeddedOptions {
        folder,
        durability: Some(read.word(&DURABILITY)?),
        local_file_system: read.flag(&LOCAL_FILE_SYSTEM)?,
        events: false,
        keeps: false,
    })
}
