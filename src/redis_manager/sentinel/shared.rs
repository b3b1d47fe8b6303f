//! State that searches for a primary share with the tasks that talk to the sentinels.

use std::{
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    election::{ConnectionId, Election, FailoverEvent},
    protocol::Sentinels,
    set::SentinelSet,
};

/// How often all sentinels are asked while a failover is under way.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// The shared state.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) sentinels: Sentinels,
    pub(super) election: Mutex<Election>,
    pub(super) set: Mutex<SentinelSet>,
    /// Notified when the election has changed.
    pub(super) moved: watch::Sender<()>,
    /// Notified when a question was answered, or has failed.
    pub(super) settled: watch::Sender<()>,
    /// When all sentinels were last asked.
    pub(super) round: watch::Sender<Instant>,
    pub(super) connection_ids: AtomicU64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(sentinels: Sentinels) -> Self {
        Self {
            set: Mutex::new(SentinelSet::new(&sentinels.addresses)),
            sentinels,
            election: Mutex::default(),
            moved: watch::channel(()).0,
            settled: watch::channel(()).0,
            round: watch::channel(Instant::now()).0,
            connection_ids: AtomicU64::new(0),
        }
    }

    /// Waits for the answers of the sentinels that were asked at `round`.
    pub(super) async fn settle(&self, round: Instant) {
        let mut settled = self.settled.subscribe();
        loop {
            let until = lock(&self.set).waits(round);
            let Some(until) = until.filter(|until| Instant::now() < *until) else {
                return;
            };
            tokio::select! {
                () = sleep_until(until) => {}
                _ = settled.changed() => {}
            }
        }
    }

    pub(super) fn observe(&self, id: ConnectionId, news: FailoverEvent) {
        if lock(&self.election).publishes(id, news, Instant::now()) {
            self.moved.send_replace(());
        }
    }
}
