//! What the cache does in the place of a rule that is broken (see [`crate::failpoints`]), where that is more than
//! to leave something out.

use super::{
    Ready, Session, Slot,
    calls::{At, Place, State},
};
use crate::list_lru::SharedKey;

impl Session {
    /// Rule 4 broken: a read that is placed is no fallback.
    pub(super) fn keep_groups_if_broken(&mut self, key: &SharedKey) -> Vec<(u64, usize)> {
        match self.busy.get_mut(key) {
            Some(busy) if self.broken.is("no-fallback-for-reads") => {
                std::mem::take(&mut busy.groups)
            }
            _ => Vec::new(),
        }
    }

    /// Rule 4 broken: the load may have been executed before this call was made.
    pub(super) fn join_sent_load(&mut self, at: At, key: &SharedKey) -> Option<State> {
        let token = self.entries.loading(key)?;
        self.flights.iter_mut().find_map(|flight| {
            let no = flight.no;
            flight
                .slots
                .iter_mut()
                .enumerate()
                .find_map(|(slot, load)| match load {
                    Slot::Load {
                        token: of, waiters, ..
                    } if *of == token => {
                        waiters.push(at);
                        Some(State::Waiting(Place { flight: no, slot }))
                    }
                    _ => None,
                })
        })
    }

    /// Rule 4 broken: the barrier may have been executed before this call was made.
    pub(super) fn share_sent_barrier(
        &mut self,
        at: At,
        key: &SharedKey,
        ready: Ready,
    ) -> Option<State> {
        let groups = self
            .flights
            .iter_mut()
            .flat_map(|flight| &mut flight.groups);
        let mut same = groups.filter(|group| group.key == *key && group.ready == ready);
        same.next()?.members.push(at);
        Some(State::Candidate(usize::MAX))
    }
}
