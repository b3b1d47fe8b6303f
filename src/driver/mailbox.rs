//! The mailbox of a driver: calls from another thread, and events to it.

use tokio::{sync::Notify, time::Instant};

use super::lone::Lone;
use crate::{
    app::{Level, Question},
    command::Reply,
    error::{Error, Result},
    packed::Packed,
    queue::{Batch, BatchQueue},
};

/// What is sent to the driver.
#[derive(Debug, Default)]
pub struct Input {
    /// Calls; the number of each comes back with its answer.
    pub calls: Packed,
    /// Whether a barrier among them is a part of `start`; there are then no other calls.
    pub starting: bool,
    /// To stop after these calls: answer what can be answered within the drain time, which began at this time, then end.
    pub stop: Option<Instant>,
}

impl Batch for Input {
    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.stop.is_none()
    }

    fn append(&mut self, later: &mut Self) {
        Batch::append(&mut self.calls, &mut later.calls);
        self.starting |= std::mem::take(&mut later.starting);
        self.stop = self.stop.or(later.stop.take());
    }
}

/// What the driver reports.
#[derive(Debug)]
pub enum Event {
    /// The first connection is open.
    Started,
    /// No connection could be opened; the driver has ended.
    StartFailed(Error),
    /// The answer to a call.
    Answer(u64, Result<Reply>),
    /// All calls are answered; the driver ends, and closes the connection.
    Stopped,
    /// A line for the log, about a fault.
    Log(String),
    /// A line for the log that is about no fault of the connection.
    Note(Level, String),
    /// Changes of channels wait in the feed ([`crate::events`]).
    Changed,
    /// A function of the app is to be called.
    Ask(Box<Question>),
    /// The driver panicked; no further event follows.
    Died(String),
}

/// The inbox: calls from another thread.
#[derive(Debug, Default)]
pub struct Inbox {
    pub(super) queue: BatchQueue<Input>,
    pub(super) wake: Notify,
    pub(super) lone: Lone,
}

impl Inbox {
    /// Hands all of `input` to the driver.
    pub fn push(&self, input: &mut Input) {
        if self.queue.push(input) {
            self.wake.notify_one();
        }
    }
}

/// The outbox: events to another thread, many at a time.
pub trait Outlet: Send + 'static {
    /// Takes all events, in order. Called on the thread that polls the driver; must not block.
    fn deliver(&self, events: &mut Vec<Event>);
}
