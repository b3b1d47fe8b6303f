//! The ways in and out of a driver, for whoever is on another thread.

use tokio::sync::Notify;

use crate::{
    command::{Command, Reply},
    error::{Error, Result},
    queue::BatchQueue,
};

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A call; its number comes back with the answer.
    Call(u64, Command),
    /// Answer what can be answered within the drain time, then end.
    Stop,
}

/// What goes out.
#[derive(Debug)]
pub enum Event {
    /// The first link is there.
    Started,
    /// There will be no link; the driver has ended.
    StartFailed(Error),
    /// The answer to a call.
    Answer(u64, Result<Reply>),
    /// All calls are answered; the driver ends, and closes the link.
    Stopped,
    /// Something an operator should know.
    Log(String),
    /// The driver panicked; nothing more will come.
    Died(String),
}

/// The way in: calls from another thread.
#[derive(Debug, Default)]
pub struct Inbox {
    pub(super) queue: BatchQueue<Input>,
    pub(super) wake: Notify,
}

impl Inbox {
    /// Hands something to the driver.
    pub fn push(&self, input: Input) {
        if self.queue.push([input]) {
            self.wake.notify_one();
        }
    }
}

/// The way out: events to another thread, many at a time.
pub trait Outlet: Send + 'static {
    /// Takes events, in order. Called on the driver's thread; must not block.
    fn deliver(&self, events: Vec<Event>);
}
