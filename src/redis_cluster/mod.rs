//! The manager of a Redis Cluster: one [`RedisManager`] for each node, so that login and fencing are written once, and
//! a connection that splits batches by node. This file has the manager itself. The slot map is in [`slots`], finding it
//! and connecting in [`discovery`], a connection in [`connection`], splitting a batch in [`routing`], choosing the node
//! and redirections in [`dispatch`] and [`redirect`], sending in [`send`], the order of batches in [`turns`], detecting that a silent node was replaced in
//! [`replacement_check`], which addresses are used in place of announced ones in [`announced`], `clean` in [`clean`], and
//! what the cluster holds in [`inventory`], page by page in [`pages`]. Operations on two keys in different slots are in
//! [`membership`] and [`purge`]. Events of channels: what is published in [`event_scripts`], and hearing of it in
//! [`subscription`], [`standing`], [`cluster_view`] and [`looks`].
//!
//! redis-rs's cluster client is not used, because order, deadlines, resending and fencing are ours.
//!
//! **Order.** Several batches are in flight, and every command is about one key. When a command has to be sent again, so
//! are all later ones of its key, in order, also those of later batches ([`turns`]), though some may have been executed:
//! commands are idempotent. So commands on a key take effect in call order, whatever slots move meanwhile. Between keys on
//! different nodes there is no order, as in any cluster; results are returned in call order all the same.
//!
//! **Fencing.** Commands of a lost connection may be unread at a node that hung. Every node that has slots is connected
//! to again, and first closes our old connection. A node that has no slots any more was replaced: if it has not noticed
//! yet, what it executes is discarded when it copies the data of its successor.
//!
//! **The member cache** is that of each node's connection ([`crate::cache`]): a call goes to the connection of the node that
//! has its key ([`request`]), which answers it from memory or from the node. Slots move, nodes fail over and are forgotten,
//! and none of it needs a rule of its own, because of two facts:
//!
//! 1. *A list in memory belongs to one connection.* It was read over it, the node reports over it each change of its own
//!    copy of the key, and only a barrier that the same node answers over the same connection lets it be used.
//! 2. *The barrier is redirected as the read would be.* For a node of a cluster `TOUCH key` is a read of one key, as
//!    `SMEMBERS key` is. Where that would be answered with `MOVED`, `ASK`, `TRYAGAIN` or `CLUSTERDOWN`, so is `TOUCH`, for a
//!    key that does not exist too; the barrier then fails, the list is read again, and that read is redirected.
//!
//! So a list is used only if `SMEMBERS` at this node at this moment would have been answered, and with the same list: what
//! is served from memory is what the node would say. What that is worth is up to the cluster, with and without a cache. In
//! particular (by the source of Redis 6.2, 7.0 and 8.0 and Valkey 8.1; tested on Redis 7.0 and Valkey 9.1):
//!
//! - *A slot migrates.* As long as the key is at the old node, it answers, and reports changes. `MIGRATE` removes the key
//!   there, which is reported; from then on it answers `ASK`. At the new node it is read after `ASKING`, past the cache,
//!   until the slot is that node's.
//! - *A node learns that it has lost a slot*, and drops the keys. Redis before 7.2 does not report that. But the node
//!   answers `MOVED`. If it ever gets the slot back, a key that does not exist is not counted by the barrier; one that
//!   does was created there anew, by a command that is reported, since the report of the last reading is still due.
//! - *A primary becomes a replica* (failover, `CLUSTER REPLICATE`): it answers `MOVED` to everything. Changes that it copies
//!   are reported, and a copy of all data is reported as a flush, before it can be promoted again.
//! - *A replica becomes the primary*: as a replica it answers `MOVED` to every read and every barrier, since we never send
//!   `READONLY`, so nothing of it is in memory. The tracking of its connection is on from the beginning, so that it has its
//!   cache when it is promoted.
//! - *A slot is imported as a whole* (Valkey 9, Redis 8.4): its keys are created by commands, which are reported, before the
//!   node answers for them. The node that gives the slot away answers `MOVED` from the moment of the hand-over. Redis 8.4 then
//!   removes its keys one by one and reports each, because some client has tracking on; until it has, it refuses to import
//!   the slot again (`asmTrimSlots`, `asmActiveTrimDeleteKey` and `asmIsAnyTrimJobOverlaps` in `cluster_asm.c`; read, not
//!   tested).
//! - *`FLUSHALL`* is reported as a flush, on the node itself and on its replicas.
//! - *A node is cut off or forgotten, and has not noticed*: it answers reads, from its memory and ours alike, until
//!   `cluster-node-timeout` has passed. Nothing is gained or lost by the cache.

