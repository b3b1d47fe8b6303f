//! The driver: takes calls from the inbox, gives them to a manager's connection in batches, several
//! batches in flight, and answers each call once: with its reply, or with the reason why there
//! is none. Here: the loop and what wakes it. What it knows of the calls is in [`pending`], which are sent again in [`resend`], how it
//! gets and keeps a connection in [`reconnect`], whether that connection lives
//! in [`heartbeat`], what goes in and out in [`mailbox`].
//!
//! Calls keep their order: on the wire, and when they are sent again over a new connection.

mod busy_poll;
mod handle;
mod limits;
mod mailbox;
mod pending;
mod reconnect;
#[cfg(test)]
mod tests;

use std::{pin::Pin, sync::Arc};

use futures_util::StreamExt as _;
use tokio::{
    task::yield_now,
    time::{Instant, Sleep, sleep_until},
};

pub use self::{
    handle::{DriverHandle, panic_text},
    limits::Limits,
    mailbox::{Event, Inbox, Input, Outlet},
};

use self::{
    busy_poll::BusyPoll,
    pending::{BATCH, Next, PendingCalls},
    reconnect::{ConnectionState, Dialed, Found, Futures},
};
use crate::{
    command::Reply,
    error::{Cause, Error, Result},
    failpoints::may_panic,
    heartbeat,
    manager::{Connection as _, Lost, Manager},
    stats::Stats,
};

/// See the module.
pub struct Driver<M: Manager, O: Outlet> {
    manager: Arc<M>,
    limits: Limits,
    inbox: Arc<Inbox>,
    /// Empty but while it is looked through.
    input: Input,
    outlet: O,
    events: Vec<Event>,
    jobs: PendingCalls,
    line: ConnectionState<M::Connection>,
    phase: Phase,
    stats: Arc<Stats>,
    linger: BusyPoll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No connection yet; give up at this time.
    Starting(Option<Instant>),
    Started,
    /// Give up on answers at this time.
    Stopping(Instant),
    /// Everybody has an answer; give up on the connection at this time.
    Stopped(Instant),
    Ended,
}

enum Wake<L> {
    Inbox,
    Replies(std::result::Result<Vec<Result<Reply>>, Lost>),
    Dialed(Dialed<L>),
    /// The connection is gone.
    Closed,
    /// A silent connection lives.
    Sign,
    Timer,
    /// Nothing yet, but something may come at once.
    Lingers,
}

impl<M: Manager, O: Outlet> Driver<M, O> {
    /// A driver that will look for a connection as soon as it runs.
    pub fn new(
        manager: Arc<M>,
        limits: Limits,
        inbox: Arc<Inbox>,
        outlet: O,
        stats: Arc<Stats>,
    ) -> Self {
        let now = Instant::now();
        Self {
            line: ConnectionState::new(manager.clone(), &limits, now),
            phase: Phase::Starting(limits.start_timeout.map(|limit| now + limit)),
            jobs: PendingCalls::new(&limits),
            events: Vec::new(),
            manager,
            limits,
            inbox,
            input: Input::default(),
            outlet,
            stats,
            linger: BusyPoll::default(),
        }
    }

