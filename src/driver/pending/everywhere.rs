//! Operations on all frontends ([`Everywhere`]): which frontends there are, and in which order that is asked and done.
//!
//! **The index is written first.** A call that adds members on a marked frontend is preceded by the write of that
//! frontend into the index. Both are sent in order, and sent again in order.
//!
//! **An operation** is preceded by a read of the index and executed on the frontends that are known when it is called.
//! The answer to the read has been taken before its own; if there are known frontends by then on which it was not
//! executed, it goes on with those, before it is answered and before any later call is sent. Once after the start, and
//! whenever the index cannot be read, it also waits for a scan of the keys, which runs beside other calls.
//!
//! **Order.** Later calls may be in flight when an operation goes on with a frontend that was unknown. Those about the
//! frontends on which it was executed come after it; one about another frontend waits until it is answered
//! (`fence`). The binding marks the frontend of a call that is the first one about it.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{PendingCall, PendingCalls, resend::Losses};
use crate::{
    command::{Reply, Request},
    driver::mailbox::Event,
    error::{Error, Result},
    keys::Key,
    packed::MarkedSid,
};

/// Operations that wait for a scan, and the scans.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Each with the number of the scan that it waits for.
    calls: VecDeque<(PendingCall, u64)>,
    /// How many scans have begun, and whether the last one has not ended.
    begun: u64,
    runs: bool,
    /// Whether a scan has ended since the start.
    is_scanned: bool,
    /// When the last step of the scan ended, or the wait for it began.
    step: Option<Instant>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = PendingCall> + use<> {
        std::mem::take(&mut self.calls)
            .into_iter()
            .map(|(call, _)| call)
    }

    /// Returns when the scan is overdue: its steps have the time limit of a call.
    pub(super) fn deadline(&self, limit: Option<std::time::Duration>) -> Option<Instant> {
        let step = self.step.filter(|_| !self.is_empty())?;
        Some(step + limit?)
    }

    fn hold(&mut self, call: PendingCall, new_scan: bool) {
        if self.is_empty() {
            self.step = Some(Instant::now());
        }
        let scan = if self.runs && !new_scan {
            self.begun
        } else {
            self.begun + 1
        };
        self.calls.push_back((call, scan));
    }
}

impl PendingCalls {
    /// Notes the frontend of a call, and has it written to the index if the call adds members. Returns its number.
    pub(super) fn prepare(&mut self, marked: &MarkedSid, now: Instant) -> usize {
        if marked.adds
            && let Some(write) = self.sids.write(&marked.sid)
        {
            self.push_call(None, None, write.into(), false, now);
        }
        self.sids.learn(&marked.sid)
    }

    /// Notes the frontend of a call that was refused.
    pub(in crate::driver) fn refused(&mut self, marked: Option<MarkedSid>) {
        if let Some(marked) = marked.filter(|marked| marked.adds) {
            // For the next connection.
            self.sids.write(&marked.sid);
        }
    }

    /// Makes a request ready to be sent.
    pub(super) fn prepared(&mut self, mut request: Request, now: Instant) -> Request {
        match &mut request {
            Request::Everywhere(everywhere) => {
                self.read_index(now);
                everywhere.begin(&mut self.sids);
            }
            Request::Clean(removal) => {
                if let Some(sids) = removal.sids() {
                    for sid in sids {
                        self.sids.learn(sid);
                    }
                    self.read_index(now);
                }
            }
            Request::Command(_) | Request::Page(_) => {}
        }
        request
    }

    /// Has the index read before the call that is pushed next. A read that waits already will do if its time is over at
    /// the same moment.
    fn read_index(&mut self, now: Instant) {
        self.open_window(now);
        if self.index_read != Some(self.window) {
            let read = self.sids.read();
            self.push_call(None, None, read.into(), false, now);
            self.index_read = Some(self.window);
        }
    }

    /// Writes the index again, before everything that waits.
    pub(in crate::driver) fn write_index_again(&mut self, now: Instant) {
        let Some(write) = self.sids.write_again() else {
            return;
        };
        let first = self.waiting.front();
        let (deadline, losses) = match first {
            Some(first) => (first.deadline, first.losses),
            None => (self.limit.map(|limit| now + limit), Losses::default()),
        };
        let demoted = first.is_some_and(|first| first.demoted);
        self.waiting.push_front(PendingCall {
            seq: None,
            request: write.into(),
            fence: None,
            deadline,
            sent: false,
            answered: false,
            limit: self.limit,
            demoted,
            losses,
        });
    }

    /// Takes the answer to a read or write of the index.
    pub(super) fn index_answered(&mut self, call: &PendingCall, reply: Result<Reply>) {
        if let Some(command) = call.request.command() {
            let note = self.sids.answered(command.op(), reply);
            self.note = self.note.take().or(note);
        }
    }

