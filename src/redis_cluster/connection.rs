//! A connection to a whole cluster: the connections to its nodes, and its slot map.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::{sync::mpsc, task::unconstrained};

use super::{
    ClusterManager,
    clean::clean,
    inventory::{names_of, scan_nodes},
    membership,
    pages::ClusterPages,
    routing::{Plan, replies},
    send::send_in_turn,
    shared::Shared,
    slots::SlotMap,
};
use crate::{
    command::{Command, Reply},
    error::Result,
    keys::Key,
    manager::{Connected, Connection, Lost},
    pages::PageSource,
    redis_manager::{Address, RedisConnection},
    removal::Removal,
    steps::Steps,
};

/// How many batches may be in flight.
const DEPTH: usize = 32;

/// An open connection to a cluster. The driver does not ping it: each node's connection has a heartbeat of its own,
/// because one may be silent while the others answer.
#[derive(Debug)]
pub struct ClusterConnection(Arc<Shared>);

impl ClusterConnection {
    /// Makes a connection to the cluster from those to its nodes, and a future that completes when it is to be given
    /// up.
    pub(super) fn new(
        manager: Arc<ClusterManager>,
        map: SlotMap,
        open: HashMap<Address, Connected<RedisConnection>>,
    ) -> (Self, BoxFuture<'static, ()>) {
        let (ended, mut ends) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(manager, map, ended));
        for (address, connected) in open {
            shared.add(address, connected);
        }
        let watched = Arc::downgrade(&shared);
        let closed = async move {
            while let Some(link) = ends.recv().await {
                let Some(shared) = watched.upgrade() else {
                    return;
                };
                shared.remove(&link);
                let (address, _) = link;
                // A node without slots may go; and this one may have lost its slots since the map was last read.
                if shared.has_slots(&address) {
                    shared.refresh_map().await;
                }
                if shared.has_slots(&address) {
                    return;
                }
            }
        };
        (Self(shared), closed.boxed())
    }
}

impl ClusterConnection {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for ClusterConnection {
    fn drop(&mut self) {
        // A batch under way may keep the other connections open.
        self.0.disconnect();
    }
}

impl Connection for ClusterConnection {
    fn pages(&self) -> Arc<dyn PageSource> {
        Arc::new(ClusterPages::new(self.0.clone()))
    }

    fn pages_beside(&self) -> Arc<dyn PageSource> {
        Arc::new(ClusterPages::beside(self.0.clone()))
    }

    fn batch_size(&self) -> usize {
        self.0.batch_size()
    }

    /// Returns 1 while a batch would have to wait for others: the next one gathers calls meanwhile.
    fn depth(&self) -> usize {
        if self.0.is_open() { DEPTH } else { 1 }
    }

    fn take_note(&self) -> Option<String> {
        self.0.commands().take_note()
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let (shared, removal) = (self.0.clone(), removal.clone());
        let turn = shared.turn();
        async move {
            turn.alone().await;
            clean(shared, removal, steps).await
        }
        .boxed()
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        scan_nodes(self.shared().clone(), stem.to_vec(), names_of)
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let shared = self.0.clone();
        let turn = shared.turn();
        let takes_rounds = |command: &&Command| membership::concerns(command.op(), &shared);
        if batch.iter().any(takes_rounds) {
            let batch = batch.iter().map(|&command| command.clone()).collect();
            let alone = async move {
                turn.alone().await;
                membership::execute(shared, batch).await
            };
            return alone.boxed();
        }
        let (steps, parts) = Plan::of(batch);
        let run = async move {
            let answers = send_in_turn(&shared, steps, &turn).await?;
            drop(turn);
            shared.loaded(parts.len());
            let answers = answers.into_iter().map(Result::flatten).collect();
            Ok(replies(&parts, answers))
        };
        // Without tokio's budget, and now: batches that are formed later must come later on the wire.
        let mut future = unconstrained(run).boxed();
        match future.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(replies) => std::future::ready(replies).boxed(),
            Poll::Pending => future,
        }
    }
}
