//! Results from the runtime's thread to the JavaScript thread: one queue, one wake for many.

use std::sync::Arc;

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};

use crate::{
    binding::values::js::Args,
    driver::{Event, Outlet},
    queue::BatchQueue,
};

type Wake = ThreadsafeFunction<(), (), Args, Status, false>;

/// The queue and its wake. As long as one is there, the process lives.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    queue: BatchQueue<Vec<Event>>,
    wake: Wake,
}

impl Outbox {
    /// An outbox that calls `wake` on the JavaScript thread when there is something to take.
    pub fn new(wake: &Function<Args, ()>) -> napi::Result<Self> {
        let wake = wake
            .build_threadsafe_function::<()>()
            .build_callback(|_| Ok(Args::new()))?;
        let queue = BatchQueue::default();
        Ok(Self(Arc::new(Inner { queue, wake })))
    }

    /// Takes all events, in exchange for an empty batch.
    pub fn take(&self, empty: &mut Vec<Event>) {
        self.0.queue.take(empty);
    }

    /// Wakes the JavaScript thread for nothing but a look.
    pub fn nudge(&self) {
        self.deliver(&mut Vec::new());
    }
}

impl Outlet for Outbox {
    fn deliver(&self, events: &mut Vec<Event>) {
        if self.0.queue.push(events) {
            // A closing environment takes no more calls, and has nobody to tell.
            let _ = self
                .0
                .wake
                .call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}
