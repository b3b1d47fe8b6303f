//! An open connection, and the loop around the member cache: batches to pipelines, and replies back to it. The cache
//! ([`crate::cache`]) decides what is sent and what the replies mean; without a cache the path is the same, and nothing
//! is kept.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream::BoxStream,
};
use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, oneshot},
    task::{AbortHandle, unconstrained},
    time::Instant,
};

use super::{
    clean::clean,
    codec::{self, SideEffects, command, list, placed_list, read},
    event_scripts::EventScripts,
    fallbacks::{Commands, Missing},
    handshake::CacheOff,
    member_groups::Groups,
    pages::RedisPages,
    role::Question,
    scan::found,
    server_errors::{is_elsewhere, lost},
    slot_coverage,
    state::{Replies, State, lock},
};
use crate::{
    cache::{Answer, Sent, Settled, Wire},
    command::{Command, ReadOp},
    error::{Error, Result},
    events::Publishing,
    failpoints::fail_point,
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

/// Sends a pipeline, perhaps with a question at its end, and the rereads that its answers require, and waits until the
/// batch has its replies, which may come with a later batch.
async fn run(
    mut connection: MultiplexedConnection,
    state: Arc<Mutex<State>>,
    mut sent: Sent,
    (mut pipeline, mut groups, mut question): (Pipeline, Groups<'static>, Option<Question>),
    (calls, scripts): (usize, &'static EventScripts),
    mut replies: oneshot::Receiver<Replies>,
) -> std::result::Result<Replies, Lost> {
    loop {
        let mut values = if pipeline.is_empty() {
            Vec::new()
        } else {
            let count = pipeline.len();
            let sent = connection.send_packed_commands(&pipeline, 0, count).await;
            match sent {
                Ok(values) => values,
                Err(error) => {
                    // No further reply will arrive.
                    lock(&state).waiting.clear();
                    // The replies are complete if the rereads are for other batches.
                    return replies.try_recv().map_err(|_| lost(&error));
                }
            }
        };
        // The question was the last command.
        let answer = question
            .take()
            .and_then(|question| Some((question, values.pop()?)));
        let values = groups.split(values);
        lock(&state).observe(&values, answer);
        let mut values = values.into_iter();
        let decode = |wire| decode(wire, &mut values, scripts);
        let answers: Vec<Answer> = sent.wire.iter().map(decode).collect();
        let again = {
            let mut state = lock(&state);
            state.loaded(&sent.wire, &answers, calls);
            let Settled { finished, again } = state.session.settle(sent.no, answers);
            for (no, replies) in finished {
                if let Some(sender) = state.waiting.remove(&no) {
                    // Dropped if the driver gave up on the connection.
                    let _ = sender.send(replies);
                }
            }
            again
        };
        let Some(again) = again else { break };
        // Only reads of members.
        (pipeline, groups) = encode(
            &again.wire,
            &[],
            &Missing::default(),
            SideEffects::default(),
        );
        sent = again;
    }
    let gone = |_| Lost("the connection is gone".into());
    replies.await.map_err(gone)
}

fn encode(
    wire: &[Wire],
    batch: &[&Command],
    missing: &Missing,
    effects: SideEffects,
) -> (Pipeline, Groups<'static>) {
    let mut pipeline = Pipeline::with_capacity(2 * wire.len());
    let mut groups = Groups::default();
    for wire in wire {
        // The script of a group publishes nothing.
        if let (Wire::Command { index, .. }, None) = (wire, effects.publishing)
            && groups.take(batch[*index], &mut pipeline)
        {
            continue;
        }
        groups.end(&mut pipeline);
        match wire {
            Wire::Members(key) => {
                pipeline.add_command(read(ReadOp::Members, key));
            }
            Wire::Tracked(key) => {
                pipeline.add_command(caching());
                pipeline.add_command(read(ReadOp::Members, key));
            }
            Wire::Touch(keys) => {
                pipeline.add_command(command("TOUCH", keys));
            }
            Wire::Forget(keys) => {
                pipeline.add_command(forget(keys));
            }
            Wire::Command { index, .. } => {
                codec::encode(batch[*index], missing, effects, |command| {
                    pipeline.add_command(command);
                });
            }
        }
    }
    let groups = groups.finish(&mut pipeline);
    (pipeline, groups)
}

/// Makes `CLIENT CACHING YES`, which tells the server to track the key of the next command only.
pub(super) fn caching() -> Cmd {
    // Has the same kind of answer.
    fail_point!(
        "caching-not-sent",
        Some(command("CLIENT", ["TRACKING", "ON", "OPTIN"]))
    );
    command("CLIENT", ["CACHING", "YES"])
}

/// Changes keys that do not exist, so that the server forgets that they were read, and restores them. The member is
/// never visible, because a script is atomic.
const FORGET: &str = "for _, key in ipairs(KEYS) do \
    if redis.call('TOUCH', key) == 0 then redis.call('SADD', key, '') redis.call('SREM', key, '') end \
    end";

/// Makes the script that has the server forget these keys.
pub(super) fn forget<K: AsRef<[u8]>>(keys: &[K]) -> Cmd {
    let count = keys.len().to_string();
    let args = [FORGET.as_bytes(), count.as_bytes()];
    let keys = keys.iter().map(AsRef::as_ref);
    command("EVAL", args.into_iter().chain(keys))
}

/// Decodes the answer to a command, from as many of the next values as it takes.
pub(super) fn decode(
    wire: &Wire,
    values: &mut impl Iterator<Item = Value>,
    scripts: &EventScripts,
) -> Answer {
    let mut value = || values.next().unwrap_or(Value::Nil);
    match wire {
        Wire::Command { op, keys, .. } => {
            Answer::Command(codec::decode(*op, *keys, scripts, value))
        }
        Wire::Members(_) => Answer::List(list(value()).map(Arc::new)),
        Wire::Tracked(_) => {
            let granted = value() == Value::Okay;
            let (pushes, list) = placed_list(value());
            let list = list.map(Arc::new);
            Answer::Tracked {
                granted,
                pushes,
                list,
            }
        }
        // No number says that the node has no such slot, or not all keys of one that is moving.
        Wire::Touch(_) => Answer::Touched(match value() {
            Value::Int(count) => usize::try_from(count).ok(),
            _ => None,
        }),
        Wire::Forget(_) => Answer::Forgot(!is_refused(&value())),
    }
}

/// Returns whether the script did not run and may later. A node that has lost the slot cannot be made to forget its keys.
fn is_refused(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if !is_elsewhere(error))
}
