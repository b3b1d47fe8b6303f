//! What a service keeps of a call that is not answered, and the states that it can be in.

use std::time::Instant;

use super::{
    js::{Callback, Held},
    outbox::Payload,
};
use crate::error::Result;

/// Where an instance is in its life. 0.0.7's `state` is 0, 0, 1, 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Inited,
    Starting,
    Started,
    Closed,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    No,
    /// The store still answers.
    Store(Instant),
    /// The store is closed; pushes wait for their frontends, until the drain time is over.
    Pushes(Instant),
    /// The same, with the clock running.
    Draining,
    Done,
}

/// A call to the store.
pub struct Call {
    pub kind: Kind,
    pub callback: Callback,
}

/// What its callback gets.
pub enum Kind {
    /// `(err)`
    Write,
    /// `(err, members)`
    List,
    /// `(err, members)`, of several frontends
    Joined,
    /// `(err, failedUids)`, after the RPCs
    Push {
        sids: Vec<String>,
        /// `[route, msg, opts]`
        held: Held,
    },
}

/// How a call to the store ended.
pub enum Outcome {
    Store(Result<Payload>),
    /// A custom manager's: the arguments of the callback; for a push `[lists, errors]`.
    Js(Held),
}

/// What is under way and does not hold up others.
pub enum Late {
    Start,
    /// Of `cleanOnStartUp`.
    CleanFirst,
    Stop,
    /// A push whose RPCs are made.
    Push(Callback),
    /// The end of the drain time.
    Drained,
    /// The next turn of the event loop.
    Rested,
}

/// Tokens from here on are of [`Late`]; those below are of calls.
pub const LATE: u64 = 1 << 52;
