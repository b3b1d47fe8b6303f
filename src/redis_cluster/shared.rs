//! State that a connection to a cluster shares with the batch under way: the connections to the nodes, and the slot
//! map.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, select},
};
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    time::timeout,
};

use super::{
    ClusterManager,
    replacement_check::{self, Peer},
    slots::SlotMap,
    turns::{Turn, Turns},
};
use crate::{
    batch_size::BatchSize,
    command::{Command, Reply},
    error::Result,
    events::Publishing,
    hash_slot::hash_slot,
    heartbeat,
    keys::Key,
    manager::{Connected, Connection as _, Lost, Manager as _},
    redis_manager::{Address, Commands, RedisConnection, RedisOptions, RedisPages},
};

/// The time limit for connecting to a node that was not known at the beginning.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state shared by a connection and the batch under way.
#[derive(Debug)]
pub(super) struct Shared {
    manager: Arc<ClusterManager>,
    state: Mutex<State>,
    /// Receives each connection to a node that ends.
    ended: mpsc::UnboundedSender<NodeLink>,
    /// Held while a node is connected, one for each: a second attempt would end what the first one has opened.
    connecting: Mutex<HashMap<Address, Arc<AsyncMutex<()>>>>,
    /// Which commands some of the nodes lack: all are then used without them.
    commands: Commands,
    turns: Arc<Turns>,
}

/// A connection to a node: its address, and the number of the connection.
pub(super) type NodeLink = (Address, u64);

#[derive(Debug)]
struct State {
    map: SlotMap,
    nodes: HashMap<Address, RedisConnection>,
    /// The number of the connection to each node, and the last number.
    numbers: HashMap<Address, u64>,
    last: u64,
    /// The node named in the last `MOVED`: it has a newer map.
    stale: Option<Address>,
    /// Counts questions to other nodes, so that each goes to another one.
    turn: usize,
    batch_size: BatchSize,
}

impl Shared {
    pub(super) fn new(
        manager: Arc<ClusterManager>,
        map: SlotMap,
        ended: mpsc::UnboundedSender<NodeLink>,
    ) -> Self {
        Self {
            manager,
            state: Mutex::new(State {
                map,
                nodes: HashMap::new(),
                numbers: HashMap::new(),
                last: 0,
                stale: None,
                turn: 0,
                batch_size: BatchSize::default(),
            }),
            ended,
            connecting: Mutex::default(),
            commands: Commands::default(),
            turns: Arc::default(),
        }
    }

    /// Returns whether a batch could be sent at once.
    pub(super) fn is_open(&self) -> bool {
        self.turns.is_open()
    }

    /// Takes the turn of what is sent next.
    pub(super) fn turn(&self) -> Turn {
        self.turns.take()
    }

    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(self: &Arc<Self>, address: Address, connected: Connected<RedisConnection>) {
        let ended = self.ended.clone();
        let number = {
            let mut state = self.state();
            state.last += 1;
            state.last
        };
        let of = (address.clone(), number);
        // `None` if the connection to the cluster is gone already.
        let (shared, node) = (Arc::downgrade(self), address.clone());
        let ask = move || shared.upgrade()?.ping(&node);
        let over = select(connected.closed, heartbeat::until_dead(ask).boxed());
        tokio::spawn(async move {
            over.await;
            // Fails if the connection to the cluster is gone.
            let _ = ended.send(of);
        });
        self.commands.merge(connected.connection.commands());
        let mut state = self.state();
        state.numbers.insert(address.clone(), number);
        state.nodes.insert(address, connected.connection);
        self.manager.switch(&state.nodes);
    }

