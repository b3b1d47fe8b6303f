//! The state of a service and of its unanswered calls. The callbacks wait in JavaScript, under the numbers of the calls
//! (`lib/answers.js`).

use std::time::Instant;

use crate::{binding::answers::tape::Shape, command::Reply, error::Result};

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

/// Which method was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Add,
    Leave,
    GetMembersBySid,
    GetMembersByChannelName,
    PushMessage,
    DestroyChannel,
    Clean,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Add,
        Self::Leave,
        Self::GetMembersBySid,
        Self::GetMembersByChannelName,
        Self::PushMessage,
        Self::DestroyChannel,
        Self::Clean,
    ];

    /// The method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Leave => "leave",
            Self::GetMembersBySid => "getMembersBySid",
            Self::GetMembersByChannelName => "getMembersByChannelName",
            Self::PushMessage => "pushMessage",
            Self::DestroyChannel => "destroyChannel",
            Self::Clean => "clean",
        }
    }

    /// How its callback is told of an error.
    pub fn shape(self) -> Shape {
        match self {
            Self::GetMembersBySid => Shape::Undefined,
            Self::GetMembersByChannelName => Shape::Null,
            _ => Shape::Plain,
        }
    }
}

/// A call to the store.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub kind: Kind,
    /// When it was made; see [`crate::binding::class::stats`].
    pub at: u64,
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
    Stop,
    /// The timer of the drain time.
    Drained,
    /// The next turn of the event loop.
    Rested,
}

/// The first token of a [`Late`]; smaller ones are numbers of calls.
pub const LATE: u64 = 1 << 52;
