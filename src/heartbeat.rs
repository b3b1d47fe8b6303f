//! Whether a connection that is silent still lives. A connection whose other end has vanished, or whose packets are
//! dropped, looks like one on which nothing happens to be said: so a silent connection is asked for a sign of life, also
//! while calls wait for it, whatever their time limit. What is asked is the connection's business.

use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use tokio::time::{Instant, sleep_until};

use crate::manager::Lost;

/// A connection of which nothing was heard for so long is asked.
pub(crate) const SILENT: Duration = Duration::from_secs(3);

/// A connection that was asked has so long. More than a server is busy with one command on a bad day, and both together
/// less than ten seconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// A timer that is later than this says that this process, or its machine, stood still: what has come
/// meanwhile has yet to be read.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// An answer to the question.
pub(crate) type Sign = BoxFuture<'static, std::result::Result<(), Lost>>;

/// See the module.
pub(crate) struct Heartbeat {
    state: State,
}

enum State {
    /// Nothing was asked; something was heard at this time.
    ReadActivity(Instant),
    /// It was asked, and has until then.
    Asked(Instant, Sign),
    /// It is of a kind that gives none and needs none.
    Needless,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant) -> Self {
        let state = State::ReadActivity(now);
        Self { state }
    }

    /// The connection has said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        if !matches!(self.state, State::Needless) {
            self.state = State::ReadActivity(now);
        }
    }

    /// When [`Self::is_dead`] may say something new.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::ReadActivity(heard) => Some(*heard + SILENT),
            State::Asked(until, _) => Some(*until),
            State::Needless => None,
        }
    }

    /// The sign of life that was asked for.
    pub(crate) fn sign(&mut self) -> OptionFuture<&mut Sign> {
        match &mut self.state {
            State::Asked(_, sign) => Some(sign),
            State::ReadActivity(_) | State::Needless => None,
        }
        .into()
    }

    /// Asks, if that is due; says whether the connection was asked before and gave no sign in its time.
    pub(crate) fn is_dead(&mut self, ask: impl FnOnce() -> Option<Sign>, now: Instant) -> bool {
        match &mut self.state {
            State::ReadActivity(heard) if *heard + SILENT <= now => {
                self.state = ask().map_or(State::Needless, |sign| State::Asked(now + LIMIT, sign));
            }
            State::Asked(until, _) if *until + STOOD_STILL <= now => *until = now + LIMIT,
            State::Asked(until, _) => return *until <= now,
            State::ReadActivity(_) | State::Needless => {}
        }
        false
    }
}

/// The same for one of several connections of a connection, which `ask` asks for a sign of life: completes when none comes
/// in its time, or there is nothing to ask any more.
pub(crate) async fn dies(ask: impl Fn() -> Option<Sign>) {
    let mut pulse = Heartbeat::new(Instant::now());
    while let Some(deadline) = pulse.deadline() {
        tokio::select! {
            biased;
            Some(sign) = pulse.sign() => match sign {
                Ok(()) => pulse.heard(Instant::now()),
                Err(Lost(_)) => return,
            },
            () = sleep_until(deadline) => {
                if pulse.is_dead(&ask, Instant::now()) {
                    return;
                }
            }
        }
    }
}
