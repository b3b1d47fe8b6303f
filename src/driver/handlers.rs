//! Handles the driver's events: calls arrive, an attempt to connect ends, replies arrive, the connection is lost, a
//! deadline passes.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Driver, Phase,
    idle_losses::News,
    in_flight::Answered,
    mailbox::{Event, Outlet},
    reconnect::{ConnectionState, Dialed, Found},
};
use crate::{
    app::Level,
    command::Request,
    error::{Cause, Error, Result},
    failpoints::may_panic,
    heartbeat,
    keys::Key,
    manager::{Connection as _, Manager},
};

impl<M: Manager, O: Outlet> Driver<M, O> {
    pub(super) fn on_inbox(&mut self) {
        let now = Instant::now();
        may_panic("driver");
        self.busy_poll.found();
        let refusal = self.refusal();
        self.inbox.queue.take(&mut self.input);
        let (calls, events) = (&mut self.pending, &mut self.events);
        let beside = &mut self.beside;
        let starting = std::mem::take(&mut self.input.starting);
        let left = self
            .input
            .calls
            .unpack(|seq, marked, request| match &refusal {
                None => {
                    if let Request::Page(query) = &request
                        && query.op().is_beside()
                    {
                        beside.push(seq, query.clone());
                        return;
                    }
                    let starting = starting && request.is_barrier();
                    calls.push(seq, marked, request, starting, now);
                }
                Some(error) => {
                    calls.refused(marked);
                    events.push(Event::Answer(seq, Err(error.clone())));
                }
            });
        calls.refused(left);
        if let Some(since) = self.input.stop.take() {
            self.on_stop(since);
        }
    }

    /// Returns why a call is refused, if it may not wait.
    fn refusal(&self) -> Option<Error> {
        let waits =
            self.connection.is_up() || (self.limits.offline_queue && !self.connection.gave_up());
        (!waits).then(|| self.disconnected())
    }

    fn disconnected(&self) -> Error {
        let cause = self.connection.cause();
        Error::Disconnected { cause }
    }

    fn on_stop(&mut self, since: Instant) {
        if matches!(self.phase, Phase::Starting(_)) {
            self.events.push(Event::StartFailed(Error::Stopped));
        }
        self.phase = Phase::Stopping(since + self.limits.drain);
        self.beside.fail_all(&Error::Stopped, &mut self.events);
    }

