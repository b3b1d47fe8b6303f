//! The driver: one task for each service. It takes calls from the inbox, gives them to a manager's connection in
//! batches, several of them in flight, and answers each call once: with its reply, or with the reason why there is
//! none. Calls keep their order: on the wire, and when they are sent again over a new connection.
//!
//! This file has the loop and what wakes it. The events are handled in [`handlers`]; the unanswered calls are in
//! [`pending`], the futures of their answers in [`in_flight`], what runs without a place among them in [`beside`],
//! connecting and reconnecting in [`reconnect`], [`outage`] and [`idle_losses`], the queues in [`mailbox`], and the
//! driver as another thread sees it in [`handle`] and, for calls that it makes without the runtime's thread, in
//! [`lone`].

mod beside;
mod busy_poll;
mod handle;
mod handlers;
mod idle_losses;
mod in_flight;
mod limits;
mod lone;
mod mailbox;
mod outage;
mod pending;
mod reconnect;
#[cfg(test)]
mod tests;

use std::{pin::Pin, sync::Arc};

use futures_util::{StreamExt, future::OptionFuture, stream::BoxStream};
use tokio::{
    task::yield_now,
    time::{Instant, Sleep, sleep_until},
};

pub use self::{
    handle::{DriverHandle, panic_text},
    limits::Limits,
    mailbox::{Event, Inbox, Input, Outlet},
};

// The subscription to events connects as the driver does.
pub(crate) use self::limits::connect_within;

use self::{
    beside::Beside,
    busy_poll::BusyPoll,
    idle_losses::IdleLosses,
    in_flight::Answered,
    pending::{BATCH, Next, PendingCalls},
    reconnect::{ConnectionState, Dialed, Futures},
};
use crate::{
    error::Result,
    keys::Key,
    known_sids::KnownSids,
    manager::{Connection as _, Lost, Manager},
    pages::{FirstStep, Given},
    stats::Stats,
};

/// The state of the task. [`Driver::run`] is the task itself.
pub struct Driver<M: Manager, O: Outlet> {
    manager: Arc<M>,
    limits: Limits,
    inbox: Arc<Inbox>,
    /// What was taken from the inbox; empty between two turns of the loop.
    input: Input,
    outlet: O,
    events: Vec<Event>,
    pending: PendingCalls,
    connection: ConnectionState<M::Connection>,
    idle_losses: IdleLosses,
    phase: Phase,
    stats: Arc<Stats>,
    busy_poll: BusyPoll,
    /// What the pages of channels so far have given.
    given: Arc<Given>,
    /// A scan of the keys for frontends that nothing else tells of.
    scan: Option<Scan>,
    beside: Beside,
}

type Scan = BoxStream<'static, Result<Vec<Key>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no connection yet; gives up at this time.
    Starting(Option<Instant>),
    Started,
    /// Stops waiting for answers at this time.
    Stopping(Instant),
    /// All calls are answered; stops waiting for the connection to close at this time.
    Stopped(Instant),
    Ended,
}

enum Wake<L> {
    Inbox,
    Answered(std::result::Result<Answered, Lost>),
    Dialed(Dialed<L>),
    /// The connection is gone.
    Closed,
    /// A ping was answered.
    Pong,
    Timer,
    /// Keys were found; `None` at the end of the scan.
    Found(Option<Result<Vec<Key>>>),
    /// A step beside the calls is done.
    Beside(Event),
    /// Nothing has happened: poll once more.
    Poll,
}