    /// Runs to the end: a stop, or a start that failed.
    pub async fn run(mut self) {
        let mut timer = Box::pin(sleep_until(Instant::now()));
        while !self.is_over() {
            match self.next(&mut timer).await {
                Wake::Lingers => continue,
                Wake::Inbox => self.on_inbox(),
                Wake::Replies(Ok(replies)) => self.on_replies(replies),
                Wake::Replies(Err(Lost(cause))) => self.on_lost(cause, true),
                Wake::Closed => {
                    let cause = match &self.line {
                        ConnectionState::Up { connection, .. } => connection.cause_of_end(),
                        _ => None,
                    };
                    self.on_lost(cause.unwrap_or_else(|| "closed by the store".into()), true);
                }
                Wake::Dialed(dialed) => self.on_dialed(dialed),
                Wake::Sign => self.line.heard(Instant::now()),
                Wake::Timer => self.on_timer(),
            }
            self.send();
            self.end_if_drained();
            self.count();
            if !self.events.is_empty() {
                self.outlet.deliver(&mut self.events);
            }
        }
        if let Phase::Stopped(give_up) = self.phase {
            if let Some(connection) = self.line.take_connection() {
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
        let in_flight = match &self.line {
            ConnectionState::Up { in_flight, .. } if !self.is_over() => Some(in_flight.len()),
            _ => None,
        };
        self.stats.in_flight.set(in_flight.unwrap_or(0));
        self.stats.connected.set(usize::from(in_flight.is_some()));
    }

    async fn next(&mut self, timer: &mut Pin<Box<Sleep>>) -> Wake<M::Connection> {
        let deadline = match self.phase {
            Phase::Starting(deadline) => deadline,
            Phase::Stopping(deadline) => Some(deadline),
            Phase::Started | Phase::Stopped(_) | Phase::Ended => None,
        };
        let deadlines = [deadline, self.jobs.deadline(), self.line.deadline()];
        let deadline = deadlines.into_iter().flatten().min();
        if let Some(deadline) = deadline
            && (timer.is_elapsed() || deadline < timer.deadline())
        {
            // Set anew only where it would be late: deadlines mostly rise, and setting it costs more
            // than a wake for nothing now and then.
            timer.as_mut().reset(deadline);
        }
        let lingers = self.linger.looks(Instant::now());
        let Futures {
            dialing,
            closed,
            sign,
            in_flight,
        } = self.line.futures();
        tokio::select! {
            // Replies first: those that came before the connection closed still count.
            biased;
            Some(replies) = in_flight.next(), if !in_flight.is_empty() => Wake::Replies(replies),
            Some(dialed) = dialing => Wake::Dialed(dialed),
            Some(()) = closed => Wake::Closed,
            Some(sign) = sign => sign.map_or_else(|lost| Wake::Replies(Err(lost)), |()| Wake::Sign),
            () = self.inbox.wake.notified() => Wake::Inbox,
            () = timer, if deadline.is_some() => Wake::Timer,
            // The other tasks of the runtime have their turn.
            () = yield_now(), if lingers => Wake::Lingers,
        }
    }

    fn on_inbox(&mut self) {
        let now = Instant::now();
        may_panic("driver");
        self.linger.found();
        let refusal = self.refusal();
        self.inbox.queue.take(&mut self.input);
        let (jobs, events) = (&mut self.jobs, &mut self.events);
        let starting = std::mem::take(&mut self.input.starting);
        self.input.calls.unpack(|seq, command| match &refusal {
            None => {
                let starting = starting && command.is_barrier();
                jobs.push(seq, command, starting, now);
            }
            Some(error) => events.push(Event::Answer(seq, Err(error.clone()))),
        });
        if std::mem::take(&mut self.input.stop) {
            self.on_stop(now);
        }
    }

    /// Why a call cannot even wait.
    fn refusal(&self) -> Option<Error> {
        let waits = self.line.is_up() || (self.limits.offline_queue && !self.line.gave_up());
        (!waits).then(|| self.disconnected())
    }

    fn disconnected(&self) -> Error {
        let cause = self.line.cause();
        Error::Disconnected { cause }
    }

    fn on_stop(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Starting(_)) {
            self.events.push(Event::StartFailed(Error::Stopped));
        }
        self.phase = Phase::Stopping(now + self.limits.drain);
    }

    fn on_dialed(&mut self, dialed: Dialed<M::Connection>) {
        match self.line.dialed(dialed, &self.limits, &self.manager) {
            Ok(Found { fenced, note }) => {
                if let Phase::Starting(_) = self.phase {
                    self.phase = Phase::Started;
                    self.events.push(Event::Started);
                } else {
                    self.stats.reconnects.add(1);
                    self.log(format!("connected again to {}", self.manager.describe()));
                }
                if let Some(note) = note {
                    self.log(note);
                }
                if !fenced {
                    let error = self.disconnected();
                    self.jobs.fail_sent_writes(&error, &mut self.events);
                }
            }
            Err(failed) => {
                let attempt = format!(
                    "cannot connect to {}: {}",
                    self.manager.describe(),
                    failed.cause
                );
                self.log(attempt);
                if failed.gave_up {
                    self.log("no further attempt is made to connect".to_owned());
                }
                match self.phase {
                    Phase::Starting(_) if failed.refused => {
                        self.fail_start(Error::Store(failed.cause));
                    }
                    Phase::Starting(_) if failed.gave_up => {
                        let error = self.unreachable(Some(failed.cause));
                        self.fail_start(error);
                    }
                    _ if failed.gave_up => {
                        let error = self.disconnected();
                        self.jobs.fail_all(&error, &mut self.events);
                    }
                    _ => {}
                }
            }
        }
    }

    fn on_replies(&mut self, replies: Vec<Result<Reply>>) {
        let now = Instant::now();
        self.line.answered(now);
        let ConnectionState::Up { connection, .. } = &self.line else {
            return;
        };
        let demoted = connection.demoted();
        let demoted = demoted.filter(|_| self.manager.elects() || self.line.leaves(now));
        if let Some(words) = demoted {
            return self.on_demoted(words, replies, now);
        }
        self.linger.answered(connection.busy_poll(), now);
        self.jobs.reply(replies, &mut self.events);
    }

    /// The server is no primary any more, and says so instead of closing the connection. Behind the same address
    /// there may be the new one.
    fn on_demoted(&mut self, words: Arc<str>, replies: Vec<Result<Reply>>, now: Instant) {
        self.log_lost(&words);
        self.line.leave(words, &self.limits, &self.manager);
        if self.limits.offline_queue {
            let last = !self.manager.elects();
            self.jobs.demoted(replies, last, now, &mut self.events);
        } else {
            self.jobs.reply(replies, &mut self.events);
            let error = self.disconnected();
            self.jobs.fail_all(&error, &mut self.events);
        }
    }

    fn log_lost(&mut self, cause: &str) {
        let store = self.manager.describe();
        self.log(format!("lost the connection to {store}: {cause}"));
    }

    /// The connection `broke`, or was given up.
    fn on_lost(&mut self, cause: Arc<str>, broke: bool) {
        self.log_lost(&cause);
        self.line.lost(cause, &self.limits, &self.manager);
        let error = self.disconnected();
        self.jobs.connection_lost(&error, broke, &mut self.events);
        if !self.limits.offline_queue {
            self.jobs.fail_all(&error, &mut self.events);
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Starting(Some(deadline)) if deadline <= now => {
                let error = self.unreachable(self.line.cause());
                self.fail_start(error);
            }
            Phase::Stopping(deadline) if deadline <= now => {
                self.jobs.fail_all(&Error::Stopped, &mut self.events);
            }
            _ => {
                // A connection that is up has no cause to give, only an old one.
                let cause = self.line.cause().filter(|_| !self.line.is_up());
                let hangs = self.jobs.expire(now, &cause, &mut self.events);
                if let Some(limit) = hangs.filter(|_| self.line.is_up()) {
                    self.on_lost(
                        format!("no answer for {} ms", limit.as_millis()).into(),
                        false,
                    );
                } else if self.line.is_dead(now) {
                    let limit = heartbeat::LIMIT.as_millis();
                    self.on_lost(format!("no sign of life within {limit} ms").into(), false);
                }
            }
        }
    }

    /// Fills the connection, as far as it may be filled.
    fn send(&mut self) {
        let ConnectionState::Up {
            connection,
            in_flight,
            ..
        } = &mut self.line
        else {
            return;
        };
        while in_flight.len() < connection.depth() {
            let most = BATCH.min(connection.batch_size());
            let Some(next) = self.jobs.next_batch(most, Instant::now()) else {
                return;
            };
            let (calls, answers) = match next {
                Next::Calls(batch) => (batch.len(), connection.execute(&batch)),
                Next::Clean(stem, steps) => (1, connection.clean(stem, steps)),
            };
            self.stats.batches.add(1);
            self.stats.batched.add(calls);
            in_flight.push_back(answers);
        }
    }

    fn end_if_drained(&mut self) {
        if let Phase::Stopping(give_up) = self.phase
            && self.jobs.is_empty()
        {
            self.phase = Phase::Stopped(give_up);
        }
    }

    fn fail_start(&mut self, error: Error) {
        self.phase = Phase::Ended;
        self.events.push(Event::StartFailed(error));
    }

    fn unreachable(&self, cause: Cause) -> Error {
        let store = self.manager.describe();
        Error::Unreachable { store, cause }
    }

    /// Quiet once a stop was asked for: what happens to the connection then is nobody's concern.
    fn log(&mut self, line: String) {
        if !matches!(self.phase, Phase::Stopping(_)) {
            self.events.push(Event::Log(line));
        }
    }
}
