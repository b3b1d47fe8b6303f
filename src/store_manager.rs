//! The manager of the store that the options select.

use std::sync::Arc;

use crate::{
    app::AppHandle,
    embedded::EmbeddedManager,
    keys::Key,
    options::Store,
    redis_cluster::ClusterManager,
    redis_manager::{CacheOptions, RedisManager},
    stats::Stats,
};

/// The manager of one of the stores.
#[derive(Debug)]
pub enum StoreManager {
    /// The manager of Redis.
    Redis(Arc<RedisManager>),
    /// The manager of a Redis Cluster.
    Cluster(Arc<ClusterManager>),
    /// The manager of the embedded store.
    Embedded(Arc<EmbeddedManager>),
}

impl StoreManager {
    /// Makes the manager for keys that begin with `stem`, which may ask `app`. It connects to nothing yet.
    #[must_use]
    pub fn new(
        store: &Store,
        stem: Key,
        cache: Option<CacheOptions>,
        stats: Arc<Stats>,
        app: &AppHandle,
    ) -> Self {
        match store {
            Store::Redis(options) => {
                let mut options = options.clone();
                options.stem = Some(stem);
                options.bind(app);
                Self::Redis(RedisManager::new(options, cache, stats))
            }
            Store::Cluster(options) => {
                let mut options = options.clone();
                options.node.bind(app);
                Self::Cluster(ClusterManager::new(options, cache.is_some(), stats))
            }
            Store::Embedded(options) => {
                let bounds = cache.map(|cache| cache.bounds);
                Self::Embedded(EmbeddedManager::new(options.clone(), bounds, stats))
            }
        }
    }
}