    pub(super) fn on_dialed(&mut self, dialed: Dialed<M::Connection>) {
        match self.connection.dialed(dialed, &self.limits, &self.manager) {
            Ok(Found { fenced, note }) => {
                if let ConnectionState::Up { connection, .. } = &self.connection {
                    self.inbox.lone.set_socket(connection.lone_socket());
                }
                if let Phase::Starting(_) = self.phase {
                    self.phase = Phase::Started;
                    self.events.push(Event::Started);
                } else {
                    self.stats.reconnects.add(1);
                    self.log_connected();
                    if self.manager.may_lose_writes() {
                        self.pending.write_index_again();
                    }
                }
                if let Some(note) = note {
                    self.log(note);
                }
                if !fenced {
                    let error = self.disconnected();
                    self.pending.fail_sent_writes(&error, &mut self.events);
                }
            }
            Err(failed) => {
                if let Some(cause) = self.idle_losses.failed() {
                    self.log_lost(&cause);
                }
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
                        self.pending.fail_all(&error, &mut self.events);
                        self.beside.fail_all(&error, &mut self.events);
                    }
                    _ => {}
                }
            }
        }
    }

    pub(super) fn on_answered(&mut self, answered: Answered) {
        let now = Instant::now();
        self.connection.answered(now);
        self.inbox.lone.answered();
        let ConnectionState::Up { connection, .. } = &self.connection else {
            return;
        };
        let note = connection.take_note();
        let demoted = connection.demoted();
        let demoted = demoted.filter(|_| self.manager.elects() || self.connection.leaves(now));
        if let Some(words) = demoted {
            return self.on_demoted(words, answered, now);
        }
        self.busy_poll.answered(connection.busy_poll(), now);
        self.pending.answered(answered, &mut self.events);
        if let Some(note) = note {
            self.log(note);
        }
        self.log_note();
    }

    /// Logs what came up with the frontends.
    fn log_note(&mut self) {
        if let Some(note) = self.pending.take_note() {
            self.log_as(|line| Event::Note(Level::Warn, line), note);
        }
    }

    /// Handles a step of the scan for frontends.
    pub(super) fn on_found(&mut self, found: Option<Result<Vec<Key>>>) {
        let now = Instant::now();
        match found {
            Some(Ok(keys)) => {
                self.pending.found(&keys, now);
                self.log_note();
            }
            None => {
                self.scan = None;
                self.pending.scanned(&mut self.events, now);
            }
            Some(Err(Error::Disconnected { cause })) => {
                self.scan = None;
                self.on_closed(cause.unwrap_or_else(|| "closed by the store".into()));
            }
            Some(Err(error)) => {
                self.scan = None;
                self.pending.scan_failed(&error, &mut self.events);
            }
        }
    }

    /// Handles a server that is no longer primary: the driver leaves it by itself, because the new primary may be
    /// behind the same address.
    fn on_demoted(&mut self, words: Arc<str>, answered: Answered, now: Instant) {
        self.log_lost(&words);
        self.connection
            .leave(words.clone(), &self.limits, &self.manager);
        let cause = Some(words);
        self.beside
            .lost(&Error::Disconnected { cause }, &mut self.events);
        if self.limits.offline_queue {
            let last = !self.manager.elects();
            self.pending.demoted(answered, last, now, &mut self.events);
        } else {
            self.pending.answered(answered, &mut self.events);
            let error = self.disconnected();
            self.pending.fail_all(&error, &mut self.events);
        }
    }

    fn log_connected(&mut self) {
        let store = self.manager.describe();
        match self.idle_losses.connected(Instant::now()) {
            News::Recovered => self.log(format!("connected again to {store}")),
            News::Nothing => {}
            News::Replaced(why) => {
                let line = format!("connected again to {store}: {why}");
                self.log_as(|line| Event::Note(Level::Info, line), line);
            }
        }
    }

    fn log_lost(&mut self, cause: &str) {
        let store = self.manager.describe();
        self.log(format!("lost the connection to {store}: {cause}"));
    }

    /// Handles the end of the connection that the other end, or the network, has caused.
    pub(super) fn on_closed(&mut self, cause: Arc<str>) {
        // Without the offline queue a call made before the next connection fails.
        let harmless = self.limits.offline_queue && self.pending.is_empty();
        if harmless && self.phase == Phase::Started {
            self.idle_losses.lost(cause.clone());
        } else {
            self.log_lost(&cause);
        }
        self.reconnect(cause, true);
    }

    /// Reconnects after the connection `broke`, or was given up.
    pub(super) fn on_lost(&mut self, cause: Arc<str>, broke: bool) {
        self.log_lost(&cause);
        self.reconnect(cause, broke);
    }

    fn reconnect(&mut self, cause: Arc<str>, broke: bool) {
        self.connection.lost(cause, &self.limits, &self.manager);
        let error = self.disconnected();
        self.beside.lost(&error, &mut self.events);
        self.pending
            .connection_lost(&error, broke, &mut self.events);
        if !self.limits.offline_queue {
            self.pending.fail_all(&error, &mut self.events);
        }
    }

    pub(super) fn on_timer(&mut self) {
        let now = Instant::now();
        if self.inbox.lone.held_until().is_some_and(|held| now < held) {
            return;
        }
        match self.phase {
            Phase::Starting(Some(deadline)) if deadline <= now => {
                let error = self.unreachable(self.connection.cause());
                self.fail_start(error);
            }
            Phase::Stopping(deadline) if deadline <= now => {
                self.pending.fail_all(&Error::Stopped, &mut self.events);
            }
            _ => {
                // A connection that is up has no cause to report, only an old one.
                let cause = self.connection.cause().filter(|_| !self.connection.is_up());
                let hangs = self.pending.expire(now, &cause, &mut self.events);
                if let Some(limit) = hangs.filter(|_| self.connection.is_up()) {
                    self.on_lost(
                        format!("no answer for {} ms", limit.as_millis()).into(),
                        false,
                    );
                } else if self.connection.is_dead(now) {
                    let limit = heartbeat::LIMIT.as_millis();
                    self.on_lost(format!("no sign of life within {limit} ms").into(), false);
                }
            }
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

    /// Logs a line, unless a stop is under way: then the end of the connection is expected.
    fn log(&mut self, line: String) {
        self.log_as(Event::Log, line);
    }

    fn log_as(&mut self, event: fn(String) -> Event, line: String) {
        if !matches!(self.phase, Phase::Stopping(_)) {
            self.events.push(event(line));
        }
    }
}
