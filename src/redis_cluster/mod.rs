//! The manager of a Redis Cluster: one [`RedisManager`] for each node, so that logging in and fencing are written once,
//! and a connection that splits batches by the node that has the key. Here: where the cluster is. Which node has what
//! is in [`slots`], finding that out and connecting in [`discovery`]; a connection is in [`connection`], what a batch
//! becomes in [`routing`], what goes where and what has to go again in [`dispatch`] and [`redirect`], sending it in
//! [`send`]; that a silent node was replaced is found by [`replacement_check`]; `clean` is in [`clean`].
//!
//! Not redis-rs's cluster client: order, deadlines, sending again and fencing are ours.
//!
//! **Order.** A connection has one batch in flight, and all commands are of one key. When a command has to be sent
//! again, so are all later ones of its key, in their order, though some may have been executed: commands are
//! idempotent. So what is done to a key is done in call order, whatever moves meanwhile. Between keys on different
//! nodes there is no order, as in any cluster; results are given in call order all the same.
//!
//! **Fencing.** What a lost connection has sent may be unread at a node that hung. Every node that has slots is
//! connected to anew, and ends our old connection first. A node that has none any more was replaced: where it still
//! believes otherwise, what it executes is thrown away when it hears of its successor and copies its data.
//!
//! **No member cache.** Its barrier would have to be asked of each node, and of each key after every move of a slot.

mod clean;
mod connection;
mod discovery;
mod dispatch;
mod redirect;
mod replacement_check;
mod routing;
mod send;
mod shared;
mod slots;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use crate::{
    redis_manager::{Address, Endpoint, RedisManager, RedisOptions},
    stats::Stats,
};

pub use self::connection::ClusterConnection;

/// Why lists are not kept.
const CACHE_OFF: &str =
    "in a Redis Cluster slots move, and lists are read from the nodes each time";

/// Where a cluster is and how to log in.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Nodes to ask for the others; never empty.
    pub seeds: Vec<Address>,
    /// How to connect to a node, but for its address.
    pub node: RedisOptions,
}

/// Opens connections to one cluster, and remembers its nodes.
#[derive(Debug)]
pub struct ClusterManager {
    options: ClusterOptions,
    nodes: Mutex<Nodes>,
    /// Looks at the cluster so far: the next one begins with another node.
    looks: AtomicUsize,
    stats: Arc<Stats>,
    /// Whether the log has to be told yet that the cache is off.
    untold: AtomicBool,
}

#[derive(Debug, Default)]
struct Nodes {
    managers: HashMap<Address, Arc<RedisManager>>,
    /// Primaries and replicas, as of the last look.
    known: Vec<Address>,
}

impl ClusterManager {
    /// Makes a manager for `options`, with a cache if `cache` is set. It connects to nothing yet.
    #[must_use]
    pub fn new(options: ClusterOptions, cache: bool, stats: Arc<Stats>) -> Arc<Self> {
        Arc::new(Self {
            options,
            nodes: Mutex::default(),
            looks: AtomicUsize::new(0),
            stats,
            untold: AtomicBool::new(cache),
        })
    }

    /// Returns the manager of one node: always the same one, because it knows our last connection to the node.
    fn node(&self, address: &Address) -> Arc<RedisManager> {
        let node = || {
            let mut options = self.options.node.clone();
            options.endpoint = Endpoint::Server(address.clone());
            // The others have the other keys.
            options.stem = None;
            // What it counts and says of a cache is not true for the cluster.
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
