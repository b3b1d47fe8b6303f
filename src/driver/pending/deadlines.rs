//! The time limits of the unanswered calls. Deadlines rise with the order of the calls that wait, because all calls have
//! the same time limit, so overdue calls are always a prefix. Calls that wait for a barrier in flight have no deadline;
//! their time begins when it ends.

use std::time::Duration;

use tokio::time::Instant;

use super::{Batch, Event, PendingCalls};
use crate::{
    error::{Cause, Error},
    steps::Steps,
};

/// Calls made within this time share a deadline: the calls of one tick are handed over in several parts, and must not
/// end partly overdue and partly sent again.
pub(super) const WINDOW: Duration = Duration::from_millis(10);

impl PendingCalls {
    pub(super) fn open_window(&mut self, now: Instant) {
        // The calls of a hand-over have the same time.
        if now != self.pushed && now.duration_since(self.window) >= WINDOW {
            self.window = now;
        }
        self.pushed = now;
    }

    /// Restarts the time limit of all calls that wait.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        self.begin_anew_from(0, now);
    }

    /// Restarts the time limit of the calls that wait from this place on.
    pub(super) fn begin_anew_from(&mut self, place: usize, now: Instant) {
        self.window = now;
        for call in self.waiting.iter_mut().skip(place) {
            call.deadline = call.limit.map(|limit| now + limit);
        }
    }

    /// Answers the calls that are overdue. Returns the time limit if the connection hangs: the oldest batch, or a step
    /// of a barrier or of a page, has been in flight for all of it.
    pub(in crate::driver) fn expire(
        &mut self,
        now: Instant,
        cause: &Cause,
        events: &mut Vec<Event>,
    ) -> Option<Duration> {
        let plain = self.limit;
        let timeout = |after| {
            let of_call = plain == Some(after);
            Err(Error::Timeout {
                after,
                option: if of_call {
                    "commandTimeout"
                } else {
                    "startTimeout"
                },
                cause: cause.clone(),
            })
        };
        for call in self.held.take_overdue(now, self.limit) {
            let limit = call.limit.unwrap_or_default();
            call.answer(timeout(limit), events);
        }
        let hangs = self.hangs().filter(|(at, _)| *at <= now);
        let hangs = hangs.map(|(_, limit)| limit);
        let held = self.barrier_in_flight();
        if let (Some(limit), Some(batch), true) = (hangs, self.batches.front_mut(), held) {
            for call in batch.calls.iter_mut().filter(|call| !call.answered) {
                call.answered = true;
                events.extend(call.seq.map(|seq| Event::Answer(seq, timeout(limit))));
            }
        }
        let pages = self.pages.iter_mut().map(|page| &mut page.call);
        for call in pages.chain(self.batches.iter_mut().flat_map(|batch| &mut batch.calls)) {
            if let (Some(limit), false, true) = (call.limit, call.answered, call.is_overdue(now)) {
                call.answered = true;
                events.extend(call.seq.map(|seq| Event::Answer(seq, timeout(limit))));
            }
        }
        while !held
            && self
                .waiting
                .front()
                .is_some_and(|call| call.is_overdue(now))
        {
            if let Some(call) = self.waiting.pop_front() {
                let limit = call.limit.unwrap_or_default();
                if call.seq.is_none() {
                    self.index.given_up(&call.request);
                }
                self.hand_on(call.needs);
                call.answer(timeout(limit), events);
            }
        }
        hangs
    }

    /// Returns when the connection counts as hung if nothing is answered, and the time limit.
    fn hangs(&self) -> Option<(Instant, Duration)> {
        let of_batch = |batch: &Batch| {
            let limit = batch.calls.first()?.limit?;
            let since = batch.steps.as_ref().map_or(batch.sent_at, Steps::since);
            Some((since + limit, limit))
        };
        let batch = self.batches.front().and_then(of_batch);
        [batch, self.page_hangs()].into_iter().flatten().min()
    }

    /// Returns the next time at which a call is overdue, or the connection counts as hung.
    pub(in crate::driver) fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.front().filter(|_| !self.barrier_in_flight());
        let call = self
            .in_flight()
            .chain(waiting)
            .find_map(|call| call.deadline.filter(|_| !call.answered));
        let hangs = self.hangs().map(|(at, _)| at);
        let everywhere = self.everywhere_deadline();
        let held = self.held.deadline(self.limit);
        [call, hangs, everywhere, held].into_iter().flatten().min()
    }

    /// Returns when the next operation on all frontends in flight is overdue: one that went on may be behind later calls.
    fn everywhere_deadline(&self) -> Option<Instant> {
        if !self.unfinished.are_any() {
            return None;
        }
        let calls = self.everywhere_in_flight().filter(|call| !call.answered);
        calls.filter_map(|call| call.deadline).min()
    }
}
