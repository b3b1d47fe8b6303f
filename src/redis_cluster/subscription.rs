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
//! **Which nodes.** Those that have slots, and those that are to get their first one. All of them are asked once in a
//! while ([`interval`]) which these are, and for their own epoch and slots ([`View`]). The subscription stands when each of
//! them has answered after it was subscribed to, and knows of no other node. It ends, so that the listener begins a new
//! one and tells a gap, in these cases:
//!
//! - A connection is lost, or a node does not answer.
//! - A node knows of another one: a replica has taken over, or a new node gets slots. What that one has published until
//!   then is missed. It is known when it executes writes, since one of these nodes has lost its slot to it or sends
//!   clients there.
//! - Slots move between these nodes. No message is lost by that, but two changes of a key that moves come over two
//!   connections, the later one perhaps earlier. The end is put off for a while ([`SETTLE`]), and for longer each time as
//!   long as a slot stays half way ([`LONGEST`]).
//! - [`SETTLE`] after a subscription to other nodes than before: a primary that was replaced may not know it at once, and
//!   answer reads; by then none does.
//!
//! A node that was replaced, and does not know it, changes and publishes what will be discarded: so there is no
//! subscription to one whose slots another node claims.
//!
//! Not noticed is a slot that is given to a node that had none and taken back within [`interval`] without being assigned
//! to it in between; no tool does that.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, try_join_all},
    stream::FuturesUnordered,
};
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    ClusterManager,
    announced::map_address,
    cluster_view::View,
    looks::{Marker, Node, TOGETHER, look},
    replacement_check::{Peer, replaced},
};
use crate::{
    events::{
        Gap, Publishing,
        feed::Feed,
        listener::{Hear, Subscriber, Subscription},
    },
    heartbeat::LIMIT,
    manager::ConnectError,
    redis_manager::{Address, Heard, RedisConnection},
};

/// How long the end is put off when nothing is lost.
const SETTLE: Duration = Duration::from_secs(5);

/// The same for slots that stay half way.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before channels are looked at again that could not be, and how often that is done.
const AGAIN: Duration = Duration::from_millis(100);
const LOOKS: u32 = 50;

type Dialed<T> = std::result::Result<T, ConnectError>;

/// What the last subscription has found.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// The nodes.
    ids: BTreeSet<Vec<u8>>,
    /// What they said of themselves.
    claims: Vec<String>,
    /// How often it has ended and nothing had changed since.
    rounds: u32,
}

/// The time between two questions to a node: with many nodes it is longer, as their answers are.
fn interval(nodes: usize) -> Duration {
    let tenths = u32::try_from(nodes).unwrap_or(u32::MAX);
    (Duration::from_millis(100) * tenths).max(Duration::from_secs(1))
}

/// The connection to a node.
struct Link {
    address: Address,
    id: Vec<u8>,
    connection: RedisConnection,
    /// Ends when the connection is closed.
    task: Option<JoinHandle<()>>,
    /// What it has said last.
    view: Arc<View>,
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

    /// Notes what a subscription has found. Returns how long it may stand; `None` if there is no limit.
    fn begins(&self, ids: &BTreeSet<Vec<u8>>, links: &[Link]) -> Option<Duration> {
        let is_moving = links.iter().any(|link| link.view.is_moving());
        let claims: Vec<String> = links.iter().map(|link| link.view.claim.clone()).collect();
        let mut last = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = last.ids.is_empty();
        let is_other = !is_first && last.ids != *ids;
        last.rounds = if is_moving && last.claims == claims {
            last.rounds.saturating_add(1)
        } else {
            0
        };
        last.ids.clone_from(ids);
        last.claims = claims;
        let pause = SETTLE.saturating_mul(1 << last.rounds.min(8)).min(LONGEST);
        (is_moving || is_other).then_some(pause)
    }
}

