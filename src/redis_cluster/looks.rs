//! Looking on which frontends a channel has members, for its first and its last one ([`crate::events::occupancy`]). It is
//! asked on the connections of the subscription: an answer comes after all changes of its key that were made before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use redis::{Pipeline, Value, aio::MultiplexedConnection};
use tokio::sync::mpsc;

use super::cluster_view::View;
use crate::{
    events::{Publishing, feed::Feed, listener::Hear, message, occupancy::Occupancy},
    hash_slot::hash_slot,
    keys::Key,
    redis_manager::{count, exact, list_members},
};

/// The maximum number of channels that are looked at together.
pub(super) const TOGETHER: usize = 100;

/// What hears the messages of all nodes, and marks the first and the last member of each channel.
#[derive(Clone)]
pub(super) struct Marker {
    hear: Hear,
    feed: Arc<Feed>,
    occupancy: Arc<Mutex<Occupancy>>,
    /// Receives the fields of channels that are to be looked at.
    looks: mpsc::UnboundedSender<Vec<u8>>,
}

impl Marker {
    /// Makes it for a new subscription, with what receives the fields of channels that are to be looked at.
    pub(super) fn new(hear: Hear, feed: Arc<Feed>) -> (Self, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (looks, fields) = mpsc::unbounded_channel();
        let occupancy = Arc::default();
        let marker = Self {
            hear,
            feed,
            occupancy,
            looks,
        };
        (marker, fields)
    }

    /// Returns what each node's messages go to.
    pub(super) fn hears(&self) -> Hear {
        let marker = self.clone();
        Arc::new(move |message: &[u8]| marker.take(message))
    }

    fn take(&self, message: &[u8]) {
        let Some(mut changes) = message::read(message) else {
            return (self.hear)(message);
        };
        let mut marked = Vec::with_capacity(message.len());
        // Kept until it is told, so that what a look tells comes in its order.
        let mut occupancy = self.lock();
        for change in &mut changes {
            let is_unwatched = change.is_edge
                && !occupancy.tracks(change.field)
                && !self.feed.watches(change.field);
            if is_unwatched {
                change.is_edge = false;
            } else if occupancy.take(change) {
                // Fails if the subscription is over.
                let _ = self.looks.send(change.field.to_vec());
            }
            change.write(&mut marked);
        }
        (self.hear)(&marked);
    }

    /// Takes what a look has found.
    pub(super) fn looked(&self, field: &[u8], found: Vec<Vec<u8>>) {
        let mut occupancy = self.lock();
        let message = occupancy.looked(field, found);
        if !message.is_empty() {
            (self.hear)(&message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Occupancy> {
        self.occupancy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node, and what it has said last.
pub(super) type Node = (Arc<View>, MultiplexedConnection);

/// Looks at channels on all frontends in the index. Returns for each the frontends with members; `None` if a node does not
/// answer for one of the keys, as while its slot moves.
pub(super) async fn look(
    nodes: Vec<Node>,
    to: Arc<Publishing>,
    fields: &[Vec<u8>],
) -> Option<Vec<Vec<Vec<u8>>>> {
    let owner = |key: &Key| {
        let slot = hash_slot(key);
        nodes.iter().position(|(view, _)| view.has(slot))
    };
    let mut index = nodes.get(owner(&to.sids)?)?.1.clone();
    let mut asked = Pipeline::new();
    asked.cmd(exact("SMEMBERS")).arg(&to.sids);
    let answer = index.send_packed_commands(&asked, 0, 1).await.ok()?.pop()?;
    let sids = list_members(answer).ok()?;
    let mut pipelines: Vec<(Pipeline, Vec<(usize, usize)>)> = Vec::new();
    pipelines.resize_with(nodes.len(), Default::default);
    for (channel, field) in fields.iter().enumerate() {
        for (at, sid) in sids.iter().enumerate() {
            let key = [&to.stem, field, &b":"[..], sid].concat();
            let (pipeline, places) = pipelines.get_mut(owner(&key)?)?;
            pipeline.cmd("SCARD").arg(key);
            places.push((channel, at));
        }
    }
    let asking = nodes
        .iter()
        .zip(&pipelines)
        .map(|((_, node), (pipeline, places))| {
            let mut node = node.clone();
            async move {
                if places.is_empty() {
                    return Ok(Vec::new());
                }
                node.send_packed_commands(pipeline, 0, places.len()).await
            }
        });
    let answers: Vec<Vec<Value>> = try_join_all(asking).await.ok()?;
    let mut found = vec![Vec::new(); fields.len()];
    for ((_, places), answers) in pipelines.iter().zip(answers) {
        for (&(channel, at), answer) in places.iter().zip(answers) {
            if count(answer).ok()? > 0 {
                found[channel].push(sids[at].clone());
            }
        }
    }
    Some(found)
}
