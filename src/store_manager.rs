//! The manager of the store that the options select.

use std::sync::Arc;

use crate::{
    app::AppHandle,
    embedded::EmbeddedManager,
    events::{feed::Feed, listener::Subscriber},
    keys::Key,
    options::Store,
    redis_cluster::{ClusterManager, ClusterOptions, ClusterSubscriber},
    redis_manager::{CacheOptions, RedisManager, RedisOptions},
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
                let options = of_redis(options, stem, app);
                Self::Redis(RedisManager::new(options, cache, stats))
            }
            Store::Cluster(options) => {
                let options = of_cluster(options, stem, app);
                Self::Cluster(ClusterManager::new(options, cache, stats))
            }
            Store::Embedded(options) => {
                let bounds = cache.map(|cache| cache.bounds);
                let manager = EmbeddedManager::new(options.clone(), stem, bounds, stats);
                Self::Embedded(manager)
            }
        }
    }
}

/// Makes what subscribes to the changes of channels under keys that begin with `stem`. `feed` tells what is watched.
#[must_use]
pub fn subscriber(
    store: &Store,
    stem: Key,
    app: &AppHandle,
    feed: &Arc<Feed>,
) -> Arc<dyn Subscriber> {
    match store {
        Store::Redis(options) => {
            let options = of_redis(options, stem, app);
            RedisManager::new(options, None, Arc::default())
        }
        Store::Cluster(options) => {
            let options = of_cluster(options, stem, app);
            let manager = ClusterManager::new(options, None, Arc::default());
            Arc::new(ClusterSubscriber::new(manager, feed.clone()))
        }
        Store::Embedded(options) => {
            let options = options.clone();
            EmbeddedManager::new(options, stem, None, Arc::default())
        }
    }
}

fn of_redis(options: &RedisOptions, stem: Key, app: &AppHandle) -> RedisOptions {
    let mut options = options.clone().under(stem);
    options.bind(app);
    options
}

fn of_cluster(options: &ClusterOptions, stem: Key, app: &AppHandle) -> ClusterOptions {
    let mut options = options.clone();
    options.node = of_redis(&options.node, stem, app);
    options
}
