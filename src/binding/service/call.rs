//! What a service keeps of a call that is not answered, and the states that it can be in. The
//! callback itself waits in JavaScript, under the number of the call (`lib/answers.js`).

use std::time::Instant;

use crate::{binding::methods::Kind, command::Reply, error::Result};

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
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub kind: Kind,
    /// When it was made; see [`crate::binding::class::stats`].
    pub at: u64,
}

/// How a call to the store ended.
pub enum Outcome {
    Store(Result<Reply>),
    /// The answer is a custom manager's, and in JavaScript.
    Own,
}

/// What is under way besides the calls to the store.
pub enum Late {
    Start,
    /// Of `cleanOnStartUp`.
    CleanFirst,
    Stop,
    /// The end of the drain time.
    Drained,
    /// The next turn of the event loop.
    Rested,
}

/// Tokens from here on are of [`Late`]; those below are of calls.
pub const LATE: u64 = 1 << 52;
