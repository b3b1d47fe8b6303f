//! State that a connection shares with the batches under way: the member cache, the callers that wait for replies, and
//! the role of the server.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{PushInfo, PushKind, Value};
use tokio::sync::oneshot;

use super::role::{Question, Role};
use crate::{
    batch_size::{BatchSize, work},
    cache::{Answer, Invalidation, Session, Wire},
    command::Reply,
    error::Result,
    events::listener::Hear,
};

/// With numbers as keys that are no one else's to choose.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The replies of a batch, one for each of its calls.
pub(super) type Replies = Vec<Result<Reply>>;

/// The state. Its lock is held for moments only, by the thread that polls the driver or the socket's task.
pub(super) struct State {
    pub(super) session: Session,
    pub(super) role: Role,
    pub(super) waiting: HashMap<u64, oneshot::Sender<Replies>>,
    pub(super) batch_size: BatchSize,
    /// The bytes of lists that were read from the server and are not taken yet.
    pub(super) loaded: usize,
    /// Hears the messages of a subscription.
    pub(super) hear: Option<Hear>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(session: Session) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            session,
            role: Role::new(None),
            waiting: HashMap::default(),
            batch_size: BatchSize::default(),
            loaded: 0,
            hear: None,
        }))
    }

    /// Handles what the server has said about its role. If it is not the primary, nothing is served from memory.
    pub(super) fn observe(&mut self, values: &[Value], answer: Option<(Question, Value)>) {
        self.role.observe(values, answer);
        if self.role.demoted().is_some() {
            self.session.distrust();
        }
    }

    /// Notes how much work the commands of a pipeline were, and how many bytes of lists their answers have loaded.
    pub(super) fn loaded(&mut self, sent: &[Wire], answers: &[Answer], calls: usize) {
        let bytes = sent.iter().zip(answers).map(|pair| match pair {
            (_, Answer::List(Ok(list)) | Answer::Tracked { list: Ok(list), .. }) => {
                list.json().len()
            }
            (Wire::Command { op, .. }, Answer::Command(Ok(reply))) => work(*op) + reply.bytes(),
            _ => 0,
        });
        let bytes = bytes.sum();
        self.loaded = self.loaded.saturating_add(bytes);
        // Calls that share what others load have sent nothing, which tells nothing of the next ones.
        if !sent.is_empty() {
            self.batch_size.loaded(bytes, calls);
        }
    }
}

/// Passes what the server pushes to the cache. redis-rs calls it while it reads, before it returns replies that arrived
/// later. Neither blocks nor panics.
pub(super) fn on_push(state: &Mutex<State>, push: &PushInfo) {
    let mut state = lock(state);
    // Of any kind, as the socket counts them (`wire/replies.rs`).
    state.session.pushed();
    if push.kind == PushKind::Message {
        if let [_, Value::BulkString(message)] = push.data.as_slice() {
            let hear = state.hear.clone();
            drop(state);
            if let Some(hear) = hear {
                hear(message);
            }
        }
        return;
    }
    if push.kind != PushKind::Invalidate {
        return;
    }
    let session = &mut state.session;
    match push.data.as_slice() {
        [Value::Array(keys)] => {
            for key in keys {
                match key {
                    Value::BulkString(key) => session.invalidate(Invalidation::Key(key)),
                    // The key is unknown.
                    _ => session.invalidate(Invalidation::All),
                }
            }
        }
        _ => session.invalidate(Invalidation::All),
    }
}

/// Locks the state. A panic under the lock ends the connection's task, and the session with it.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