/// Completes when the subscription is over, and says why changes may have been missed.
async fn until_over(
    manager: Arc<ClusterManager>,
    mut links: Vec<Link>,
    ids: BTreeSet<Vec<u8>>,
    (marker, mut looks): (Marker, mpsc::UnboundedReceiver<Vec<u8>>),
) -> Gap {
    let begin = Instant::now();
    let mut due = manager.begins(&ids, &links).map(|pause| begin + pause);
    let pause = interval(links.len());
    let again = |at: usize, link: &Link| {
        let connection = link.connection.connection();
        async move {
            sleep(pause).await;
            (at, timeout(LIMIT, ask(connection)).await)
        }
    };
    let mut asking: FuturesUnordered<_> = FuturesUnordered::new();
    asking.extend(links.iter().enumerate().map(|(at, link)| again(at, link)));
    let tasks = links.iter_mut().filter_map(|link| link.task.take());
    let mut closed: FuturesUnordered<_> = tasks.collect();
    let Some(publishing) = manager.options.node.publishing.clone() else {
        return Gap::Reconnect;
    };
    let mut fields = Vec::new();
    let mut looking = FuturesUnordered::new();
    let mut failures = 0;
    loop {
        let wake = due.unwrap_or_else(|| Instant::now() + LONGEST);
        tokio::select! {
            biased;
            _ = closed.next() => return Gap::Reconnect,
            Some((at, answer)) = asking.next() => {
                let (Ok(Ok(view)), Some(link)) = (answer, links.get_mut(at)) else {
                    return Gap::Reconnect;
                };
                if !view.needed.is_subset(&ids) {
                    return Gap::Reconnect;
                }
                let soon = Instant::now() + SETTLE;
                if link.view.claim != view.claim {
                    due = Some(due.map_or(soon, |due| due.min(soon)));
                } else if view.is_moving() {
                    due.get_or_insert(soon);
                }
                link.view = Arc::new(view);
                asking.push(again(at, link));
            }
            Some(found) = looking.next() => {
                let found: Option<Vec<Vec<Vec<u8>>>> = found;
                if let Some(found) = found {
                    for (field, sids) in fields.drain(..).zip(found) {
                        let field: Vec<u8> = field;
                        marker.looked(&field, sids);
                    }
                    failures = 0;
                } else {
                    failures += 1;
                    if failures >= LOOKS {
                        return Gap::Moved;
                    }
                    looking.push(look_after(AGAIN, &links, &publishing, &fields));
                }
            }
            count = looks.recv_many(&mut fields, TOGETHER), if looking.is_empty() => {
                if count > 0 {
                    looking.push(look_after(Duration::ZERO, &links, &publishing, &fields));
                }
            }
            () = sleep_until(wake) => if due.is_some() { return Gap::Moved },
        }
    }
}

/// Looks at channels, after a pause.
fn look_after(
    pause: Duration,
    links: &[Link],
    publishing: &Arc<Publishing>,
    fields: &[Vec<u8>],
) -> BoxFuture<'static, Option<Vec<Vec<Vec<u8>>>>> {
    let node = |link: &Link| (link.view.clone(), link.connection.connection());
    let nodes: Vec<Node> = links.iter().map(node).collect();
    let (publishing, fields) = (publishing.clone(), fields.to_vec());
    async move {
        sleep(pause).await;
        let looking = look(nodes, publishing, &fields);
        timeout(LIMIT, looking).await.ok().flatten()
    }
    .boxed()
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

async fn ask(mut connection: MultiplexedConnection) -> Result<View, String> {
    let mut asked = redis::cmd("CLUSTER");
    let answer = asked.arg("NODES").query_async(&mut connection).await;
    let text: String = answer.map_err(|error| error.to_string())?;
    Ok(View::read(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_nodes_are_asked_less_often() {
        assert_eq!(interval(3), Duration::from_secs(1));
        assert_eq!(interval(100), Duration::from_secs(10));
    }
}
