//! The order of calls behind operations on all frontends ([`Everywhere`]) that are not finished.
//!
//! Such an operation is executed in parts, and later calls may be in flight before it is finished. A later call waits
//! for it if both may be about the same frontend, and the operation was not executed there yet:
//! - a call about one frontend, or about all servers of a type: until the operation was executed on those that were
//!   known when it was made. One about a frontend that became known with this call, which the binding marks, also until
//!   it was executed there ([`PendingCall::needs`]); of all servers of a type several may be new. Later calls about
//!   that frontend are not marked: they wait behind the marked one, and if that is overdue, the next call takes its
//!   place;
//! - another operation on all frontends: until the first one was executed on all those that its part is about;
//! - what is about all frontends at once, a barrier or a page of channels: until the operation is finished.

use std::sync::Arc;

use super::{Batch, PendingCall, PendingCalls};
use crate::{
    command::{PageOp, Request},
    everywhere::{Everywhere, MOST_KEYS},
};

/// Counts the operations that are not finished: without any, order costs nothing.
#[derive(Debug, Default)]
pub(super) struct Unfinished(Arc<()>);

impl Unfinished {
    /// Returns one that counts until it is dropped.
    pub(super) fn one(&self) -> Arc<()> {
        self.0.clone()
    }

    pub(super) fn are_any(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// What the operations before a call mean for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// How many of the known frontends all of them were executed on; `None` if there are none of them.
    asked: Option<usize>,
    /// Whether one of them was not executed yet on a frontend that was known when it was made.
    is_behind: bool,
}

impl Ahead {
    const NOTHING: Self = Self {
        asked: None,
        is_behind: false,
    };

    /// Adds a call that is before the next one: it was sent, or is sent before it.
    fn add(&mut self, call: &PendingCall) {
        self.add_with(call, Everywhere::asked);
    }

    /// Adds an operation that goes on, but later than the next call may be sent.
    fn add_unsent(&mut self, call: &PendingCall) {
        self.add_with(call, Everywhere::done);
    }

    fn add_with(&mut self, call: &PendingCall, executed: impl Fn(&Everywhere) -> usize) {
        // One that was answered as overdue does not go on.
        let Some(everywhere) = call.everywhere().filter(|_| !call.answered) else {
            return;
        };
        let asked = executed(everywhere);
        self.asked = Some(self.asked.map_or(asked, |least| least.min(asked)));
        self.is_behind |= asked < everywhere.begun();
    }

    /// Returns whether a call has to wait.
    pub(super) fn holds(&self, call: &PendingCall) -> bool {
        let Some(asked) = self.asked else {
            return false;
        };
        match &call.request {
            Request::Everywhere(own) => asked < own.asked().max(call.needs),
            Request::Clean(_) => true,
            Request::Page(query) if query.op() == PageOp::Channels => true,
            Request::Command(_) | Request::Page(_) => self.is_behind || asked < call.needs,
        }
    }
}

/// The calls of one batch, as far as operations on all frontends are concerned: their order, and their number of keys.
pub(super) struct Series {
    ahead: Ahead,
    keys: usize,
}

impl Series {
    pub(super) fn after(ahead: Ahead) -> Self {
        Self { ahead, keys: 0 }
    }

    /// Adds the next call, if it may be sent with those before it.
    pub(super) fn takes(&mut self, call: &PendingCall) -> bool {
        if self.ahead.holds(call) {
            return false;
        }
        if let Some(everywhere) = call.everywhere() {
            let is_first = self.keys == 0;
            self.keys += everywhere.command().keys().len();
            if self.keys > MOST_KEYS && !is_first {
                return false;
            }
        }
        self.ahead.add(call);
        true
    }
}

impl PendingCall {
    pub(super) fn everywhere(&self) -> Option<&Everywhere> {
        match &self.request {
            Request::Everywhere(everywhere) => Some(everywhere),
            _ => None,
        }
    }
}

impl PendingCalls {
    /// Returns what the operations mean that are before all calls that wait.
    pub(super) fn ahead(&self) -> Ahead {
        let mut ahead = Ahead::NOTHING;
        if self.unfinished.are_any() {
            self.earlier().for_each(|call| ahead.add(call));
            self.held.rests().for_each(|call| ahead.add_unsent(call));
        }
        ahead
    }

    /// Returns how many of the operations that go on are sent now, at most so many.
    pub(super) fn rests_to_send(&self, most: usize) -> usize {
        if self.held.rests().next().is_none() {
            return 0;
        }
        let mut earlier: Vec<_> = self.earlier().collect();
        earlier.sort_unstable_by_key(|call| call.seq);
        let mut earlier = earlier.into_iter().peekable();
        let mut series = Series::after(Ahead::NOTHING);
        let mut is_next = |rest: &&PendingCall| {
            while let Some(call) = earlier.next_if(|call| call.seq < rest.seq) {
                series.ahead.add(call);
            }
            series.takes(rest)
        };
        let rests = self.held.rests().take(most);
        rests.take_while(|rest| is_next(rest)).count()
    }

    /// Iterates over the operations that are held or in flight.
    fn earlier(&self) -> impl Iterator<Item = &PendingCall> {
        self.held.scanning().chain(self.everywhere_in_flight())
    }

    /// Iterates over those that are in flight.
    pub(super) fn everywhere_in_flight(&self) -> impl Iterator<Item = &PendingCall> {
        let batches = self.batches.iter().filter(|batch| batch.has_everywhere);
        let calls = batches.flat_map(|batch: &Batch| &batch.calls);
        calls.filter(|call| call.everywhere().is_some())
    }

    /// Hands what a call needs, which is not sent any more, on to the next one: that may be about the same frontend.
    pub(super) fn hand_on(&mut self, needs: usize) {
        if !self.unfinished.are_any() {
            return;
        }
        let next = self.waiting.front_mut().map(|next| &mut next.needs);
        let next = next.unwrap_or(&mut self.next_needs);
        *next = needs.max(*next);
    }
}
