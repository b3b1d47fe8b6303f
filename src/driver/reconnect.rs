//! Connecting and reconnecting: attempts with backoff ([`super::outage`]), until there is a connection or the limits
//! say to give up.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, OptionFuture},
};
use tokio::time::{Instant, timeout};

use super::{
    in_flight::InFlight,
    limits::{FIRST_PAUSE, Limits, connect_within},
    outage::Outage,
};
use crate::{
    error::Cause,
    heartbeat::{Heartbeat, Ping},
    manager::{ConnectError, Connected, Connection, Manager},
};

pub(super) type Dialed<L> = std::result::Result<Connected<L>, ConnectError>;

/// A connection that answered nothing and lasted less than this does not end the outage before it.
const STABLE: Duration = Duration::from_secs(5);

/// The state of the connection.
pub(super) enum ConnectionState<L> {
    /// An attempt is under way, or the pause before it.
    Dialing {
        attempt: BoxFuture<'static, Dialed<L>>,
        outage: Outage,
        idle: InFlight,
    },
    Up {
        connection: L,
        in_flight: InFlight,
        closed: BoxFuture<'static, ()>,
        heartbeat: Heartbeat,
        since: Instant,
        answered: bool,
        /// Until when a connection is kept although its server is not the primary.
        kept_until: Instant,
        /// The outage that ended with this connection.
        before: Outage,
    },
    /// No further attempt is made.
    GivenUp { cause: Cause, idle: InFlight },
}

/// The result of [`ConnectionState::futures`]; what cannot happen now is pending for ever.
pub(super) struct Futures<'a, L> {
    pub(super) dialing: OptionFuture<&'a mut BoxFuture<'static, Dialed<L>>>,
    pub(super) closed: OptionFuture<&'a mut BoxFuture<'static, ()>>,
    pub(super) ping: OptionFuture<&'a mut Ping>,
    pub(super) in_flight: &'a mut InFlight,
}

/// An attempt that succeeded.
pub(super) struct Found {
    pub(super) fenced: bool,
    pub(super) note: Option<String>,
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) cause: Arc<str>,
    /// Whether the store refused.
    pub(super) refused: bool,
    /// Whether it was the last attempt.
    pub(super) gave_up: bool,
}

impl<L: Connection> ConnectionState<L> {
    pub(super) fn new<M: Manager<Connection = L>>(
        manager: Arc<M>,
        limits: &Limits,
        now: Instant,
    ) -> Self {
        Self::dial(
            manager,
            limits,
            Outage::new(limits, now, None),
            Duration::ZERO,
        )
    }

    fn dial<M: Manager<Connection = L>>(
        manager: Arc<M>,
        limits: &Limits,
        outage: Outage,
        pause: Duration,
    ) -> Self {
        let limit = limits.connect_timeout;
        let attempt = async move {
            if !pause.is_zero() {
                let _ = timeout(pause, manager.retry_hint()).await;
            }
            let connecting = manager.clone().connect();
            connect_within(limit, connecting, || manager.timeout_hint()).await
        };
        Self::Dialing {
            attempt: attempt.boxed(),
            outage,
            idle: InFlight::default(),
        }
    }

