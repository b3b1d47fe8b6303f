//! Heartbeat: detects that a silent connection is dead. A connection whose other end has vanished, or whose packets are
//! dropped, looks like an idle one. So after [`SILENT`] without any data it is pinged, also while calls are in flight,
//! and is dead if it does not answer within [`LIMIT`]. The connection decides what a ping is
//! ([`crate::manager::Connection::ping`]). Used by the driver for its connection, and by a cluster's connection for
//! each of its nodes.

use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use tokio::time::{Instant, sleep_until};

use crate::manager::Lost;

/// How long a connection may be silent before it is pinged.
pub(crate) const SILENT: Duration = Duration::from_secs(3);

/// How long it has to answer: longer than one command keeps a server busy, and with [`SILENT`] less than ten seconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// A timer that fires this much too late shows that the process, or its machine, was stopped: what has arrived
/// meanwhile is not read yet, so the time to answer begins again.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// Completes with the answer to a ping, or with an error if the connection broke.
pub(crate) type Ping = BoxFuture<'static, std::result::Result<(), Lost>>;

/// The state of one connection's heartbeat.
pub(crate) struct Heartbeat {
    state: State,
}

enum State {
    /// No ping is under way; data arrived at this time.
    Idle(Instant),
    /// A ping is under way, to be answered by this time.
    Asked(Instant, Ping),
    /// The connection needs no pings.
    Needless,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant) -> Self {
        let state = State::Idle(now);
        Self { state }
    }

    /// Notes that data has arrived.
    pub(crate) fn saw_activity(&mut self, now: Instant) {
        if !matches!(self.state, State::Needless) {
            self.state = State::Idle(now);
        }
    }

    /// Returns when [`Self::is_dead`] is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle(heard) => Some(*heard + SILENT),
            State::Asked(until, _) => Some(*until),
            State::Needless => None,
        }
    }

    /// Returns the ping that is under way.
    pub(crate) fn ping(&mut self) -> OptionFuture<&mut Ping> {
        match &mut self.state {
            State::Asked(_, ping) => Some(ping),
            State::Idle(_) | State::Needless => None,
        }
        .into()
    }

    /// Pings if that is due. Returns whether the connection has not answered the last ping in time.
    pub(crate) fn is_dead(&mut self, ask: impl FnOnce() -> Option<Ping>, now: Instant) -> bool {
        match &mut self.state {
            State::Idle(heard) if *heard + SILENT <= now => {
                self.state = ask().map_or(State::Needless, |ping| State::Asked(now + LIMIT, ping));
            }
            State::Asked(until, _) if *until + STOOD_STILL <= now => *until = now + LIMIT,
            State::Asked(until, _) => return *until <= now,
            State::Idle(_) | State::Needless => {}
        }
        false
    }
}

/// Completes when a connection is dead, or `ask` fails or finds no connection to ping any more.
pub(crate) async fn until_dead(ask: impl Fn() -> Option<Ping>) {
    let mut heartbeat = Heartbeat::new(Instant::now());
    while let Some(deadline) = heartbeat.deadline() {
        tokio::select! {
            biased;
            Some(ping) = heartbeat.ping() => match ping {
                Ok(()) => heartbeat.saw_activity(Instant::now()),
                Err(Lost(_)) => return,
            },
            () = sleep_until(deadline) => {
                if heartbeat.is_dead(&ask, Instant::now()) {
                    return;
                }
            }
        }
    }
}
