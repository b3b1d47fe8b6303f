//! The reads and writes of the index of frontends ([`crate::known_sids`]). They are the driver's own: no call of the app
//! is among them, and a stop does not wait for one that was not sent.
//!
//! **It is written first.** A call that adds members on a marked frontend is preceded by the write of that frontend into
//! the index. Both are sent in order, and sent again in order. A write that is given up, and what a store may have lost,
//! is made good by one write of all own frontends, in front of everything that is sent next.

use tokio::time::Instant;

use super::{PendingCall, PendingCalls, resend::Losses};
use crate::{
    command::{Reply, Request},
    error::Result,
    packed::MarkedSid,
};

/// What is to be done with the index.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The window of the last read, until it is sent.
    read: Option<Instant>,
    /// Whether it has to be written again before anything else is sent.
    is_owed: bool,
    /// A line for the log.
    note: Option<String>,
}

impl Index {
    /// Notes that a read or write is sent: a call that is made later needs a later read.
    pub(super) fn sent(&mut self) {
        self.read = None;
    }

    /// Notes that a read or write was given up.
    pub(super) fn given_up(&mut self, request: &Request) {
        self.read = None;
        self.is_owed |= request.is_write();
    }

    fn note(&mut self, note: Option<String>) {
        self.note = self.note.take().or(note);
    }
}

impl PendingCalls {
    /// Notes the frontends of a call, and has the marked one written to the index if the call adds members. Returns how
    /// many frontends an operation before the call must have been executed on.
    pub(super) fn prepare(&mut self, marked: &MarkedSid, now: Instant) -> usize {
        if marked.adds
            && let Some(write) = self.sids.write(&marked.sid)
        {
            self.push_call(None, 0, write.into(), false, now);
        }
        self.learn(marked)
    }

    /// Notes frontends; returns how many are known up to the last of them.
    fn learn(&mut self, marked: &MarkedSid) -> usize {
        let places = marked.all().map(|sid| self.sids.learn(sid) + 1);
        places.max().unwrap_or_default()
    }

    /// Notes the frontends of a call that was refused: the next call about them is not marked.
    pub(in crate::driver) fn refused(&mut self, marked: Option<MarkedSid>) {
        let Some(marked) = marked else {
            return;
        };
        if marked.adds {
            self.index.is_owed |= self.sids.write(&marked.sid).is_some();
        }
        let needs = self.learn(&marked);
        self.hand_on(needs);
    }

    /// Has the index read before the call that is pushed next. A read that waits already will do if its time is over at
    /// the same moment.
    pub(super) fn read_index(&mut self, now: Instant) {
        self.open_window(now);
        if self.index.read != Some(self.window) {
            let read = self.sids.read();
            self.push_call(None, 0, read.into(), false, now);
            self.index.read = Some(self.window);
        }
    }

    /// Has the index written again, before everything that waits. The writes that wait are a part of that.
    pub(in crate::driver) fn write_index_again(&mut self) {
        self.index.is_owed = true;
        let mut needs = 0;
        self.waiting.retain(|call| {
            let is_part = call.seq.is_none() && call.request.is_write();
            if is_part {
                needs = needs.max(call.needs);
            }
            !is_part
        });
        self.hand_on(needs);
    }

    /// Puts the write that is owed before everything that waits.
    pub(super) fn pay_index(&mut self) {
        if !std::mem::take(&mut self.index.is_owed) {
            return;
        }
        let Some(write) = self.sids.write_again() else {
            return;
        };
        let first = self.waiting.front();
        let (deadline, losses) = match first {
            Some(first) => (first.deadline, first.losses),
            None => (
                self.limit.map(|limit| Instant::now() + limit),
                Losses::default(),
            ),
        };
        let demoted = first.is_some_and(|first| first.demoted);
        self.waiting.push_front(PendingCall {
            seq: None,
            request: write.into(),
            needs: 0,
            deadline,
            taken: self.executed,
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
            self.index.note(note);
        }
    }

    /// Notes a line for the log.
    pub(super) fn note(&mut self, note: Option<String>) {
        self.index.note(note);
    }

    /// Returns a line for the log that came up.
    pub(in crate::driver) fn take_note(&mut self) -> Option<String> {
        self.index.note.take()
    }
}