    /// Pings a node by a key in one of its slots, so that it has no redirection to count as an error.
    fn ping(&self, address: &Address) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        let state = self.state();
        let node = state.nodes.get(address)?;
        let own = |key: &&Key| state.map.owner(hash_slot(key)) == Some(address);
        match self.manager.probes.iter().find(own) {
            Some(key) => Some(node.ping_by(key)),
            None => node.ping(),
        }
    }

    /// Forgets a node whose connection has ended, unless there is another connection to it.
    pub(super) fn remove(&self, (address, number): &NodeLink) {
        let mut state = self.state();
        if state.numbers.get(address) != Some(number) {
            return;
        }
        state.numbers.remove(address);
        state.nodes.remove(address);
        self.manager.switch(&state.nodes);
    }

    /// Closes the connections to all nodes.
    pub(super) fn disconnect(&self) {
        self.state().nodes.clear();
    }

    /// Notes that a batch of so many calls was executed: the next one depends on how many bytes of lists came from the
    /// nodes.
    pub(super) fn loaded(&self, calls: usize) {
        let mut state = self.state();
        let bytes = state.nodes.values().map(RedisConnection::take_loaded).sum();
        state.batch_size.loaded(bytes, calls);
    }

    pub(super) fn batch_size(&self) -> usize {
        self.state().batch_size.calls()
    }

    /// Returns how to connect to a node.
    pub(super) fn node_options(&self) -> &RedisOptions {
        &self.manager.options.node
    }

    /// Returns where changes of channels are published, if they are.
    pub(super) fn publishing(&self) -> Option<&Publishing> {
        self.manager.options.node.publishing.as_deref()
    }

    /// Returns what the keys of channels begin with, if members that are removed with their sessions are kept.
    pub(super) fn kept(&self) -> Option<&Key> {
        self.manager.options.node.kept.as_ref()
    }

    pub(super) fn map(&self) -> SlotMap {
        self.state().map.clone()
    }

    pub(super) fn has_slots(&self, address: &Address) -> bool {
        self.state().map.has_slots(address)
    }

    pub(super) fn owner(&self, slot: u16) -> Option<Address> {
        self.state().map.owner(slot).cloned()
    }

    /// Returns whether commands for these slots can be sent at once: the nodes are connected, and no slot is known to have
    /// moved since the map was read.
    pub(super) fn is_ready(&self, mut slots: impl Iterator<Item = u16>) -> bool {
        let state = self.state();
        let is_open = |node: &Address| state.nodes.contains_key(node);
        if state.stale.is_some() {
            return false;
        }
        state.map.primaries().iter().all(is_open)
            || slots.all(|slot| state.map.owner(slot).is_some_and(is_open))
    }

    /// Notes that a slot has moved to another node.
    pub(super) fn moved(&self, slot: u16, to: &Address) {
        let mut state = self.state();
        state.map.give(slot, to);
        state.stale = Some(to.clone());
    }

    /// Returns a connection to a node, and connects if there is none yet.
    pub(super) async fn connection(
        self: &Arc<Self>,
        address: &Address,
    ) -> std::result::Result<MultiplexedConnection, Lost> {
        let open = || {
            self.state()
                .nodes
                .get(address)
                .map(RedisConnection::connection)
        };
        if let Some(connection) = open() {
            return Ok(connection);
        }
        let connecting = self.connecting_to(address);
        let _one_at_a_time = connecting.lock().await;
        if let Some(connection) = open() {
            return Ok(connection);
        }
        let lost = |words: &str| Lost(format!("node {address}: {words}").into());
        let connecting = self.manager.node(address).connect();
        let connected = timeout(PATIENCE, connecting).await;
        let connected = connected
            .map_err(|_| lost("no answer to the attempt to connect"))?
            .map_err(|error| lost(error.words()))?;
        if !connected.fenced {
            // As for the driver, which checks this when it connects to all nodes.
            return Err(lost(
                "what an earlier connection has sent to it may still be done",
            ));
        }
        let connection = connected.connection.connection();
        self.add(address.clone(), connected);
        Ok(connection)
    }

    fn connecting_to(&self, address: &Address) -> Arc<AsyncMutex<()>> {
        let all = self.connecting.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        all.entry(address.clone()).or_default().clone()
    }

    /// Executes calls at a node, as one Redis does, and connects to it if there is no connection yet.
    pub(super) async fn execute(
        self: &Arc<Self>,
        address: &Address,
        calls: &[&Command],
    ) -> std::result::Result<Vec<Result<Reply>>, Lost> {
        self.connection(address).await?;
        let lost = |words: &str| Lost(format!("node {address}: {words}").into());
        let executed = {
            let state = self.state();
            let node = state.nodes.get(address);
            node.ok_or_else(|| lost("the connection is gone"))?
                .execute(calls)
        };
        executed.await.map_err(|Lost(words)| lost(&words))
    }

    /// Returns what pages of a node are read from; connects if there is no connection yet.
    pub(super) async fn pages_of(
        self: &Arc<Self>,
        address: &Address,
    ) -> std::result::Result<RedisPages, Lost> {
        self.connection(address).await?;
        let lost = || Lost(format!("node {address}: the connection is gone").into());
        let state = self.state();
        let node = state.nodes.get(address).ok_or_else(lost)?;
        Ok(node.page_source())
    }

    /// Returns a node other than these, another one each time.
    pub(super) fn peer(&self, not: &[Address]) -> Option<Peer> {
        let mut state = self.state();
        state.turn += 1;
        let others: Vec<_> = state
            .nodes
            .keys()
            .filter(|node| !not.contains(node))
            .collect();
        let address = (*others.get(state.turn % others.len().max(1))?).clone();
        let connection = state.nodes.get(&address)?.connection();
        Some((address, connection))
    }

    /// Updates the whole map if a slot was found to have moved, because others may have moved too.
    pub(super) async fn refresh_if_stale(&self) {
        let peer = {
            let mut state = self.state();
            let newest = state.stale.take();
            newest.and_then(|address| {
                let connection = state.nodes.get(&address)?.connection();
                Some((address, connection))
            })
        };
        if let Some(peer) = peer {
            self.update_map(peer).await;
        }
    }

    /// Updates the map from the next node.
    pub(super) async fn refresh_map(&self) {
        if let Some(peer) = self.peer(&[]) {
            self.update_map(peer).await;
        }
    }

    async fn update_map(&self, peer: Peer) {
        let Some(map) = replacement_check::map(self.node_options(), peer).await else {
            return;
        };
        // After a failure a node may know no owner of some slot yet; the old map is then better.
        if map.ranges(None).is_empty() {
            self.manager.share_memory(&map);
            let is_other = self.state().map != map;
            if is_other {
                // A later write of a slot that has moved must not overtake a read that its old node will not execute.
                self.turns.settle();
            }
            self.state().map = map;
        }
    }
}
