//! Which store, and where it is: the options that are one store's own, and which of them exclude each
//! other. Those that mean the same for every store are in [`super`].

use super::{
    read::{Raw, Reader, foreign, invalid, show},
    redis::{cluster_options, redis_options},
};
use crate::{
    embedded::{Durability, EmbeddedOptions, MAX_KEY, MAX_MEMBER},
    error::Result,
    redis_cluster::ClusterOptions,
    redis_manager::RedisOptions,
    size_limits::Sizes,
};

/// What has no meaning for the embedded store. `path` has another one: the folder.
const REDIS_ONLY: [&str; 14] = [
    "host",
    "port",
    "url",
    "sentinels",
    "name",
    "sentinelUsername",
    "sentinelPassword",
    "cluster",
    "hashTag",
    "db",
    "username",
    "password",
    "auth_pass",
    "tls",
];

const EMBEDDED_ONLY: [&str; 2] = ["durability", "localFileSystem"];

/// Where the members are kept, unless a custom manager keeps them.
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
    /// Its name, as option `store` has it and as lines of the log are marked.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) | Self::Cluster(_) => "redis",
            Self::Embedded(_) => "embedded",
        }
    }

    /// How long its keys and members may be.
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

    /// What the operator ought to know of it at each start, though it was asked for.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Redis(RedisOptions { tls: Some(tls), .. }) if tls.trusts_anyone() => {
                Some("tls.rejectUnauthorized is false: whoever answers is taken for the server")
            }
            _ => None,
        }
    }

    pub(super) fn parse(read: &Reader) -> Result<Self> {
        let embedded = read.word("store", &[("redis", false), ("embedded", true)])?;
        if embedded == Some(true) {
            foreign(
                read,
                &REDIS_ONLY,
                "store 'redis', and option store is 'embedded'",
            )?;
            embedded_options(read).map(Self::Embedded)
        } else {
            foreign(
                read,
                &EMBEDDED_ONLY,
                "store 'embedded', and option store is 'redis'",
            )?;
            match cluster_options(read)? {
                Some(cluster) => Ok(Self::Cluster(cluster)),
                None => redis_options(read).map(Self::Redis),
            }
        }
    }
}

fn embedded_options(read: &Reader) -> Result<EmbeddedOptions> {
    let accepted = "the path of a folder, which store 'embedded' needs";
    let folder = match read.text_as("path", accepted)? {
        None => return Err(invalid("path", "absent", accepted)),
        Some(path) if path.contains("://") || path.contains('\0') => {
            return Err(invalid("path", &show(&Raw::Text(path)), accepted));
        }
        Some(path) => path.into(),
    };
    let durability = read.word(
        "durability",
        &[("process", Durability::Process), ("os", Durability::Os)],
    )?;
    Ok(EmbeddedOptions {
        folder,
        durability: Some(durability.unwrap_or(Durability::Process)),
        local_file_system: read.flag("localFileSystem")?.unwrap_or(false),
    })
}
