//! Operations on all frontends ([`Everywhere`]): which frontends there are, and how an operation goes on with them.
//!
//! **An operation** is preceded by a read of the index and executed on the frontends that are known when it is called.
//! The answer to the read has been taken before its own; if there are known frontends by then on which it was not
//! executed, it goes on with those, before it is answered and before any later call is sent that has to come after it
//! ([`super::order`]). Once after the start, and whenever the index cannot be read, it also waits for a scan of the keys,
//! which runs beside other calls.
//!
//! **Time.** A part that follows one with as many keys as a part may have has the time limit of a call from when it
//! begins, and so has what waits behind it, as with the steps of a barrier.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{PendingCall, PendingCalls};
use crate::{
    command::{Reply, Request},
    driver::mailbox::Event,
    error::{Error, Result},
    keys::Key,
};

/// Operations that are not finished and not in flight, and the scans.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Each with the number of the scan that it waits for.
    calls: VecDeque<(PendingCall, u64)>,
    /// Operations that go on, in call order. They are sent before everything that waits.
    rests: VecDeque<PendingCall>,
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
        self.calls.is_empty() && self.rests.is_empty()
    }

    /// Iterates over those that wait for a scan.
    pub(super) fn scanning(&self) -> impl Iterator<Item = &PendingCall> {
        self.calls.iter().map(|(call, _)| call)
    }

    /// Iterates over those that go on.
    pub(super) fn rests(&self) -> impl Iterator<Item = &PendingCall> {
        self.rests.iter()
    }

    /// Takes the first of those that go on.
    pub(super) fn take_rests(&mut self, count: usize) -> Vec<PendingCall> {
        self.rests.drain(..count).collect()
    }

    /// Puts one that goes on in its place.
    pub(super) fn go_on(&mut self, call: PendingCall) {
        let place = self.rests.partition_point(|other| other.seq < call.seq);
        self.rests.insert(place, call);
    }

    /// Takes those that go on for which this is true.
    pub(super) fn take_rests_if(
        &mut self,
        is_taken: impl FnMut(&PendingCall) -> bool,
    ) -> VecDeque<PendingCall> {
        let (taken, kept) = std::mem::take(&mut self.rests)
            .into_iter()
            .partition(is_taken);
        self.rests = kept;
        taken
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = PendingCall> + use<> {
        self.take_scanning().chain(std::mem::take(&mut self.rests))
    }

    fn take_scanning(&mut self) -> impl Iterator<Item = PendingCall> + use<> {
        let calls = std::mem::take(&mut self.calls);
        calls.into_iter().map(|(call, _)| call)
    }

    /// Takes those that are overdue. The steps of the scan have the time limit of a call.
    pub(super) fn take_overdue(
        &mut self,
        now: Instant,
        limit: Option<Duration>,
    ) -> VecDeque<PendingCall> {
        let mut overdue = self.take_rests_if(|call| call.is_overdue(now));
        if self.scan_deadline(limit).is_some_and(|at| at <= now) {
            overdue.extend(self.take_scanning());
        }
        overdue
    }

    /// Returns the next time at which one is overdue.
    pub(super) fn deadline(&self, limit: Option<Duration>) -> Option<Instant> {
        let rests = self.rests.iter().filter_map(|call| call.deadline);
        rests.chain(self.scan_deadline(limit)).min()
    }

    fn scan_deadline(&self, limit: Option<Duration>) -> Option<Instant> {
        let step = self.step.filter(|_| !self.calls.is_empty())?;
        Some(step + limit?)
    }

    fn hold(&mut self, call: PendingCall, new_scan: bool) {
        if self.calls.is_empty() {
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
    /// Makes a request ready to be sent.
    pub(super) fn begin(&mut self, request: &mut Request, now: Instant) {
        match request {
            Request::Everywhere(everywhere) => {
                self.read_index(now);
                everywhere.begin(&mut self.sids, self.unfinished.one());
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
    }

    /// Answers a call, unless it is an operation that has to go on.
    pub(super) fn answer_everywhere(
        &mut self,
        mut call: PendingCall,
        reply: Result<Reply>,
        events: &mut Vec<Event>,
    ) {
        let (Request::Everywhere(everywhere), Ok(_), false) =
            (&mut call.request, &reply, call.answered)
        else {
            self.answer(&call, reply, events);
            return;
        };
        if let Ok(reply) = reply {
            everywhere.add(reply);
        }
        let needs_scan = !everywhere.is_scanned();
        let now = Instant::now();
        // What later calls may be waiting for comes before a scan.
        let call = if everywhere.is_behind() {
            self.go_on(call, now)
        } else {
            Some(call)
        };
        let Some(call) = call else {
            return;
        };
        let is_unreadable = self.sids.is_unreadable();
        if needs_scan && (is_unreadable || !self.held.is_scanned) {
            self.held.hold(call, is_unreadable);
        } else {
            self.finish(call, events, now);
        }
    }

    /// Answers an operation, unless there are frontends that became known meanwhile.
    fn finish(&mut self, call: PendingCall, events: &mut Vec<Event>, now: Instant) {
        if let Some(mut call) = self.go_on(call, now)
            && let Request::Everywhere(everywhere) = &mut call.request
        {
            let reply = everywhere.take();
            call.answer(Ok(reply), events);
        }
    }

    /// Lets an operation go on with known frontends. Gives it back if there are none left.
    fn go_on(&mut self, mut call: PendingCall, now: Instant) -> Option<PendingCall> {
        let Request::Everywhere(everywhere) = &mut call.request else {
            return Some(call);
        };
        let is_cut = everywhere.is_cut();
        if !everywhere.go_on(&self.sids) {
            return Some(call);
        }
        call.sent = false;
        if is_cut {
            self.restart(&mut call, now);
        }
        self.held.go_on(call);
        None
    }

    /// Restarts the time limit of an operation, and of everything that waits behind it.
    fn restart(&mut self, call: &mut PendingCall, now: Instant) {
        call.deadline = call.limit.map(|limit| now + limit);
        self.begin_anew(now);
    }

    /// Returns what the keys of a scan begin with.
    pub(in crate::driver) fn stem(&self) -> &[u8] {
        self.sids.stem()
    }

    /// Returns whether a scan has to begin now, and counts it. To be called while none is under way.
    pub(in crate::driver) fn begins_scan(&mut self) -> bool {
        let begins = !self.held.calls.is_empty();
        self.held.runs = begins;
        self.held.begun += u64::from(begins);
        begins
    }

    /// Takes keys that the scan has found.
    pub(in crate::driver) fn found(&mut self, keys: &[Key], now: Instant) {
        let note = self.sids.learn_keys(keys);
        self.note(note);
        self.held.step = Some(now);
        // What waits for the scan has its time from the end of it, as with a barrier; so has what is behind that.
        let ahead = self.ahead();
        if let Some(place) = self.waiting.iter().position(|call| ahead.holds(call)) {
            self.begin_anew_from(place, now);
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
        let mut is_first = true;
        for (mut call, _) in calls {
            if let Request::Everywhere(everywhere) = &mut call.request {
                everywhere.scanned();
            }
            // Their time, and that of what waits behind them, begins now.
            call.deadline = call.limit.map(|limit| now + limit);
            if std::mem::take(&mut is_first) {
                self.begin_anew(now);
            }
            self.finish(call, events, now);
        }
    }

    /// Answers the operations that wait for a scan, which the store refuses.
    pub(in crate::driver) fn scan_failed(&mut self, error: &Error, events: &mut Vec<Event>) {
        self.held.runs = false;
        for call in self.held.take_scanning() {
            call.answer(Err(error.clone()), events);
        }
    }
}
