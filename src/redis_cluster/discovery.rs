//! Discovery: opens a connection by asking any node for the slot map and connecting to all nodes that have slots.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use redis::Value;
use tokio::time::sleep;

use super::{
    ClusterManager,
    announced::map_slots,
    connection::ClusterConnection,
    replacement_check::{Peer, replaced, slots},
    slots::SlotMap,
};
use crate::{
    manager::{ConnectError, Connected, Manager},
    redis_manager::{Address, RedisConnection, connect_error},
};

/// How long a node may take to answer before the next one is asked too.
const STAGGER: Duration = Duration::from_millis(250);

type Dialed<T> = std::result::Result<T, ConnectError>;

/// The result of a discovery.
pub(super) struct Found {
    pub(super) map: SlotMap,
    /// The node that was asked, and a connection to it, which is kept and used.
    pub(super) asked: Address,
    pub(super) connected: Connected<RedisConnection>,
}

impl Manager for ClusterManager {
    type Connection = ClusterConnection;

    fn connect(self: Arc<Self>) -> BoxFuture<'static, Dialed<Connected<ClusterConnection>>> {
        async move {
            let found = self.discover().await?;
            let map = found.map.clone();
            self.share_memory(&map);
            let mut open = self.connect_to_owners(found).await?;
            self.remember(&map);
            let fenced = open.values().all(|connected| connected.fenced);
            // What all nodes say is said once.
            let notes = open.values_mut().filter_map(|node| node.note.take());
            let mut notes: BTreeSet<String> = notes.collect();
            let (connection, closed) = ClusterConnection::new(self.clone(), map, open);
            notes.extend(self.cache_note());
            let notes: Vec<String> = notes.into_iter().collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            Ok(Connected {
                connection,
                closed,
                fenced,
                note,
            })
        }
        .boxed()
    }

    fn describe(&self) -> String {
        format!("Redis Cluster at {}", self.options)
    }

    fn timeout_hint(&self) -> Option<&'static str> {
        self.options.node.timeout_hint()
    }
}

impl ClusterManager {
    /// Asks the nodes one after the other, without waiting long for a silent one. Begins with another node each time,
    /// because a node that is cut off from the others returns an old map.
    pub(super) async fn discover(self: &Arc<Self>) -> Dialed<Found> {
        let mut candidates = self.candidates().into_iter();
        let mut asking = FuturesUnordered::new();
        let mut failure: Option<ConnectError> = None;
        loop {
            if asking.is_empty() {
                match candidates.next() {
                    Some(address) => asking.push(self.ask(address)),
                    None => break,
                }
            }
            let more = candidates.len() > 0;
            tokio::select! {
                Some(asked) = asking.next() => match asked {
                    Ok(found) => return Ok(found),
                    Err(error) => {
                        // A refusal is reported rather than a timeout: the others may refuse for the same reason.
                        if !matches!(failure, Some(ConnectError::Refused(_))) {
                            failure = Some(error);
                        }
                    }
                },
                () = sleep(STAGGER), if more => {
                    asking.extend(candidates.next().map(|address| self.ask(address)));
                }
            }
        }
        let no_node = || ConnectError::Unreachable("there is no node to ask".into());
        Err(failure.unwrap_or_else(no_node))
    }

    /// Returns the nodes to ask, in their order.
    fn candidates(&self) -> Vec<Address> {
        let mut all = self.nodes().known.clone();
        for seed in &self.options.seeds {
            if !all.contains(seed) {
                all.push(seed.clone());
            }
        }
        let turn = self.looks.fetch_add(1, Ordering::Relaxed) % all.len().max(1);
        all.rotate_left(turn);
        all
    }

    async fn ask(self: &Arc<Self>, asked: Address) -> Dialed<Found> {
        let named = |error| named(&asked, None, error);
        let connected = self.node(&asked).connect().await.map_err(named)?;
        let unreachable = |words: String| named(ConnectError::Unreachable(words.into()));
        let peer = (asked.clone(), connected.connection.connection());
        let answer = slots(peer).await.map_err(unreachable)?;
        if let Value::ServerError(error) = &answer {
            return Err(named(connect_error(error)));
        }
        let odd = || unreachable("CLUSTER SLOTS answered in an unknown form".to_owned());
        let map = SlotMap::read(&answer, &asked).ok_or_else(odd)?;
        let map = map_slots(&self.options.node, map).await.map_err(named)?;
        let missing = map.ranges(None);
        if !missing.is_empty() {
            let doubt = map.doubt().map(|doubt| format!(": {doubt}"));
            let doubt = doubt.unwrap_or_default();
            let words = format!("it knows of no node that has slots {missing}{doubt}");
            return Err(unreachable(words));
        }
        Ok(Found {
            map,
            asked,
            connected,
        })
    }

    /// Connects to all nodes that have slots; all of them must be reachable, or some calls could not be answered.
    async fn connect_to_owners(
        self: &Arc<Self>,
        found: Found,
    ) -> Dialed<HashMap<Address, Connected<RedisConnection>>> {
        let Found {
            map,
            asked,
            connected,
        } = found;
        let peer: Peer = (asked.clone(), connected.connection.connection());
        let owners = map.owners();
        let mut open = HashMap::new();
        // Kept open meanwhile, even if it has no slots.
        let asked_link = connected;
        let missing: Mutex<Vec<Address>> =
            Mutex::new(owners.into_iter().filter(|node| *node != asked).collect());
        let still_missing = || missing.lock().unwrap_or_else(PoisonError::into_inner);
        let connect = |address: Address| async move {
            let connected = self.node(&address).connect().await;
            (address, connected)
        };
        let mut connecting: FuturesUnordered<_> =
            still_missing().iter().cloned().map(connect).collect();
        let node = &self.options.node;
        let gone = replaced(node, || still_missing().clone(), |_| Some(peer.clone()));
        tokio::pin!(gone);
        loop {
            let (address, connected) = tokio::select! {
                connected = connecting.next() => match connected {
                    Some(connected) => connected,
                    None => break,
                },
                gone = &mut gone => {
                    let words = format!("node {gone} does not answer, and has no slots any more");
                    return Err(ConnectError::Unreachable(words.into()));
                }
            };
            let connected = connected.map_err(|error| named(&address, Some(&map), error))?;
            still_missing().retain(|node| *node != address);
            open.insert(address, connected);
        }
        if map.has_slots(&asked) {
            open.insert(asked, asked_link);
        }
        Ok(open)
    }

    /// Remembers the nodes of the map, and forgets others.
    pub(super) fn remember(&self, map: &SlotMap) {
        let mut nodes = self.nodes();
        nodes.known = map.known().to_vec();
        let seeds = &self.options.seeds;
        nodes
            .managers
            .retain(|address, _| map.known().contains(address) || seeds.contains(address));
    }
}

/// Adds to an error the node that it is about, and why that node is needed.
fn named(address: &Address, map: Option<&SlotMap>, error: ConnectError) -> ConnectError {
    let has = map.map(|map| format!(" (slots {})", map.ranges(Some(address))));
    let with =
        |words: Arc<str>| format!("node {address}{}: {words}", has.unwrap_or_default()).into();
    match error {
        ConnectError::Refused(words) => ConnectError::Refused(with(words)),
        ConnectError::Unreachable(words) => ConnectError::Unreachable(with(words)),
    }
}
