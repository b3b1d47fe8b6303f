//! The manager of a Redis Cluster: one [`RedisManager`] for each node, so that login and fencing are written once, and
//! a connection that splits batches by node. This file has the manager itself. The slot map is in [`slots`], finding it
//! and connecting in [`discovery`], a connection in [`connection`], splitting a batch in [`routing`], choosing the node
//! and redirections in [`dispatch`] and [`redirect`], sending in [`send`], detecting that a silent node was replaced in
//! [`replacement_check`], which addresses are used in place of announced ones in [`announced`], `clean` in [`clean`], and
//! what the cluster holds in [`inventory`], page by page in [`pages`]. Operations on two keys in different slots are in
//! [`membership`] and [`purge`]. Events of channels: what is published in [`event_scripts`], and hearing of it in
//! [`subscription`], [`standing`], [`cluster_view`] and [`looks`].
//!
//! redis-rs's cluster client is not used, because order, deadlines, resending and fencing are ours.
//!
//! **Order.** A connection has one batch in flight, and every command is about one key. When a command has to be sent
//! again, so are all later ones of its key, in order, though some may have been executed: commands are idempotent. So
//! commands on a key take effect in call order, whatever slots move meanwhile. Between keys on different nodes there is
//! no order, as in any cluster; results are returned in call order all the same.
//!
//! **Fencing.** Commands of a lost connection may be unread at a node that hung. Every node that has slots is connected
//! to again, and first closes our old connection. A node that has no slots any more was replaced: if it has not noticed
//! yet, what it executes is discarded when it copies the data of its successor.
//!
//! **No member cache.** The barrier would have to be sent to each node, and for each key after every move of a slot.

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
mod purge;
mod put_back;
mod redirect;
mod replacement_check;
mod routing;
mod send;
mod shared;
mod slots;
mod standing;
mod subscription;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use crate::{
    keys::Key,
    redis_manager::{Address, Endpoint, RedisManager, RedisOptions, probes},
    stats::Stats,
};

pub use self::{connection::ClusterConnection, subscription::ClusterSubscriber};

/// Why the cache is off.
const CACHE_OFF: &str =
    "in a Redis Cluster slots move, and lists are read from the nodes each time";

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
    /// Makes a manager for `options`, with a cache if `cache` is set. It connects to nothing yet.
    #[must_use]
    pub fn new(options: ClusterOptions, cache: bool, stats: Arc<Stats>) -> Arc<Self> {
        let stem = options.node.stem.as_deref().unwrap_or_default();
        Arc::new(Self {
            probes: probes(stem),
            options,
            nodes: Mutex::default(),
            looks: AtomicUsize::new(0),
            stats,
            untold: AtomicBool::new(cache),
            heard: Mutex::default(),
        })
    }

    /// Returns the manager of one node: always the same one, because it knows our last connection to the node.
    fn node(&self, address: &Address) -> Arc<RedisManager> {
        let node = || {
            let endpoint = Endpoint::Server(address.clone());
            let options = self.options.node.clone().of_node(endpoint);
            // Its counters and its log lines about a cache do not apply to the cluster.
            RedisManager::new(options, None, Arc::default())
        };
        let mut nodes = self.nodes();
        nodes
            .managers
            .entry(address.clone())
            .or_insert_with(node)
            .clone()
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
