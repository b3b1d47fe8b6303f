//! The subscription of a process: opened while something is watched, and opened again whenever it is lost.

use std::{io, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{task::AbortHandle, time::sleep};

use super::{Gap, feed::Feed};
use crate::{
    app::{AppHandle, Level},
    driver::{Event, Limits, Outlet, connect_within, panic_text},
    manager::ConnectError,
    runtime::Runtime,
};

/// Called for each message, on the runtime's thread, in their order.
pub type Hear = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// A store whose changes can be subscribed to.
pub trait Subscriber: Send + Sync + 'static {
    /// Subscribes. From its completion on every change is heard, until the subscription has ended.
    fn subscribe(
        self: Arc<Self>,
        hear: Hear,
    ) -> BoxFuture<'static, Result<Subscription, ConnectError>>;
}

/// A subscription; dropping it ends it.
pub struct Subscription {
    /// Completes when it is lost, and says why changes may have been missed.
    pub ended: BoxFuture<'static, Gap>,
}

/// Owns the task of a subscription; dropping it ends the task.
#[derive(Debug)]
pub struct ListenerHandle {
    task: AbortHandle,
    _runtime: Arc<Runtime>,
}

impl ListenerHandle {
    /// Starts to listen. What is heard goes to `feed`, and `outlet` is told when something is in it.
    pub fn start(
        source: Arc<dyn Subscriber>,
        feed: Arc<Feed>,
        limits: &Limits,
        app: AppHandle,
        outlet: impl Outlet + Clone + Sync,
    ) -> io::Result<Self> {
        let runtime = Runtime::share()?;
        let limits = limits.clone();
        let task = runtime.spawn(async move {
            let wake = {
                let outlet = outlet.clone();
                move || outlet.deliver(&mut vec![Event::Changed])
            };
            let listening = listen(source, feed, limits, app, wake);
            if let Err(panic) = AssertUnwindSafe(listening).catch_unwind().await {
                outlet.deliver(&mut vec![Event::Died(panic_text(panic.as_ref()))]);
            }
        });
        Ok(Self {
            task,
            _runtime: runtime,
        })
    }
}

impl Drop for ListenerHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens for ever.
async fn listen(
    source: Arc<dyn Subscriber>,
    feed: Arc<Feed>,
    limits: Limits,
    app: AppHandle,
    wake: impl Fn() + Clone + Send + Sync + 'static,
) {
    let hear: Hear = {
        let (feed, wake) = (feed.clone(), wake.clone());
        Arc::new(move |message: &[u8]| {
            if feed.receive(message) {
                wake();
            }
        })
    };
    let mut gap = Gap::Start;
    let mut pauses = limits.pauses();
    let mut is_failing = false;
    loop {
        feed.until_watched().await;
        let subscribing = source.clone().subscribe(hear.clone());
        let subscribed = connect_within(limits.connect_timeout, subscribing, || None).await;
        match subscribed {
            Ok(Subscription { ended }) => {
                if is_failing {
                    app.log(Level::Info, "events are received again".to_owned());
                }
                (is_failing, pauses) = (false, limits.pauses());
                if feed.gap(gap) {
                    wake();
                }
                gap = tokio::select! {
                    gap = ended => gap,
                    () = feed.until_lapsed() => Gap::Start,
                };
            }
            Err(error) if is_failing => drop(error),
            Err(error) => {
                is_failing = true;
                let line = format!("events are not received, and tried again: {error}");
                app.log(Level::Warn, line);
            }
        }
        // Also after a subscription that has ended: a server that closes it each time is not to be hurried.
        if gap != Gap::Start || is_failing {
            sleep(pauses.next().unwrap_or(limits.retry_cap)).await;
        }
    }
}