impl<M: Manager, O: Outlet> Driver<M, O> {
    /// Makes a driver, which connects as soon as it runs.
    pub fn new(
        manager: Arc<M>,
        limits: Limits,
        inbox: Arc<Inbox>,
        outlet: O,
        stats: Arc<Stats>,
        sids: KnownSids,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection: ConnectionState::new(manager.clone(), &limits, now),
            phase: Phase::Starting(limits.start_timeout.map(|limit| now + limit)),
            pending: PendingCalls::new(&limits, sids),
            events: Vec::new(),
            idle_losses: IdleLosses::default(),
            manager,
            limits,
            inbox,
            input: Input::default(),
            outlet,
            stats,
            busy_poll: BusyPoll::default(),
            given: Arc::default(),
            scan: None,
            beside: Beside::default(),
        }
    }

    /// Runs until a stop is done or the start has failed.
    pub async fn run(mut self) {
        let mut timer = Box::pin(sleep_until(Instant::now()));
        while !self.is_over() {
            match self.next(&mut timer).await {
                Wake::Poll => continue,
                Wake::Inbox => self.on_inbox(),
                Wake::Answered(Ok(answered)) => {
                    self.leave_if_long(&answered).await;
                    self.on_answered(answered);
                }
                Wake::Answered(Err(Lost(cause))) => self.on_closed(cause),
                Wake::Closed => {
                    let cause = match &self.connection {
                        ConnectionState::Up { connection, .. } => connection.cause_of_end(),
                        _ => None,
                    };
                    match cause {
                        Some(cause) => self.on_lost(cause, true),
                        None => self.on_closed("closed by the store".into()),
                    }
                }
                Wake::Dialed(dialed) => self.on_dialed(dialed),
                Wake::Pong => self.connection.saw_activity(Instant::now()),
                Wake::Timer => self.on_timer(),
                Wake::Found(found) => self.on_found(found),
                Wake::Beside(answer) => self.events.push(answer),
            }
            self.send();
            self.end_if_drained();
            self.count();
            if !self.events.is_empty() {
                self.outlet.deliver(&mut self.events);
            }
        }
        if let Phase::Stopped(give_up) = self.phase {
            if let Some(connection) = self.connection.take_connection() {
                let undone = connection.close_by(give_up).await;
                self.events.extend(undone.map(Event::Log));
            }
            self.events.push(Event::Stopped);
            self.outlet.deliver(&mut self.events);
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped(_) | Phase::Ended)
    }

    fn count(&self) {
        let in_flight = match &self.connection {
            ConnectionState::Up { in_flight, .. } if !self.is_over() => Some(in_flight.len()),
            _ => None,
        };
        let is_idle = in_flight == Some(0) && self.scan.is_none() && self.beside.is_idle();
        let lone = &self.inbox.lone;
        lone.set_idle(is_idle && self.phase == Phase::Started);
        lone.set_waits(self.pending.waits());
        self.stats.in_flight.set(in_flight.unwrap_or(0));
        self.stats.connected.set(usize::from(in_flight.is_some()));
    }

    async fn next(&mut self, timer: &mut Pin<Box<Sleep>>) -> Wake<M::Connection> {
        let deadline = match self.phase {
            Phase::Starting(deadline) => deadline,
            Phase::Stopping(deadline) => Some(deadline),
            Phase::Started | Phase::Stopped(_) | Phase::Ended => None,
        };
        let deadlines = [
            deadline,
            self.pending.deadline(),
            self.connection.deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let deadline = deadline.map(|deadline| match self.inbox.lone.held_until() {
            Some(held) => deadline.max(held),
            None => deadline,
        });
        if let Some(deadline) = deadline
            && (timer.is_elapsed() || deadline < timer.deadline())
        {
            // Reset only if it would fire too late: deadlines mostly rise, and resetting it costs more than a rare
            // needless wake.
            timer.as_mut().reset(deadline);
        }
        let polls = self.busy_poll.looks(Instant::now);
        let Futures {
            dialing,
            closed,
            ping,
            in_flight,
        } = self.connection.futures();
        let found: OptionFuture<_> = self.scan.as_mut().map(StreamExt::next).into();
        tokio::select! {
            // Replies first: those that came before the connection closed still count.
            biased;
            Some(answered) = in_flight.next(), if !in_flight.is_empty() => Wake::Answered(answered),
            Some(dialed) = dialing => Wake::Dialed(dialed),
            Some(()) = closed => Wake::Closed,
            Some(pong) = ping => pong.map_or_else(|lost| Wake::Answered(Err(lost)), |()| Wake::Pong),
            () = self.inbox.wake.notified() => Wake::Inbox,
            Some(found) = found => Wake::Found(found),
            answer = self.beside.done() => Wake::Beside(answer),
            () = timer, if deadline.is_some() => Wake::Timer,
            // The other tasks of the runtime run in between.
            () = yield_now(), if polls => Wake::Poll,
        }
    }

    /// Sends batches, as many as may be in flight.
    fn send(&mut self) {
        let ConnectionState::Up {
            connection,
            in_flight,
            ..
        } = &mut self.connection
        else {
            // What it has found counts; the rest is looked for again.
            self.scan = None;
            return;
        };
        if self.scan.is_none() && self.pending.begins_scan() {
            self.scan = Some(connection.found(self.pending.stem()));
        }
        if self.beside.is_ready() {
            self.beside
                .begin(connection.pages_beside(), self.given.clone());
        }
        while in_flight.batches() < connection.depth() {
            let most = BATCH.min(connection.batch_size());
            let Some(next) = self.pending.next_batch(most) else {
                return;
            };
            let calls = match next {
                Next::Calls(batch, queue, of_app) => {
                    in_flight.push(connection.execute_from(&batch, queue));
                    of_app
                }
                Next::Page(number, query, steps) => {
                    let (source, given) = (connection.pages(), self.given.clone());
                    let first = FirstStep::begin(source, query.clone(), given, steps);
                    in_flight.push_page(number, first);
                    1
                }
                Next::Clean(removal, steps) => {
                    in_flight.push(connection.clean(removal, steps));
                    1
                }
            };
            self.stats.batches.add(1);
            self.stats.batched.add(calls);
        }
    }

    fn end_if_drained(&mut self) {
        if let Phase::Stopping(give_up) = self.phase
            && self.pending.is_drained()
        {
            self.phase = Phase::Stopped(give_up);
        }
    }
}
