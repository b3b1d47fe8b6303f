//! The handle of a running driver, for its owner on another thread.

use std::{any::Any, io, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use tokio::task::AbortHandle;

use super::{Driver, Event, Inbox, Input, Outlet, limits::Limits};
use crate::{
    known_sids::KnownSids, manager::Manager, runtime::Runtime, shared_task::SharedTask,
    stats::Stats,
};

/// Owns a running driver; dropping it aborts the driver's task.
#[derive(Debug)]
pub struct DriverHandle {
    pub(super) inbox: Arc<Inbox>,
    task: AbortHandle,
    /// The same task.
    pub(super) shared: Arc<SharedTask>,
    pub(super) runtime: Arc<Runtime>,
}

impl DriverHandle {
    /// Starts a driver, which reports to `outlet`.
    pub fn start<M: Manager>(
        manager: Arc<M>,
        limits: Limits,
        outlet: impl Outlet + Clone,
        stats: Arc<Stats>,
        sids: KnownSids,
    ) -> io::Result<Self> {
        let runtime = Runtime::share()?;
        let inbox = Arc::new(Inbox::default());
        let driver = Driver::new(manager, limits, inbox.clone(), outlet.clone(), stats, sids);
        let run = async move {
            if let Err(panic) = AssertUnwindSafe(driver.run()).catch_unwind().await {
                outlet.deliver(&mut vec![Event::Died(panic_text(panic.as_ref()))]);
            }
        };
        let shared = SharedTask::new(run.boxed());
        let lone = inbox.clone();
        let task = runtime.spawn(shared.runner(move || lone.lone.reclaim()));
        Ok(Self {
            inbox,
            task,
            shared,
            runtime,
        })
    }

    /// Hands over all of `input`. The numbers of the calls come back with [`Event::Answer`]; after
    /// a stop the last event is [`Event::Stopped`].
    pub fn push(&self, input: &mut Input) {
        self.inbox.push(input);
    }
}

impl Drop for DriverHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns the message of a panic.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
