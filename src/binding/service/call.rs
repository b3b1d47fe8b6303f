//! The state of a service and of its unanswered calls. The callbacks wait in JavaScript, under the numbers of the calls
//! (`lib/answers.js`).

use std::time::Instant;

use crate::{
    binding::{methods::Kind, values::js::Callback},
    command::Reply,
    error::Result,
};

/// The state of an instance. 0.0.7's `state` is 0, 0, 1, 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Inited,
    Starting,
    Started,
    Closed,
}

/// The steps of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    No,
    /// The store still answers calls; the stop began at this time.
    Store(Instant),
    /// The store is closed; pushes wait for their frontends until the drain time is over.
    Pushes(Instant),
    /// The same, with the timer of the drain time running.
    Draining,
    Done,
}

/// A call to the store.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub kind: Kind,
    /// When it was made; see [`crate::binding::class::stats`].
    pub at: u64,
    /// Whether its answer is that to the app's callback: of a call of several parts only the last one.
    pub is_last: bool,
}

/// The result of a call to the store.
pub enum Outcome {
    Store(Result<Reply>),
    /// A custom manager's answer, which is in JavaScript.
    Own,
}

/// What is in flight besides the calls to the store.
pub enum Late {
    Start,
    /// The `clean` of `cleanOnStartUp`.
    CleanFirst,
    /// The claim of this frontend's lease.
    Claim,
    /// Its release, before the store is closed.
    Release,
    /// A call of the session registry; for a page the pattern of its members, if there is one.
    Registry(Callback, Option<String>),
    Stop,
    /// The timer of the drain time.
    Drained,
    /// The next turn of the event loop.
    Rested,
    /// The same, with calls left that waited for the start.
    Kept,
}

/// Why a `clean` runs, for the log.
pub const CLEAN_FIRST: &str = "option cleanOnStartUp is set";
pub const CLEAN_CALLED: &str = "clean was called";

/// The first token of a [`Late`]; smaller ones are numbers of calls.
pub const LATE: u64 = 1 << 52;
