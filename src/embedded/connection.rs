//! A connection to an open store. It decides on which thread a batch is executed: on the runtime's, at once, if that is
//! short and does not wait, otherwise on a blocking thread. One batch is in flight at a time; calls made meanwhile go
//! into the next one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    Durability,
    executor::{Executor, Replies},
    store::Store,
    write_lock::{LocalGuard, WriteGuard},
};
use crate::{
    command::Command,
    error::Result as CallResult,
    events::Publishing,
    failpoints,
    keys::Key,
    list_lru::Bounds,
    manager::{Connection, Inventory as _, Lost},
    pages::PageSource,
    removal::Removal,
    stats::Stats,
    steps::Steps,
};

/// How long to busy-poll for the next call: about the time to wake a thread on an idle core.
const BUSY_POLL: Duration = Duration::from_micros(50);

/// How much longer than the drain time a stop waits for the disk. Both together are less than the 3 s after which
/// pomelo ends the process.
const SYNC: Duration = Duration::from_millis(1500);

/// A connection to an open store, which it shares with the other connections of this process.
#[derive(Debug)]
pub struct EmbeddedConnection {
    /// `None` when the connection has ended.
    executor: Option<Arc<Executor>>,
    /// Fails when the executor is dropped on all threads.
    ended: oneshot::Receiver<()>,
    working: Arc<AtomicUsize>,
    syncing: Arc<AtomicBool>,
    /// The number of connections to the store, as long as this one is counted.
    connections: Arc<AtomicUsize>,
}

impl EmbeddedConnection {
    pub(super) fn new(
        store: Arc<Store>,
        bounds: Option<Bounds>,
        stats: Arc<Stats>,
        told: (Option<Arc<Publishing>>, Option<Key>),
    ) -> Self {
        let syncing = store.syncing();
        let connections = store.connections();
        connections.fetch_add(1, Ordering::AcqRel);
        let (sender, ended) = oneshot::channel();
        let executor = Executor::new(store, bounds, stats, told, sender);
        Self {
            connections,
            working: executor.working(),
            executor: Some(Arc::new(executor)),
            ended,
            syncing,
        }
    }

    /// Returns its executor, until the connection ends.
    pub(super) fn executor(&self) -> Option<&Arc<Executor>> {
        self.executor.as_ref()
    }

    /// Returns its store, until the connection ends.
    fn store(&self) -> Option<&Arc<Store>> {
        self.executor.as_ref().map(|executor| &executor.store)
    }

    /// Returns whether a close waits for this process's own work or for the disk, and not for another process.
    fn is_busy(&self) -> bool {
        self.working.load(Ordering::Acquire) > 0 || self.syncing.load(Ordering::Acquire)
    }

    /// Returns the executor, if the store can still be used.
    fn checked(&self) -> Result<&Arc<Executor>, Lost> {
        let ended = || Lost("the connection has ended".into());
        let executor = self.executor.as_ref().ok_or_else(ended)?;
        executor.store.check().map(|()| executor)
    }

    /// Drops its share in the store, on a thread that may wait for the disk: it may be the last one.
    fn end(&mut self) {
        let Some(executor) = self.executor.take() else {
            return;
        };
        executor.give_up();
        self.connections.fetch_sub(1, Ordering::AcqRel);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(|| drop(executor));
        }
    }
}

impl Drop for EmbeddedConnection {
    fn drop(&mut self) {
        self.end();
    }
}

impl Connection for EmbeddedConnection {
    fn pages(&self) -> Arc<dyn PageSource> {
        Arc::new(self.walked())
    }

    fn batch_size(&self) -> usize {
        let executor = self.executor.as_ref();
        executor.map_or(usize::MAX, |executor| executor.batch_size())
    }

    fn depth(&self) -> usize {
        1
    }

    fn busy_poll(&self) -> Duration {
        BUSY_POLL
    }

    fn execute(&self, batch: &[&Command]) -> BoxFuture<'static, Replies> {
        let executor = match self.checked() {
            Ok(executor) => executor,
            Err(lost) => return std::future::ready(Err(lost)).boxed(),
        };
        if let Some(replies) = now(executor, batch) {
            return std::future::ready(replies).boxed();
        }
        let batch = batch.iter().map(|&command| command.clone()).collect();
        later(executor.clone(), batch).boxed()
    }

    fn cause_of_end(&self) -> Option<Arc<str>> {
        self.store()?.over()
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, CallResult<Vec<Key>>> {
        self.keys(stem)
    }

    fn clean(&self, removal: &Removal, steps: Steps) -> BoxFuture<'static, Replies> {
        let executor = match self.checked() {
            Ok(executor) => executor.clone(),
            Err(lost) => return std::future::ready(Err(lost)).boxed(),
        };
        let removal = removal.clone();
        async move {
            let local = executor.store.write_lock().lock_local().await;
            let done = blocking(move || executor.clean(&removal, lock(local)?, &steps));
            done.await
        }
        .boxed()
    }

    fn close(mut self) -> BoxFuture<'static, ()> {
        self.end();
        async move {
            let _ = (&mut self.ended).await;
        }
        .boxed()
    }

    fn close_by(mut self, give_up: Instant) -> BoxFuture<'static, Option<String>> {
        self.end();
        async move {
            if timeout_at(give_up, &mut self.ended).await.is_ok() || !self.is_busy() {
                return None;
            }
            let synced = timeout_at(give_up + SYNC, &mut self.ended).await;
            synced.is_err().then(|| {
                "stop did not wait any longer for the disk: the store is closed, but not all of it is on the disk \
                 yet. A power cut in the next moments may empty it, an orderly reboot does not"
                    .to_owned()
            })
        }
        .boxed()
    }
}

/// Executes a batch on this thread; returns nothing if that would wait or take long.
fn now(executor: &Executor, batch: &[&Command]) -> Option<Replies> {
    if !is_write(batch.iter().copied()) {
        return executor.try_now(batch, None);
    }
    if executor.store.durability() == Durability::Os {
        return None;
    }
    let guard = executor.store.write_lock().try_lock()?;
    executor.try_now(batch, Some(guard))
}

async fn later(executor: Arc<Executor>, batch: Vec<Command>) -> Replies {
    let local = if is_write(&batch) {
        Some(executor.store.write_lock().lock_local().await)
    } else {
        None
    };
    blocking(move || executor.run(&batch, local.map(lock).transpose()?)).await
}

/// Waits for the write lock, held by other processes; blocks the thread.
pub(super) fn lock(local: LocalGuard) -> Result<WriteGuard, Lost> {
    let guard = local.lock();
    guard.map_err(|error| Lost(error.to_string().into()))
}

async fn blocking(work: impl FnOnce() -> Replies + Send + 'static) -> Replies {
    let done = spawn_blocking(failpoints::carried(work)).await;
    done.unwrap_or_else(|error| Err(Lost(error.to_string().into())))
}

fn is_write<'a>(batch: impl IntoIterator<Item = &'a Command>) -> bool {
    batch.into_iter().any(|command| command.op().is_write())
}