    /// Returns a line for the log that came up.
    pub(in crate::driver) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// Answers a call, unless it has to go on: it is returned then, or held.
    pub(super) fn go_on(
        &mut self,
        mut call: PendingCall,
        reply: Result<Reply>,
        events: &mut Vec<Event>,
    ) -> Option<PendingCall> {
        let (Request::Everywhere(everywhere), Ok(_), false) =
            (&mut call.request, &reply, call.answered)
        else {
            call.answer(reply, events);
            return None;
        };
        if let Ok(reply) = reply {
            everywhere.add(reply);
        }
        let is_unreadable = self.sids.is_unreadable();
        if !everywhere.is_scanned() && (is_unreadable || !self.held.is_scanned) {
            self.held.hold(call, is_unreadable);
            return None;
        }
        self.with_rest(call, events)
    }

    /// Answers an operation, unless there are frontends that became known meanwhile.
    fn with_rest(&self, mut call: PendingCall, events: &mut Vec<Event>) -> Option<PendingCall> {
        if let Request::Everywhere(everywhere) = &mut call.request {
            if everywhere.go_on(&self.sids) {
                call.sent = false;
                return Some(call);
            }
            let reply = everywhere.take();
            call.answer(Ok(reply), events);
        }
        None
    }

    /// Returns whether a call about a frontend has to wait: an operation before it was not executed there. The call is at
    /// this place among those that wait.
    pub(super) fn is_fenced(&self, call: &PendingCall, place: usize) -> bool {
        let Some(number) = call.fence else {
            return false;
        };
        let held = self.held.calls.iter().map(|(call, _)| call);
        let in_flight = self.batches.iter().flat_map(|batch| &batch.calls);
        let before = self.waiting.iter().take(place);
        let mut earlier = held.chain(in_flight).chain(before);
        earlier.any(|call| match &call.request {
            Request::Everywhere(everywhere) => everywhere.asked() <= number,
            _ => false,
        })
    }

    /// Returns what the keys of a scan begin with.
    pub(in crate::driver) fn stem(&self) -> &[u8] {
        self.sids.stem()
    }

    /// Returns whether a scan has to begin now, and counts it. To be called while none is under way.
    pub(in crate::driver) fn begins_scan(&mut self) -> bool {
        let begins = !self.held.is_empty();
        self.held.runs = begins;
        self.held.begun += u64::from(begins);
        begins
    }

    /// Takes keys that the scan has found.
    pub(in crate::driver) fn found(&mut self, keys: &[Key], now: Instant) {
        let note = self.sids.learn_keys(keys);
        self.note = self.note.take().or(note);
        self.held.step = Some(now);
        if self
            .waiting
            .front()
            .is_some_and(|first| self.is_fenced(first, 0))
        {
            // What waits for the scan has its time from the end of it, as with a barrier.
            self.begin_anew(now);
        }
    }

    /// Handles the end of the scan: operations that waited for it go on, before everything that waits.
    pub(in crate::driver) fn scanned(&mut self, events: &mut Vec<Event>, now: Instant) {
        self.held.runs = false;
        self.held.is_scanned = true;
        self.held.step = Some(now);
        let begun = self.held.begun;
        let count = self
            .held
            .calls
            .iter()
            .take_while(|(_, scan)| *scan <= begun)
            .count();
        let calls: Vec<_> = self.held.calls.drain(..count).collect();
        let rest: Vec<_> = calls
            .into_iter()
            .filter_map(|(mut call, _)| {
                if let Request::Everywhere(everywhere) = &mut call.request {
                    everywhere.scanned();
                }
                self.with_rest(call, events)
            })
            .collect();
        if !rest.is_empty() {
            self.insert(rest);
            // Their time, and that of what waits behind them, begins now.
            self.begin_anew(now);
        }
    }

    /// Puts operations that go on among the calls that wait: before all later calls, behind earlier ones.
    pub(super) fn insert(&mut self, calls: Vec<PendingCall>) {
        for call in calls {
            let is_later = |other: &PendingCall| other.seq.is_some() && other.seq > call.seq;
            let place = self.waiting.iter().position(is_later);
            self.waiting
                .insert(place.unwrap_or(self.waiting.len()), call);
        }
    }

    /// Answers the operations that wait for a scan, which the store refuses.
    pub(in crate::driver) fn scan_failed(&mut self, error: &Error, events: &mut Vec<Event>) {
        self.held.runs = false;
        for call in self.held.take_all() {
            call.answer(Err(error.clone()), events);
        }
    }
}
