//! The subscription to the changes of channels in a Redis Cluster ([`crate::events`]): one connection to each node that can
//! execute a write, on which the channel of that node is subscribed to.
//!
//! **Why a channel for each node.** A change is published by the script that makes it, so by the node that has the key at
//! that moment, on a channel whose name has the id of this node. A watcher subscribes to it at that node itself. So a
//! message reaches him as on one Redis, in the order of the changes at that node, and without the cluster bus, which may
//! lose messages: copies that it carries to other nodes find no subscriber there. With sharded publish and subscribe
//! (`SPUBLISH`) the bus would carry less, but the channel itself is in a slot: while that moves, writes of keys that have
//! moved already are published at a node that does not take the subscription yet. Besides, this works with Redis 6.
//!
//! **Which nodes.** Those that have slots, and those that are to get their first one. All of them are asked at intervals
//! ([`super::standing`]) which these are, and for their own epoch and slots ([`View`]). The subscription stands when each
//! of them has answered after it was subscribed to, and knows of no other node. It ends, so that the listener begins a
//! new one and tells a gap, in these cases:
//!
//! - A connection is lost, or a node does not answer.
//! - A node knows of another one: a replica has taken over, or a new node gets slots. What that one has published until
//!   then is missed. It is known when it executes writes, since one of these nodes has lost its slot to it or sends
//!   clients there.
//! - Slots move between these nodes. No message is lost by that, but two changes of a key that moves come over two
//!   connections, the later one perhaps earlier. The end is put off for 5 s, and for longer each time as long as a slot
//!   stays half way.
//! - The same time after a subscription to other nodes than before: a primary that was replaced may not know it at once,
//!   and answer reads; by then none does.
//!
//! A node that was replaced, and does not know it, changes and publishes what will be discarded: so there is no
//! subscription to one whose slots another node claims.
//!
//! Not noticed is a slot that begins to move to a node that has none, and is taken back between two questions without
//! having been assigned to that node; no tool does that.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, try_join_all},
};
use redis::aio::MultiplexedConnection;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{
    ClusterManager,
    announced::map_address,
    cluster_view::View,
    looks::Marker,
    replacement_check::{Peer, replaced},
    standing::until_over,
};
use crate::{
    events::{
        feed::Feed,
        listener::{Hear, Subscriber, Subscription},
    },
    heartbeat::LIMIT,
    manager::ConnectError,
    redis_manager::{Address, Heard, RedisConnection},
};

type Dialed<T> = std::result::Result<T, ConnectError>;

/// The connection to a node.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) id: Vec<u8>,
    pub(super) connection: RedisConnection,
    /// Ends when the connection is closed.
    pub(super) task: Option<JoinHandle<()>>,
    /// What it has said last.
    pub(super) view: Arc<View>,
}

/// Subscribes to the changes in a cluster.
pub struct ClusterSubscriber {
    manager: Arc<ClusterManager>,
    feed: Arc<Feed>,
}

impl ClusterSubscriber {
    /// Makes it for a cluster. Of what is watched, as `feed` tells, the first and the last members are looked for.
    #[must_use]
    pub const fn new(manager: Arc<ClusterManager>, feed: Arc<Feed>) -> Self {
        Self { manager, feed }
    }
}

impl Subscriber for ClusterSubscriber {
    fn subscribe(self: Arc<Self>, hear: Hear) -> BoxFuture<'static, Dialed<Subscription>> {
        let (marker, looks) = Marker::new(hear, self.feed.clone());
        let manager = self.manager.clone();
        manager.subscribe_to_all(marker, looks).boxed()
    }
}

