//! Sends calls again after a connection was lost, and after its server was demoted.
//!
//! A call can itself be the reason why a connection is lost: a uid longer than the server accepts, or a list longer
//! than it sends. So calls that were in flight when a connection broke twice are sent carefully: one batch at a time,
//! soon one call at a time. If connections break with a call alone in flight, it is not sent again.

use tokio::time::Instant;

use super::{BATCH, Batch, PendingCall, PendingCalls};
use crate::{
    driver::{in_flight::Answered, mailbox::Event},
    error::Error,
    everywhere::Everywhere,
};

/// Calls that were lost this often are sent carefully.
const CAREFUL: u32 = 2;

/// The first number of calls that are sent carefully at a time. It doubles whenever the connection has answered, so
/// that a connection that broke for another reason is soon at full speed.
pub(super) const GROUP: usize = 32;

/// A call that was lost this often, and as often alone in flight, fails. A server that only restarts does not lose a
/// call so often.
const GIVE_UP: u32 = 4;
const ALONE: u32 = 2;

/// How often a call was in flight when a connection broke.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    all: u32,
    /// How often it was the only call in flight.
    alone: u32,
}

impl Losses {
    pub(super) fn is_suspect(self) -> bool {
        self.all >= CAREFUL
    }

    fn is_enough(self) -> bool {
        self.all >= GIVE_UP && self.alone >= ALONE
    }
}

impl Batch {
    /// Returns whether its calls are sent carefully. The first call decides, because older calls were lost at least as
    /// often as later ones.
    pub(super) fn is_careful(&self) -> bool {
        self.calls
            .first()
            .is_some_and(|call| call.losses.is_suspect())
    }
}

impl PendingCalls {
    /// Returns how many of the first calls that wait may be sent at once, if they are to be sent carefully.
    pub(super) fn careful(&self) -> Option<usize> {
        let first = self.waiting.front()?;
        if !first.losses.is_suspect() {
            return None;
        }
        let most = match first.losses.all - CAREFUL {
            0 => self.group,
            1 => GROUP,
            _ => 1,
        };
        let suspects = self.waiting.iter().take(most.max(GROUP) + 1);
        let suspects = suspects.take_while(|call| call.losses.all == first.losses.all);
        let count = suspects.count();
        Some(if count > GROUP { count.min(most) } else { 1 })
    }

    /// Records that a batch was answered, or a page, by its first call.
    pub(super) fn lived(&mut self, first: &PendingCall) {
        if first.losses.is_suspect() {
            self.group = (2 * self.group).min(BATCH);
        }
    }

    /// Puts what was in flight back to the calls that wait, in the old order. Exceptions are a barrier, because half of
    /// it may be done, and a call with which the connection `broke` too often.
    pub(in crate::driver) fn connection_lost(
        &mut self,
        error: &Error,
        broke: bool,
        events: &mut Vec<Event>,
    ) {
        if self.barrier_in_flight() {
            self.begin_anew(Instant::now());
        }
        self.group = GROUP;
        let alone = self.in_flight().take(2).count() == 1;
        for mut call in self.take_in_flight().rev() {
            call.losses.all += u32::from(broke);
            call.losses.alone += u32::from(broke && alone);
            if call.request.is_barrier() {
                call.answer(Err(error.clone()), events);
            } else if call.losses.is_enough() {
                let error = given_up(call.losses, error);
                call.answer(Err(error), events);
            } else {
                self.wait_again(call);
            }
        }
    }

    /// Handles the answers of a server that is no longer primary to the oldest batch, or to a page: its calls wait again,
    /// and so does everything else in flight. Calls to which that has happened before get these replies, if they are
    /// `last`.
    pub(in crate::driver) fn demoted(
        &mut self,
        answered: Answered,
        last: bool,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let is_last = |call: &PendingCall| last && call.demoted;
        let barrier = self.barrier_in_flight();
        match answered {
            Answered::Batch(replies) => {
                if let Some(batch) = self.batches.front_mut() {
                    let told = batch.calls.iter().take_while(|call| is_last(call)).count();
                    let kept = batch.calls.split_off(told);
                    let told = std::mem::replace(&mut batch.calls, kept);
                    for call in &mut batch.calls {
                        // It was answered, so nothing of it can take effect later.
                        call.sent = false;
                    }
                    let has_everywhere = batch.has_everywhere;
                    self.answer_all(told, has_everywhere, replies, events);
                }
            }
            Answered::Page(number, replies) => {
                let told = self.take_page(number, is_last);
                self.answer_all(told.into_iter().collect(), false, replies, events);
            }
            Answered::PageBegun => {}
        }
        for mut call in self.take_in_flight().rev() {
            call.demoted = true;
            self.wait_again(call);
        }
        if barrier {
            self.begin_anew(now);
        }
    }

    /// Puts a call that was in flight before those that wait, unless it was answered as overdue.
    fn wait_again(&mut self, call: PendingCall) {
        let is_rest = call.everywhere().is_some_and(Everywhere::is_under_way);
        match (call.answered, call.seq, is_rest) {
            (false, _, false) => self.waiting.push_front(call),
            (false, _, true) => self.held.go_on(call),
            (true, None, _) => self.index.given_up(&call.request),
            (true, Some(_), _) => {}
        }
    }
}

fn given_up(losses: Losses, error: &Error) -> Error {
    let Losses { all, alone } = losses;
    let last = error.cause().unwrap_or_default();
    let words = format!(
        "the connection was lost {all} times with this call under way, {alone} of them with no other: {last}"
    );
    let cause = Some(words.into());
    Error::Disconnected { cause }
}
