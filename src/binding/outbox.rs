//! Results from the runtime's thread to the JavaScript thread: one queue, one wake for many.
//! Member lists become JSON here, off the JavaScript thread, where JSON.parse makes strings of
//! them faster than Node-API does, one by one.

use std::sync::Arc;

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};

use super::js::Args;
use crate::{
    command::Reply,
    driver::{Event, Outlet},
    error::{Error, Result},
    queue::BatchQueue,
};

/// What the JavaScript thread is told.
pub enum Message {
    /// An event without a member list in it.
    Event(Event),
    /// The answer to a call.
    Answer(u64, Result<Payload>),
    /// Nothing but: look again.
    Nudge,
}

/// A reply, ready for JavaScript.
pub enum Payload {
    /// A write was done.
    Done,
    /// Member lists.
    Members {
        /// One array of strings for each key; `null` where there is an error.
        json: String,
        /// One for each key.
        errors: Vec<Option<Error>>,
    },
}

type Wake = ThreadsafeFunction<(), (), Args, Status, false>;

/// The queue and its wake. As long as one is there, the process lives.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    queue: BatchQueue<Message>,
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

    /// Puts messages in, from any thread.
    pub fn push(&self, messages: impl IntoIterator<Item = Message>) {
        if self.0.queue.push(messages) {
            // A closing environment takes no more calls, and has nobody to tell.
            let _ = self
                .0
                .wake
                .call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Takes all messages.
    pub fn take(&self) -> Vec<Message> {
        self.0.queue.take()
    }
}

impl Outlet for Outbox {
    fn deliver(&self, events: Vec<Event>) {
        let message = |event| match event {
            Event::Answer(seq, reply) => Message::Answer(seq, reply.and_then(payload)),
            event => Message::Event(event),
        };
        // Made before the queue is locked: the JavaScript thread must not wait for our JSON.
        let messages: Vec<_> = events.into_iter().map(message).collect();
        self.push(messages);
    }
}

fn payload(reply: Reply) -> Result<Payload> {
    match reply {
        Reply::Done => Ok(Payload::Done),
        Reply::Members(lists) => {
            let texts: Vec<_> = lists
                .iter()
                .map(|list| list.as_ref().map_or("null", |list| list.json()))
                .collect();
            let json = format!("[{}]", texts.join(","));
            let errors = lists.into_iter().map(Result::err).collect();
            Ok(Payload::Members { json, errors })
        }
    }
}
