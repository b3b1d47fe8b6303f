//! Failover by Sentinel: finds the primary, and reports when it has changed. Everything that any sentinel says enters
//! one state ([`super::election`]), which decides which connections to a primary are made and kept.
//!
//! All sentinels are subscribed to, because only the one that leads a failover reports it before the new primary takes
//! writes. From then on writes that the old one acknowledges are lost: Sentinel demotes it seconds later, if it is
//! alive. The tasks are in [`super::tasks`].

use std::sync::{Arc, Mutex};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    election::Verdict,
    protocol::Sentinels,
    shared::{STEP, Shared, lock},
    tasks::keep,
};
use crate::{manager::ConnectError, redis_manager::server_address::Address};

/// Watches the sentinels of one primary, from the first [`FailoverWatch::find`] until it is dropped.
#[derive(Debug)]
pub(in crate::redis_manager) struct FailoverWatch {
    shared: Arc<Shared>,
    /// The task that runs the others.
    keeper: Mutex<JoinSet<()>>,
    /// Since when a connection has been wanted, over several attempts.
    since: Mutex<Option<Instant>>,
    /// The primary of the last connection.
    last: Mutex<Option<Address>>,
}

impl FailoverWatch {
    pub(in crate::redis_manager) fn new(sentinels: Sentinels) -> Self {
        Self {
            shared: Arc::new(Shared::new(sentinels)),
            keeper: Mutex::default(),
            since: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Finds the primary; while a failover is under way, the next one.
    pub(in crate::redis_manager) async fn find(&self) -> Result<Address, ConnectError> {
        self.start();
        let since = *lock(&self.since).get_or_insert_with(Instant::now);
        let shared = &self.shared;
        loop {
            let mut moved = shared.moved.subscribe();
            let round = Instant::now();
            shared.round.send_replace(round);
            shared.settle(round).await;
            if !lock(&shared.set).answered_since(round) {
                let failures = lock(&shared.set).failures();
                let failed = shared.sentinels.not_found(&failures);
                return Err(failed.map(|words| match shared.sentinels.app.unanswered() {
                    Some(option) => format!(
                        "{words} (the function that is option {option} has not answered yet)"
                    )
                    .into(),
                    None => words,
                }));
            }
            let now = Instant::now();
            let verdict = lock(&shared.election).verdict(since, now);
            match verdict {
                Verdict::Connect(address) => return Ok(address),
                // Sentinels have answered meanwhile, and are disconnected again.
                Verdict::Unknown => sleep(STEP).await,
                Verdict::Wait(until) => tokio::select! {
                    () = sleep_until(until.min(now + STEP)) => {}
                    _ = moved.changed() => {}
                },
            }
        }
    }

    /// Completes when the election has changed, so that connecting early may succeed.
    pub(in crate::redis_manager) fn next(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut moved = self.shared.moved.subscribe();
        let shared = self.shared.clone();
        async move {
            let _ = moved.changed().await;
            drop(shared);
        }
    }

    /// Completes when a connection to `address` must not be kept.
    pub(in crate::redis_manager) fn left(
        &self,
        address: &Address,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (shared, address) = (self.shared.clone(), address.clone());
        async move {
            let mut moved = shared.moved.subscribe();
            while !lock(&shared.election).forbids(&address, Instant::now()) {
                let _ = moved.changed().await;
            }
        }
    }

    /// Notes a connection to the primary. Returns lines for the log.
    pub(in crate::redis_manager) fn connected(&self, address: &Address) -> Vec<String> {
        *lock(&self.since) = None;
        let before = lock(&self.last).replace(address.clone());
        let moved = before.is_some_and(|before| before != *address);
        let moved = moved.then(|| format!("the primary is {address} now"));
        let notes = lock(&self.shared.set).notes();
        moved.into_iter().chain(notes).collect()
    }

    fn start(&self) {
        let mut keeper = lock(&self.keeper);
        if keeper.is_empty() {
            keeper.spawn(keep(self.shared.clone()));
        }
    }
}
