//! A task of the runtime that another thread may poll instead, when what it has to do is short: then the runtime's thread need
//! not be woken for it.
//!
//! One thread at a time polls the future; a thread that finds it taken does not wait. Wakes that come while another thread
//! has borrowed it are kept, and reach the runtime's thread when the loan ends, unless a poll within it has served them.

#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{future::BoxFuture, task::AtomicWaker};

thread_local! {
    static BORROWS: Cell<bool> = const { Cell::new(false) };
}

/// The number of polls within one [`Loan::poll`]: a poll may wake the task itself.
const POLLS: usize = 4;

/// Returns whether this thread has borrowed a task.
#[must_use]
pub fn is_borrowing() -> bool {
    BORROWS.get()
}

/// Waits, within a task, until it is polled by its runner: for what takes longer than a loan may.
pub async fn unborrowed() {
    poll_fn(|cx| {
        if is_borrowing() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// `None` when the task has ended.
type Slot = Option<BoxFuture<'static, ()>>;

/// The task. [`SharedTask::runner`] is its part on the runtime.
pub struct SharedTask {
    future: Mutex<Slot>,
    wakes: Arc<Wakes>,
    /// Made of `wakes`.
    waker: Waker,
}

/// Where the wakes of the future go.
#[derive(Default)]
struct Wakes {
    borrowed: AtomicBool,
    /// Whether a wake has come since this was cleared.
    woken: AtomicBool,
    runner: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order, and at the end of a loan in the opposite one, so that one of both threads wakes the runner.
        self.woken.store(true, SeqCst);
        if !self.borrowed.load(SeqCst) {
            self.runner.wake();
        }
    }
}

impl SharedTask {
    /// Makes a task, which runs when its runner is spawned.
    #[must_use]
    pub fn new(future: BoxFuture<'static, ()>) -> Arc<Self> {
        let wakes = Arc::new(Wakes::default());
        Arc::new(Self {
            future: Mutex::new(Some(future)),
            waker: wakes.clone().into(),
            wakes,
        })
    }

    /// Returns the future that the runtime is to run. It completes with the task; dropping it ends the task. `before` is called
    /// before each poll on the runtime, while no other thread polls.
    pub fn runner<F>(self: &Arc<Self>, before: F) -> impl Future<Output = ()> + use<F>
    where
        F: FnMut() + Send + Unpin,
    {
        let task = self.clone();
        Runner { task, before }
    }

    /// Borrows the task for this thread; `None` if another thread polls it.
    pub fn borrow(&self) -> Option<Loan<'_>> {
        let slot = self.try_lock()?;
        self.wakes.borrowed.store(true, SeqCst);
        let outer = BORROWS.replace(true);
        let slot = Some(slot);
        Some(Loan {
            task: self,
            slot,
            outer,
        })
    }

    /// Returns what wakes the task.
    #[must_use]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Slot>> {
        match self.future.try_lock() {
            Ok(slot) => Some(slot),
            // A poll that panicked has ended the task.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn poll(&self, slot: &mut Slot) -> Poll<()> {
        let Some(future) = slot else {
            return Poll::Ready(());
        };
        let mut cx = Context::from_waker(&self.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        // A panic ends it as it ends a task of the runtime. The hook has reported it.
        *slot = None;
        Poll::Ready(())
    }
}

impl fmt::Debug for SharedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTask").finish_non_exhaustive()
    }
}

/// A task that this thread may poll.
pub struct Loan<'a> {
    task: &'a SharedTask,
    /// `None` at the end.
    slot: Option<MutexGuard<'a, Slot>>,
    /// Whether this thread has borrowed another task too.
    outer: bool,
}

impl Loan<'_> {
    /// Returns whether something has woken the task that no poll has served for sure.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        self.task.wakes.woken.load(SeqCst)
    }

    /// Polls the task, and again while it wakes itself.
    pub fn poll(&mut self) {
        let Some(slot) = &mut self.slot else { return };
        let woken = &self.task.wakes.woken;
        for _ in 0..POLLS {
            woken.store(false, SeqCst);
            if self.task.poll(slot).is_ready() {
                // The runner has to end.
                woken.store(true, SeqCst);
            } else if woken.load(SeqCst) {
                continue;
            }
            return;
        }
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        // Unlocked first: the runner may come at once.
        self.slot = None;
        let wakes = &self.task.wakes;
        wakes.borrowed.store(false, SeqCst);
        if wakes.woken.swap(false, SeqCst) {
            wakes.runner.wake();
        }
        BORROWS.set(self.outer);
    }
}

struct Runner<F> {
    task: Arc<SharedTask>,
    before: F,
}

impl<F: FnMut() + Send + Unpin> Future for Runner<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let task = &*this.task;
        task.wakes.runner.register(cx.waker());
        let slot = task.try_lock().or_else(|| {
            // For the end of the loan, which may have come meanwhile.
            task.wakes.woken.store(true, SeqCst);
            task.try_lock()
        });
        let Some(mut slot) = slot else {
            return Poll::Pending;
        };
        (this.before)();
        task.poll(&mut slot)
    }
}

impl<F> Drop for Runner<F> {
    fn drop(&mut self) {
        // Waits for a loan, which is short.
        let mut slot = self
            .task
            .future
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = None;
    }
}