impl ClusterManager {
    async fn subscribe_to_all(
        self: Arc<Self>,
        marker: Marker,
        looks: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> Dialed<Subscription> {
        let hear = marker.hears();
        let found = self.discover().await?;
        self.remember(&found.map);
        let connection = found.connected.connection.connection();
        let peer: Peer = (found.asked.clone(), connection);
        let mut links = self.hear_all(found.map.owners(), &hear, &peer).await?;
        let mut views = ask_all(&links).await?;
        let known = ids_of(&links);
        let mut others = Vec::new();
        let mut named = BTreeSet::new();
        for (link, view) in links.iter().zip(&views) {
            for id in view.needed.difference(&known) {
                if named.insert(id.clone()) {
                    let place = view.address(id, &found.map, &link.address);
                    others.push(place.ok_or_else(|| no_address(id, &link.address))?);
                }
            }
        }
        if !others.is_empty() {
            let node = &self.options.node;
            let mapped = others.iter().map(|address| map_address(node, address));
            let others = try_join_all(mapped).await?;
            links.extend(self.hear_all(others, &hear, &peer).await?);
            views = ask_all(&links).await?;
        }
        let ids = ids_of(&links);
        for (link, view) in links.iter().zip(&views) {
            if !view.needed.is_subset(&ids) {
                let words = format!("node {}: its slot map is another one", link.address);
                return Err(ConnectError::Unreachable(words.into()));
            }
        }
        for (link, view) in links.iter_mut().zip(views) {
            link.view = Arc::new(view);
        }
        let ended = until_over(self, links, ids, (marker, looks)).boxed();
        Ok(Subscription { ended })
    }

    /// Subscribes at all of these nodes; all must be reachable, unless another one has their slots by then.
    async fn hear_all(
        self: &Arc<Self>,
        nodes: Vec<Address>,
        hear: &Hear,
        peer: &Peer,
    ) -> Dialed<Vec<Link>> {
        let missing: Mutex<BTreeSet<String>> =
            Mutex::new(nodes.iter().map(ToString::to_string).collect());
        let still_missing = || missing.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |address: &Address| {
            let (address, hear) = (address.clone(), hear.clone());
            let still_missing = &still_missing;
            async move {
                let heard = self.node(&address).hear_node(hear).await;
                let Heard {
                    id,
                    connection,
                    task,
                } = heard.map_err(|error| {
                    error.map(|words| format!("node {address}: {words}").into())
                })?;
                still_missing().remove(&address.to_string());
                Ok(Link {
                    address,
                    id,
                    connection,
                    task: Some(task),
                    view: Arc::default(),
                })
            }
        };
        let silent = || {
            let missing = still_missing();
            let silent = nodes
                .iter()
                .filter(|node| missing.contains(&node.to_string()));
            silent.cloned().collect()
        };
        tokio::select! {
            links = try_join_all(nodes.iter().map(open)) => links,
            gone = replaced(&self.options.node, silent, |_| Some(peer.clone())) => {
                let words = format!("node {gone} does not answer, and has no slots any more");
                Err(ConnectError::Unreachable(words.into()))
            }
        }
    }
}

fn ids_of(links: &[Link]) -> BTreeSet<Vec<u8>> {
    links.iter().map(|link| link.id.clone()).collect()
}

fn no_address(id: &[u8], by: &Address) -> ConnectError {
    let id = String::from_utf8_lossy(id);
    ConnectError::Unreachable(format!("node {by} knows no address of node {id}").into())
}

/// Asks all nodes; all must answer.
async fn ask_all(links: &[Link]) -> Dialed<Vec<View>> {
    let asked = links.iter().map(|link| async {
        let connection = link.connection.connection();
        let words = match timeout(LIMIT, ask(connection)).await {
            Ok(Ok(view)) => return Ok(view),
            Ok(Err(words)) => words,
            Err(_) => "no answer to CLUSTER NODES".to_owned(),
        };
        let words = format!("node {}: {words}", link.address);
        Err(ConnectError::Unreachable(words.into()))
    });
    try_join_all(asked).await
}

pub(super) async fn ask(mut connection: MultiplexedConnection) -> Result<View, String> {
    let mut asked = redis::cmd("CLUSTER");
    let answer = asked.arg("NODES").query_async(&mut connection).await;
    let text: String = answer.map_err(|error| error.to_string())?;
    Ok(View::read(&text))
}