mod announced;
mod clean;
mod cluster_view;
mod connection;
mod discovery;
mod dispatch;
mod entering;
mod event_scripts;
mod inventory;
mod keyspace;
mod looks;
mod membership;
mod pages;
mod pairs;
mod purge;
mod put_back;
mod redirect;
mod replacement_check;
mod request;
mod rounds;
mod routing;
mod send;
mod shared;
mod slots;
mod standing;
mod subscription;
mod turns;
mod users;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{
    keys::Key,
    redis_manager::{
        Address, CacheOptions, Endpoint, RedisConnection, RedisManager, RedisOptions, probes,
    },
    stats::Stats,
};

pub use self::{connection::ClusterConnection, subscription::ClusterSubscriber};

use self::{event_scripts::NODE, slots::SlotMap};

/// The addresses of a cluster and how to log in.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Nodes that are asked for the others; never empty.
    pub seeds: Vec<Address>,
    /// How to connect to a node, except for its address.
    pub node: RedisOptions,
}

/// Opens connections to one cluster, and remembers its nodes.
#[derive(Debug)]
pub struct ClusterManager {
    options: ClusterOptions,
    nodes: Mutex<Nodes>,
    /// The number of discoveries so far: the next one begins with another node.
    looks: AtomicUsize,
    /// Keys that no channel has, in slots of all nodes.
    probes: Vec<Key>,
    stats: Arc<Stats>,
    /// The bound of all nodes together; `None` means that lists are read from the nodes each time.
    cache: Option<CacheOptions>,
    /// Whether the log has yet to say that the cache is off.
    untold: AtomicBool,
    /// What the last subscription to changes has found.
    heard: Mutex<standing::Last>,
}

#[derive(Debug, Default)]
struct Nodes {
    managers: HashMap<Address, Arc<RedisManager>>,
    /// Primaries and replicas, as of the last discovery.
    known: Vec<Address>,
}

impl ClusterManager {
    /// Makes a manager for `options`. It connects to nothing yet.
    #[must_use]
    pub fn new(
        options: ClusterOptions,
        cache: Option<CacheOptions>,
        stats: Arc<Stats>,
    ) -> Arc<Self> {
        let stem = options.node.stem.as_deref().unwrap_or_default();
        Arc::new(Self {
            probes: probes(stem),
            options,
            nodes: Mutex::default(),
            looks: AtomicUsize::new(0),
            stats,
            untold: AtomicBool::new(cache.is_some()),
            cache,
            heard: Mutex::default(),
        })
    }

    /// Returns the manager of one node: always the same one, because it knows our last connection to the node.
    fn node(&self, address: &Address) -> Arc<RedisManager> {
        let node = || {
            let endpoint = Endpoint::Server(address.clone());
            let options = self.options.node.clone().of_node(endpoint, &NODE);
            RedisManager::new(options, self.cache.clone(), self.stats.clone())
        };
        let mut nodes = self.nodes();
        nodes
            .managers
            .entry(address.clone())
            .or_insert_with(node)
            .clone()
    }

    /// Divides the memory for lists among the nodes with slots.
    fn share_memory(&self, map: &SlotMap) {
        if let Some(cache) = &self.cache {
            cache.bounds.share(map.owners().len());
        }
    }

    /// Notes whether the cache is on at all of these nodes.
    fn switch(&self, nodes: &HashMap<Address, RedisConnection>) {
        if nodes.is_empty() {
            return;
        }
        let off = nodes
            .iter()
            .filter_map(|(address, node)| Some((address, node.cache_off()?)));
        // The same one each time.
        let off = off.min_by_key(|(address, _)| address.to_string());
        self.stats
            .cache
            .switch(off.map(|(address, reason)| match self.cache {
                Some(_) => format!("node {address}: {reason}").into(),
                None => reason.into(),
            }));
    }

    /// Returns a line for the log if the cache is off, once.
    fn cache_note(&self) -> Option<String> {
        let off = self.stats.cache.off()?;
        let is_news = self.untold.swap(false, Ordering::Relaxed);
        is_news.then(|| format!("the member cache is off: {off}"))
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, seed) in self.seeds.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{seed}")?;
        }
        Ok(())
    }
}
