//! The turns of the batches of a connection. Several are in flight, and some may have to be sent again: this keeps the order
//! of the commands of each key, as if one batch were sent after the other.
//!
//! - Batches are sent in call order. One is sent while earlier ones are unanswered, unless one of those holds it back.
//! - Batches are judged in call order: one whose answers have arrived waits until all earlier ones are done.
//! - When a node did not execute some commands of a batch, they are sent again, and all later commands of their slots in
//!   batches that are in flight already are sent again after them ([`Turn::resends`]). Some of these may have been executed
//!   before; commands are idempotent. Nothing new is sent until all of them are done, so that this comes to an end.
//! - What takes several rounds, and so could not be sent again with others, is alone: it is sent when all earlier batches are
//!   done, and holds later ones back.
//!
//! A turn that is dropped, because its page was given up, is done.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The slots of commands that are to be sent again.
pub(super) type Slots = HashSet<u16>;

/// The turns of one connection.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    /// Notified when a waiting turn may go on.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the first turn in `turns`: all before it are done.
    first: u64,
    turns: VecDeque<Phase>,
    /// Turns from this number on are not sent before all earlier ones are done.
    hold: u64,
    resends: Vec<Resend>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Sent,
    Done,
}

/// A batch has sent commands of these slots again.
#[derive(Debug)]
struct Resend {
    slots: Slots,
    by: u64,
    /// The first turn that was not sent by then.
    end: u64,
}

/// One turn. It is done when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    number: u64,
}

impl Turns {
    /// Takes the next turn.
    pub(super) fn take(self: &Arc<Self>) -> Turn {
        let mut state = self.state();
        let number = state.first + state.turns.len() as u64;
        state.turns.push_back(Phase::Waiting);
        Turn {
            turns: self.clone(),
            number,
        }
    }

    /// Returns whether the next one could be sent at once.
    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        state.may_send(state.first + state.turns.len() as u64)
    }

    /// Holds back what is not sent yet until all is done that was sent by now: the slot map is about to change, and a node
    /// that has lost a slot may not have executed what it was sent.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        let end = state.unsent();
        state.hold = state.hold.max(end);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so`.
    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From now on no change is missed.
            changed.as_mut().enable();
            if is_so(&self.state()) {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// Returns the phases of the turns before this one that are not all done.
    fn before(&self, number: u64) -> impl Iterator<Item = Phase> {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.turns.iter().take(count).copied()
    }

    fn is_first(&self, number: u64) -> bool {
        self.before(number).all(|phase| phase == Phase::Done)
    }

    fn may_send(&self, number: u64) -> bool {
        let all_sent = self.before(number).all(|phase| phase != Phase::Waiting);
        all_sent && (number < self.hold || self.first >= self.hold)
    }

    fn note(&mut self, number: u64, phase: Phase) {
        let at = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(turn) = self.turns.get_mut(at) {
            *turn = phase;
        }
        while self.turns.front() == Some(&Phase::Done) {
            self.turns.pop_front();
            self.first += 1;
        }
        let first = self.first;
        self.resends.retain(|resend| resend.end > first);
    }

    /// Returns the first turn that was not sent.
    fn unsent(&self) -> u64 {
        let sent = self
            .turns
            .iter()
            .take_while(|phase| **phase != Phase::Waiting);
        self.first + sent.count() as u64
    }
}

impl Turn {
    /// Waits until it may be sent.
    pub(super) async fn to_send(&self) {
        self.turns.until(|state| state.may_send(self.number)).await;
    }

    /// Notes that it was sent.
    pub(super) fn sent(&self) {
        self.turns.state().note(self.number, Phase::Sent);
        self.turns.changed.notify_waiters();
    }

    /// Waits until all earlier ones are done, and holds later ones back.
    pub(super) async fn alone(&self) {
        self.first().await;
        let mut state = self.turns.state();
        state.hold = state.hold.max(self.number + 1);
        drop(state);
        self.sent();
    }

    /// Waits until all earlier ones are done.
    pub(super) async fn first(&self) {
        self.turns.until(|state| state.is_first(self.number)).await;
    }

    /// Returns the slots of which earlier batches sent commands again after this one was sent.
    pub(super) fn stale(&self) -> Slots {
        let state = self.turns.state();
        let number = self.number;
        let after = state
            .resends
            .iter()
            .filter(|resend| resend.by < number && number < resend.end);
        after
            .flat_map(|resend| resend.slots.iter().copied())
            .collect()
    }

    /// Notes that commands of these slots are about to be sent again. Holds later batches back until all are done that were
    /// sent by now.
    pub(super) fn resends(&self, slots: Slots) {
        let mut state = self.turns.state();
        let end = state.unsent();
        state.hold = state.hold.max(end);
        let by = self.number;
        state.resends.push(Resend { slots, by, end });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.state().note(self.number, Phase::Done);
        self.turns.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn sends(turn: &Turn) -> bool {
        let may = turn.to_send().now_or_never().is_some();
        if may {
            turn.sent();
        }
        may
    }

    fn is_first(turn: &Turn) -> bool {
        turn.first().now_or_never().is_some()
    }

    #[test]
    fn batches_are_sent_in_order_and_judged_in_order() {
        let turns = Arc::new(Turns::default());
        let [one, two, three] = [turns.take(), turns.take(), turns.take()];
        assert!(!sends(&two) && sends(&one) && sends(&two));
        assert!(is_first(&one) && !is_first(&two) && !turns.is_open());
        drop(two);
        assert!(sends(&three) && !is_first(&three) && turns.is_open());
        drop(one);
        assert!(is_first(&three));
    }

    #[test]
    fn what_is_in_flight_is_sent_again_after_a_redirection_and_nothing_new_before_that() {
        let turns = Arc::new(Turns::default());
        let [one, two, three] = [turns.take(), turns.take(), turns.take()];
        assert!(sends(&one) && sends(&two));
        one.resends(Slots::from([7]));
        let four = turns.take();
        assert!(!sends(&three));
        drop(one);
        assert_eq!(two.stale(), Slots::from([7]));
        two.resends(two.stale());
        assert!(!sends(&three));
        drop(two);
        assert!(sends(&three) && sends(&four));
        assert!(three.stale().is_empty() && four.stale().is_empty());
        assert!(is_first(&three));
    }

    #[test]
    fn one_that_is_alone_waits_for_earlier_ones_and_holds_later_ones_back() {
        let turns = Arc::new(Turns::default());
        let [one, two, three] = [turns.take(), turns.take(), turns.take()];
        assert!(sends(&one));
        assert!(two.alone().now_or_never().is_none() && !sends(&three));
        drop(one);
        assert!(two.alone().now_or_never().is_some() && !sends(&three));
        assert!(!turns.is_open());
        drop(two);
        assert!(sends(&three));
    }

    #[test]
    fn a_new_map_is_used_when_what_was_sent_by_the_old_one_is_done() {
        let turns = Arc::new(Turns::default());
        let [one, two] = [turns.take(), turns.take()];
        assert!(sends(&one));
        turns.settle();
        assert!(!sends(&two) && !turns.is_open());
        drop(one);
        assert!(sends(&two) && turns.is_open());
    }

    #[test]
    fn one_that_is_given_up_holds_nothing_back() {
        let turns = Arc::new(Turns::default());
        let [one, two, three] = [turns.take(), turns.take(), turns.take()];
        drop(two);
        assert!(!sends(&three) && sends(&one) && sends(&three));
        assert!(!is_first(&three));
        drop(one);
        assert!(is_first(&three));
    }
}
