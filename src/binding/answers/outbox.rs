//! Passes results from the runtime's thread to the JavaScript thread: a queue with one wake for many events.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};

use crate::{
    app::{App, AppHandle, Level, Question},
    binding::values::js::Args,
    driver::{Event, Outlet},
    queue::BatchQueue,
    shared_task::is_borrowing,
};

type Wake = ThreadsafeFunction<(), (), Args, Status, false>;

/// The queue and its wake. While one exists the process stays alive.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    queue: BatchQueue<Vec<Event>>,
    wake: Wake,
    /// Whether this thread has delivered events to itself, and has to take them.
    owed: AtomicBool,
}

impl Outbox {
    /// Makes an outbox that calls `wake` on the JavaScript thread when there are events.
    pub fn new(wake: &Function<Args, ()>) -> napi::Result<Self> {
        let wake = wake
            .build_threadsafe_function::<()>()
            .build_callback(|_| Ok(Args::new()))?;
        let queue = BatchQueue::default();
        let owed = AtomicBool::default();
        Ok(Self(Arc::new(Inner { queue, wake, owed })))
    }

    /// Takes all events in exchange for an empty vector.
    pub fn take(&self, empty: &mut Vec<Event>) {
        self.0.queue.take(empty);
    }

    /// Returns the app for the core, as long as this outbox or a clone of it exists.
    pub fn app(&self) -> AppHandle {
        let app: Arc<dyn App> = self.0.clone();
        AppHandle::new(Arc::downgrade(&app))
    }

    /// Returns whether events wait for which the JavaScript thread is not woken, because it has delivered them itself.
    pub fn take_owed(&self) -> bool {
        self.0.owed.swap(false, Ordering::Relaxed)
    }

    /// Wakes the JavaScript thread.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Wakes the JavaScript thread without an event.
    pub fn nudge(&self) {
        self.deliver(&mut Vec::new());
    }
}

impl Outlet for Outbox {
    fn deliver(&self, events: &mut Vec<Event>) {
        self.0.deliver(events);
    }
}

impl Inner {
    fn deliver(&self, events: &mut Vec<Event>) {
        if self.queue.push(events) {
            if is_borrowing() {
                self.owed.store(true, Ordering::Relaxed);
            } else {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        // Fails only in an environment that is closing, where no call is answered any more.
        let _ = self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

impl App for Inner {
    fn ask(&self, question: Question) {
        self.deliver(&mut vec![Event::Ask(Box::new(question))]);
    }

    fn log(&self, level: Level, line: String) {
        self.deliver(&mut vec![Event::Note(level, line)]);
    }
}
