//! Following the changes that were published in a store ([`super::ring`], option `events`), for the processes that watch.
//!
//! A follower remembers the number of the last row that it has read. It reads on when this process has committed something,
//! and otherwise looks every [`POLL`] whether any process has. A row that was removed before it could be read is a gap, and
//! so is a store that was opened anew. It begins at the end of what was published by then.
//!
//! It holds no share in the store while it waits, so that the store is closed with its last connection; and takes none if
//! there is no connection any more, because the last share closes the store, which waits for the disk.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    sync::watch,
    task::{spawn_blocking, yield_now},
    time::sleep,
};

use super::{
    EmbeddedManager, EmbeddedOptions,
    events::Recorder,
    messages::Failure,
    registry,
    ring::{Found, Ring},
    store::{Store, Thread},
};
use crate::{
    events::{
        Gap, Publishing,
        listener::{Hear, Subscriber, Subscription},
    },
    manager::ConnectError,
};

/// The time between two looks for commits of other processes.
const POLL: Duration = Duration::from_millis(20);

/// About how many bytes are read in one transaction, on a thread that others wait for.
const STEP: usize = 64 << 10;

/// What is read, and from where on.
struct Follower {
    store: Weak<Store>,
    connections: Arc<AtomicUsize>,
    ring: Ring,
    /// What the rows of its publisher begin with.
    head: Vec<u8>,
    /// The number of the last row that was read.
    at: u64,
    /// The last commit whose row, if there is one, was read.
    commit: u64,
    hear: Hear,
}

impl Subscriber for EmbeddedManager {
    fn subscribe(
        self: Arc<Self>,
        hear: Hear,
    ) -> BoxFuture<'static, Result<Subscription, ConnectError>> {
        async move {
            let unreachable = |words: String| ConnectError::Unreachable(words.into());
            let publishing = self.publishing.clone();
            let publishing = publishing.ok_or_else(|| unreachable("no option events".into()))?;
            let options = self.options.clone();
            let found = spawn_blocking(move || registry::find(&options)).await;
            let store = found.ok().flatten();
            let store = store.ok_or_else(|| unreachable(not_open(&self.options)))?;
            let (commits, ended) = (store.commits().subscribe(), store.ended());
            // The table is made by a write.
            let local = store.write_lock().lock_local().await;
            let begun = spawn_blocking(move || {
                let guard = local
                    .lock()
                    .map_err(|error| Failure::Calls(error.to_string().into()))?;
                let ring = store.ring(Thread::Blocking, &guard)?;
                drop(guard);
                Follower::begin(&store, ring, &publishing, hear)
            });
            let begun = begun
                .await
                .map_err(|error| unreachable(error.to_string()))?;
            let follower = begun.map_err(|failure| unreachable(failure.error().to_string()))?;
            let ended = async move {
                tokio::select! {
                    gap = follower.follow(commits) => gap,
                    () = ended => Gap::Reconnect,
                }
            };
            Ok(Subscription {
                ended: ended.boxed(),
            })
        }
        .boxed()
    }
}

fn not_open(options: &EmbeddedOptions) -> String {
    format!("{} is not open", options.describe())
}

impl Follower {
    /// Begins at the end of what was published.
    fn begin(
        store: &Arc<Store>,
        ring: Ring,
        publishing: &Publishing,
        hear: Hear,
    ) -> Result<Self, Failure> {
        let (at, commit) = store.read(Thread::Blocking, |txn| {
            Ok((ring.last(txn)?, txn.id() as u64))
        })?;
        Ok(Self {
            store: Arc::downgrade(store),
            connections: store.connections(),
            ring,
            head: Recorder::head(publishing),
            at,
            commit,
            hear,
        })
    }

    /// Reads what is published, until something may have been missed.
    async fn follow(mut self, mut commits: watch::Receiver<()>) -> Gap {
        loop {
            let mut looked = self.look(Thread::Runtime);
            if matches!(looked, Err(Failure::Heavy)) {
                let blocking = spawn_blocking(move || {
                    let looked = self.look(Thread::Blocking);
                    (self, looked)
                });
                (self, looked) = match blocking.await {
                    Ok(both) => both,
                    Err(_) => return Gap::Reconnect,
                };
            }
            match looked {
                Ok(ControlFlow::Break(gap)) => return gap,
                Ok(ControlFlow::Continue(Found::Some)) => {
                    yield_now().await;
                    continue;
                }
                Ok(ControlFlow::Continue(_)) => {}
                Err(_) => return Gap::Reconnect,
            }
            tokio::select! {
                changed = commits.changed() => {
                    if changed.is_err() {
                        return Gap::Reconnect;
                    }
                }
                () = sleep(POLL) => {}
            }
        }
    }

    /// Reads some rows, if there may be new ones.
    fn look(&mut self, thread: Thread) -> Result<ControlFlow<Gap, Found>, Failure> {
        if self.connections.load(Ordering::Acquire) == 0 {
            return Ok(ControlFlow::Break(Gap::Reconnect));
        }
        let Some(store) = self.store.upgrade() else {
            return Ok(ControlFlow::Break(Gap::Reconnect));
        };
        let looked = self.look_in(&store, thread);
        // Closing it waits for the disk.
        if let Some(store) = Arc::into_inner(store) {
            spawn_blocking(move || drop(store));
        }
        looked
    }

    fn look_in(
        &mut self,
        store: &Store,
        thread: Thread,
    ) -> Result<ControlFlow<Gap, Found>, Failure> {
        if store.last_commit(thread)? == self.commit {
            return Ok(ControlFlow::Continue(Found::All));
        }
        let (ring, head, hear, at) = (self.ring, &self.head, &self.hear, &mut self.at);
        let (found, commit) = store.read(thread, |txn| {
            let found = ring.read(txn, at, STEP, |row| {
                // Others are of another prefix.
                if let Some(message) = row.strip_prefix(head.as_slice()) {
                    hear(message);
                }
            })?;
            Ok((found, txn.id() as u64))
        })?;
        if found == Found::Overrun {
            return Ok(ControlFlow::Break(Gap::Overrun));
        }
        if found == Found::All {
            self.commit = commit;
        }
        Ok(ControlFlow::Continue(found))
    }
}
