//! An open connection. The member cache ([`crate::cache`]) decides what is sent for a batch and what the replies mean; without a
//! cache the path is the same, and nothing is kept. Pipelines are made and read in [`super::pipeline`].

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream::BoxStream,
};
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::{Notify, oneshot},
    task::{AbortHandle, unconstrained},
    time::Instant,
};

use super::{
    clean::clean,
    codec::{SideEffects, read},
    event_scripts::EventScripts,
    fallbacks::Commands,
    handshake::CacheOff,
    pages::RedisPages,
    pipeline::{encode, run},
    scan::found,
    server_errors::lost,
    slot_coverage,
    state::{Replies, State, lock},
};
use crate::{
    cache::Wire,
    command::{Command, ReadOp},
    error::{Error, Result},
    events::Publishing,
    keys::Key,
    lone_socket::LoneSocket,
    manager::{Connection, Lost, Queue},
    pages::PageSource,
    removal::Removal,
    shared_task::{SharedTask, is_borrowing},
    steps::Steps,
};

/// An open connection. A task owns the socket, and ends with this.
#[derive(Debug)]
pub struct RedisConnection {
    pub(super) connection: MultiplexedConnection,
    pub(super) task: AbortHandle,
    /// The same task.
    pub(super) shared: Arc<SharedTask>,
    /// The socket, if it can be moved to the event loop.
    pub(super) lone: Option<LoneSocket>,
    /// Replaces the login before it expires, if it does.
    pub(super) renewal: Option<AbortHandle>,
    pub(super) state: Arc<Mutex<State>>,
    /// A key that no channel has: see [`super::RedisOptions::probe`].
    pub(super) probe: Key,
    /// Which commands the server lacks.
    pub(super) commands: Commands,
    /// Where changes of channels are published, if they are.
    pub(super) publishing: Option<Arc<Publishing>>,
    /// The stem, if members that are removed with their sessions are kept.
    pub(super) kept: Option<Key>,
    /// Notified when bytes arrive.
    pub(super) activity: Arc<Notify>,
    /// Whether it is a node of a Redis Cluster, which had all keys: see [`slot_coverage`].
    pub(super) in_cluster: bool,
    /// The scripts that publish.
    pub(super) scripts: &'static EventScripts,
    /// Why nothing is served from memory, if so.
    pub(super) cache_off: CacheOff,
    /// The server process, for positions of scans, which mean nothing to another one.
    pub(super) origin: u64,
}

impl RedisConnection {
    /// Returns the connection of redis-rs, for commands that are not calls and do not concern the cache.
    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Returns what pages of this server are read from.
    pub(crate) fn page_source(&self) -> RedisPages {
        RedisPages::new(self.connection.clone(), self.commands.clone(), self.origin)
    }

    /// Returns which commands the server lacks.
    pub(crate) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Returns why nothing is served from memory, if so.
    pub(crate) fn cache_off(&self) -> Option<&str> {
        self.cache_off.as_deref()
    }

    /// Returns how many bytes of lists were read from the server since the last call.
    pub(crate) fn take_loaded(&self) -> usize {
        std::mem::take(&mut lock(&self.state).loaded)
    }

    /// Pings the server by reading a key that no channel has. Every user of ours may read, unlike `PING` or `SELECT`;
    /// and any answer counts, a refusal or a redirection too.
    pub(crate) fn ping_by(&self, key: &Key) -> BoxFuture<'static, std::result::Result<(), Lost>> {
        let mut connection = self.connection.clone();
        let activity = self.activity.clone();
        let read = read(ReadOp::Members, key);
        let sign = async move {
            let answer = connection.send_packed_command(&read);
            tokio::select! {
                () = activity.notified() => Ok(()),
                answer = answer => match answer {
                    Err(error) if error.is_io_error() => Err(lost(&error)),
                    _ => Ok(()),
                },
            }
        };
        sign.boxed()
    }
}

impl Drop for RedisConnection {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        // The socket's task may outlive this by a moment, and must not keep the lists.
        lock(&self.state).session.close();
    }
}

impl Connection for RedisConnection {
    fn pages(&self) -> Arc<dyn PageSource> {
        Arc::new(self.page_source().noting_role(self.state.clone()))
    }

    fn batch_size(&self) -> usize {
        lock(&self.state).batch_size.calls()
    }

    fn lone_socket(&self) -> Option<LoneSocket> {
        self.lone.clone()
    }

    fn demoted(&self) -> Option<Arc<str>> {
        lock(&self.state).role.demoted()
    }

    fn ping(&self) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        Some(self.ping_by(&self.probe))
    }

    fn take_note(&self) -> Option<String> {
        self.commands.take_note()
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let found = found(self.connection.clone(), self.commands.clone(), stem);
        found.map_err(Error::from).boxed()
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Replies, Lost>> {
        let (connection, state) = (self.connection.clone(), self.state.clone());
        let asked = self.in_cluster.then(|| removal.stem().to_vec());
        let commands = self.commands.clone();
        let clean = clean(
            (connection.clone(), commands),
            (self.publishing.clone(), self.kept.clone()),
            state,
            removal.clone(),
            steps.clone(),
        );
        slot_coverage::after_clean(clean, connection, asked, steps).boxed()
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Replies, Lost>> {
        self.execute_from(batch, Queue::default())
    }

    fn execute_from(
        &self,
        batch: &[&Command],
        queue: Queue,
    ) -> BoxFuture<'static, std::result::Result<Replies, Lost>> {
        let connection = self.connection.clone();
        let (sender, replies) = oneshot::channel();
        let mut state = lock(&self.state);
        if state.role.demoted().is_some() {
            // What was read since is a replica's.
            state.session.distrust();
        }
        let sent = state.session.form(batch, queue);
        state.waiting.insert(sent.no, sender);
        let reads = sent.wire.iter().any(Wire::is_read);
        let question = reads.then(|| state.role.ask(Instant::now())).flatten();
        drop(state);
        let missing = self.commands.missing();
        let publishing = self.publishing.as_deref();
        let effects = SideEffects {
            publishing: publishing.map(|to| (to, self.scripts)),
            kept: self.kept.as_ref(),
        };
        let (mut pipeline, groups) = encode(&sent.wire, batch, &missing, effects);
        if let Some(question) = question {
            pipeline.add_command(question.command());
        }
        let state = self.state.clone();
        // Without tokio's budget, which might delay the sending by a turn.
        let run = run(
            connection,
            state,
            sent,
            (pipeline, groups, question),
            (batch.len(), self.scripts),
            replies,
        );
        let mut future = unconstrained(run).boxed();
        // Sent now, and not when the driver next polls for replies: batches that are formed later must come later on
        // the wire, and so must rereads in between.
        // On the thread that has borrowed the driver, which borrows the socket's task too, and writes at once.
        let mut socket = is_borrowing().then(|| self.shared.borrow()).flatten();
        let polled = future.poll_unpin(&mut Context::from_waker(Waker::noop()));
        if let Some(socket) = &mut socket {
            socket.poll();
        }
        match polled {
            Poll::Ready(result) => std::future::ready(result).boxed(),
            Poll::Pending => future,
        }
    }
}
