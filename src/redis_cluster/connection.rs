//! A connection to a whole cluster: the connections to its nodes, and its slot map.

use std::{collections::HashMap, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::sync::mpsc;

use super::{
    ClusterManager,
    clean::clean,
    inventory::{names_of, scan_nodes},
    membership,
    pages::ClusterPages,
    routing::{Plan, replies},
    send::send,
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
            while let Some(address) = ends.recv().await {
                let Some(shared) = watched.upgrade() else {
                    return;
                };
                shared.remove(&address);
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
        Arc::new(ClusterPages(self.0.clone()))
    }

    fn batch_size(&self) -> usize {
        self.0.batch_size()
    }

    /// Returns 1, so that the next batch gathers meanwhile. With more in flight, a command that has to be sent again
    /// would come after later ones of its key.
    fn depth(&self) -> usize {
        1
    }

    fn take_note(&self) -> Option<String> {
        self.0.commands().take_note()
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        clean(self.0.clone(), removal.clone(), steps).boxed()
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        scan_nodes(self.shared().clone(), stem.to_vec(), names_of)
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let shared = self.0.clone();
        if batch
            .iter()
            .any(|command| membership::concerns(command.op(), &shared))
        {
            let batch = batch.iter().map(|&command| command.clone()).collect();
            return membership::execute(shared, batch).boxed();
        }
        let (steps, parts) = Plan::of(batch, shared.commands().missing(), shared.publishing());
        async move {
            shared.refresh_if_stale().await;
            let answers = send(&shared, steps).await?;
            let (replies, bytes) = replies(&parts, answers);
            shared.loaded(bytes, parts.len());
            Ok(replies)
        }
        .boxed()
    }
}
