//! The one tokio runtime of the process: a `current_thread` runtime on a thread of its own,
//! shared by every instance and every worker thread. It starts with the first user and ends with
//! the last, so that a process that stopped its services has no thread left.
//!
//! `current_thread`, because everything here is I/O on few sockets: with one thread a batch goes
//! from the queue to the socket without another hop.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::{runtime, sync::oneshot};

static SHARED: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

/// A share in the runtime. Dropping the last one ends the runtime, so no task that runs on it may hold one.
#[derive(Debug)]
pub struct Runtime {
    handle: runtime::Handle,
    /// Dropped with the last share, which ends the thread; tasks still there are dropped with it.
    _running: oneshot::Sender<()>,
}

impl Runtime {
    /// Returns a share in the runtime, and starts it if there is none.
    pub fn share() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        let runtime = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("globalchannel".to_owned())
            .spawn(move || {
                // Fails when the sender is dropped, which is how the runtime ends.
                let _ = runtime.block_on(ended);
                // A DNS look-up under way (a blocking thread) must not delay the exit.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            _running: running,
        })
    }

    /// Enters the runtime's context, for making its sockets and timers on another thread.
    pub fn enter(&self) -> runtime::EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs a task on the runtime.
    pub fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        self.handle.spawn(task).abort_handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runtime_while_anybody_has_a_share_and_a_new_one_afterwards() {
        let first = Runtime::share().expect("a runtime starts");
        let second = Runtime::share().expect("a share is had");
        assert!(Arc::ptr_eq(&first, &second));
        let (sender, ended) = std::sync::mpsc::channel::<()>();
        first.spawn(async move {
            let _held_until_dropped = sender;
            std::future::pending::<()>().await;
        });
        drop((first, second));
        let end = ended.recv_timeout(std::time::Duration::from_secs(5));
        assert_eq!(end, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
        Runtime::share().expect("a new one starts");
    }
}
