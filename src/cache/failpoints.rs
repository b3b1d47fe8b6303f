//! Fail points of the cache (see [`crate::failpoints`]) whose wrong behaviour is more than a constant. Not compiled
//! into a release.

use std::sync::Arc;

use super::{
    Answer, Barrier, Group, Ready, Session, Slot,
    calls::{CommandId, OpId, State},
    form::Forming,
    settle::BarrierOutcome,
};
use crate::{error::Result, list::List, list_lru::SharedKey};

impl Session {
    /// Breaks rule 4: a read that is placed is no fallback.
    pub(super) fn read_without_falling_back(
        &mut self,
        forming: &mut Forming,
        at: OpId,
        key: &SharedKey,
        local: usize,
    ) -> Option<State> {
        let busy = self.busy.get_mut(key)?;
        let groups = std::mem::take(&mut busy.groups);
        let slot = self.place(forming, key, local);
        if !groups.is_empty() {
            self.busy.entry(key.clone()).or_default().groups = groups;
        }
        Some(forming.join(slot, at))
    }

    /// Breaks rule 4: the load may have been executed before this call was made.
    pub(super) fn join_sent_load(&mut self, at: OpId, key: &SharedKey) -> Option<State> {
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
                        Some(State::Waiting(CommandId { flight: no, slot }))
                    }
                    _ => None,
                })
        })
    }

    /// Breaks rule 3: nothing proves that the list is current.
    pub(super) fn serve_at_once(&self, key: &SharedKey, ready: Ready) -> Option<State> {
        let list = self.entries.get(key, ready)?;
        Some(State::Known(Ok(list)))
    }

    /// Breaks rule 4: the barrier may have been executed before this call was made.
    pub(super) fn share_sent_barrier(
        &mut self,
        at: OpId,
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

    /// Breaks rule 4: no fallback is placed before a write, for candidates of these flights only.
    pub(super) fn needs_no_fallback(
        &self,
        key: &SharedKey,
        of: impl Fn(u64) -> bool,
    ) -> Option<()> {
        let groups = &self.busy.get(key)?.groups;
        groups.iter().all(|(flight, _)| of(*flight)).then_some(())
    }

    /// Breaks rule 3: the list of the time of the call is kept, and served if the memory has none any more.
    pub(super) fn place_by_reference(
        &mut self,
        forming: &mut Forming,
        at: OpId,
        key: &SharedKey,
        local: usize,
        ready: Ready,
    ) -> Option<State> {
        let list = self.entries.get(key, ready);
        let state = self.place_candidate(forming, at, key, local, ready);
        forming.flight.groups.last_mut()?.list = list;
        Some(state)
    }
}

impl Forming {
    /// Breaks rule 2: one sum for the keys with members and for those without.
    pub(super) fn one_barrier(&self) -> (Barrier, [Vec<SharedKey>; 2]) {
        let groups = || self.flight.groups.iter().filter(|group| !group.dissolved);
        let keys: Vec<_> = groups().map(|group| group.key.clone()).collect();
        let full = groups().filter(|group| group.ready != Ready::Empty);
        let barrier = Barrier {
            full: (!keys.is_empty()).then_some(full.count()),
            empty: false,
        };
        (barrier, [keys, Vec::new()])
    }

    /// Breaks rule 2: keys without members are not asked about.
    pub(super) fn barrier_of_full(&self) -> (Barrier, [Vec<SharedKey>; 2]) {
        let groups = self.flight.groups.iter().filter(|group| !group.dissolved);
        let full = groups.filter(|group| group.ready != Ready::Empty);
        let keys: Vec<_> = full.map(|group| group.key.clone()).collect();
        let barrier = Barrier {
            full: (!keys.is_empty()).then_some(keys.len()),
            empty: false,
        };
        (barrier, [keys, Vec::new()])
    }
}

impl BarrierOutcome {
    /// Breaks rule 3: any answer to the barrier is accepted.
    pub(super) const ALWAYS: Self = Self {
        full: true,
        empty: true,
        all_new: false,
    };

    /// Breaks rule 3: the one sum is taken for both.
    pub(super) fn both(full: Option<bool>) -> Self {
        let outcome = full.unwrap_or(true);
        Self {
            full: outcome,
            empty: outcome,
            all_new: false,
        }
    }
}

impl Answer {
    /// Breaks the rule for filling: the read counts as tracked, whatever the answer to `CLIENT CACHING YES`.
    pub(super) fn taken_for_granted(answer: Option<&Self>) -> Option<(bool, Result<Arc<List>>)> {
        match answer {
            Some(Self::Tracked(_, list)) => Some((true, list.clone())),
            _ => None,
        }
    }
}

impl Group {
    /// Breaks rule 3: the list of the time of the call is served if the memory has none any more.
    pub(super) fn by_reference(&self, list: Option<&Arc<List>>) -> Option<Arc<List>> {
        list.or(self.list.as_ref()).cloned()
    }
}