    /// Returns the futures of what can happen: an attempt ends, the connection closes, a heartbeat or replies arrive.
    pub(super) fn futures(&mut self) -> Futures<'_, L> {
        let (dialing, closed, ping, in_flight) = match self {
            Self::Dialing { attempt, idle, .. } => (Some(attempt), None, None.into(), idle),
            Self::Up {
                in_flight,
                closed,
                heartbeat,
                ..
            } => (None, Some(closed), heartbeat.ping(), in_flight),
            Self::GivenUp { idle, .. } => (None, None, None.into(), idle),
        };
        Futures {
            dialing: dialing.into(),
            closed: closed.into(),
            ping,
            in_flight,
        }
    }

    /// Handles the outcome of an attempt: connected, another attempt, or given up.
    pub(super) fn dialed<M: Manager<Connection = L>>(
        &mut self,
        dialed: Dialed<L>,
        limits: &Limits,
        manager: &Arc<M>,
    ) -> std::result::Result<Found, Failed> {
        let Self::Dialing { outage, .. } = self else {
            return Ok(Found {
                fenced: true,
                note: None,
            });
        };
        let mut outage = std::mem::replace(outage, Outage::new(limits, Instant::now(), None));
        match dialed {
            Ok(Connected {
                connection,
                closed,
                fenced,
                note,
            }) => {
                let now = Instant::now();
                // Another server that is no primary is kept for a pause, and later ones for longer each.
                let pause = if outage.demoted {
                    outage.pauses.next()
                } else {
                    None
                };
                *self = Self::Up {
                    connection,
                    in_flight: InFlight::default(),
                    closed,
                    heartbeat: Heartbeat::new(now),
                    since: now,
                    answered: false,
                    kept_until: now + pause.unwrap_or_default(),
                    before: outage,
                };
                Ok(Found { fenced, note })
            }
            Err(error) => {
                let cause = error.words().clone();
                let refused = matches!(error, ConnectError::Refused(_));
                outage.cause = Some(cause.clone());
                outage.failed += 1;
                let pause = outage.next_pause(limits);
                let gave_up = pause.is_none();
                *self = match pause {
                    Some(pause) => Self::dial(manager.clone(), limits, outage, pause),
                    None => Self::GivenUp {
                        cause: outage.cause,
                        idle: InFlight::default(),
                    },
                };
                Err(Failed {
                    cause,
                    refused,
                    gave_up,
                })
            }
        }
    }

    /// Begins to reconnect after the connection broke.
    pub(super) fn lost<M: Manager<Connection = L>>(
        &mut self,
        cause: Arc<str>,
        limits: &Limits,
        manager: &Arc<M>,
    ) {
        let mut outage = Outage::new(limits, Instant::now(), Some(cause));
        let gone = Self::GivenUp {
            cause: None,
            idle: InFlight::default(),
        };
        if let Self::Up {
            since,
            answered: false,
            before,
            ..
        } = std::mem::replace(self, gone)
            && since.elapsed() < STABLE
        {
            // The handshake succeeds, and then the server closes the connection: the pauses keep growing.
            outage.pauses = before.pauses;
        }
        // With a pause: after a restart all clients of a server reconnect at the same time.
        let pause = outage.pauses.next().unwrap_or(FIRST_PAUSE);
        *self = Self::dial(manager.clone(), limits, outage, pause);
    }

    /// Returns whether a connection to a server that is not the primary is to be left now.
    pub(super) fn leaves(&self, now: Instant) -> bool {
        matches!(self, Self::Up { kept_until, .. } if *kept_until <= now)
    }

    /// Begins to reconnect after the server was demoted.
    pub(super) fn leave<M: Manager<Connection = L>>(
        &mut self,
        words: Arc<str>,
        limits: &Limits,
        manager: &Arc<M>,
    ) {
        let now = Instant::now();
        let mut outage = Outage::new(limits, now, Some(words));
        let pause = outage.pauses.next().unwrap_or(FIRST_PAUSE);
        if let Self::Up {
            kept_until, before, ..
        } = self
            && before.demoted
            && now.duration_since(*kept_until) < STABLE
        {
            // The server before it was demoted too.
            std::mem::swap(&mut outage.pauses, &mut before.pauses);
        } else {
            outage.pauses = Outage::new(limits, now, None).pauses;
        }
        outage.demoted = true;
        *self = Self::dial(manager.clone(), limits, outage, pause);
    }

    /// Takes the connection, if there is one; nothing is in flight on it any more.
    pub(super) fn take_connection(&mut self) -> Option<L> {
        let gone = Self::GivenUp {
            cause: None,
            idle: InFlight::default(),
        };
        match std::mem::replace(self, gone) {
            Self::Up { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// Notes that the connection has answered a batch.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Self::Up {
            answered,
            heartbeat,
            ..
        } = self
        {
            *answered = true;
            heartbeat.saw_activity(now);
        }
    }

    /// Notes that the connection has answered a ping.
    pub(super) fn saw_activity(&mut self, now: Instant) {
        if let Self::Up { heartbeat, .. } = self {
            heartbeat.saw_activity(now);
        }
    }

    /// Returns when [`Self::is_dead`] is to be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Up { heartbeat, .. } => heartbeat.deadline(),
            _ => None,
        }
    }

    /// Pings a silent connection; returns whether it has not answered the last ping in time.
    pub(super) fn is_dead(&mut self, now: Instant) -> bool {
        match self {
            Self::Up {
                connection,
                heartbeat,
                ..
            } => heartbeat.is_dead(|| connection.ping(), now),
            _ => false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    pub(super) fn gave_up(&self) -> bool {
        matches!(self, Self::GivenUp { .. })
    }

    /// Returns the last error of the connection.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Dialing { outage, .. } | Self::Up { before: outage, .. } => outage.cause.clone(),
            Self::GivenUp { cause, .. } => cause.clone(),
        }
    }
}
