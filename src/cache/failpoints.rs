//! Fail points of the cache (see [`crate::failpoints`]) whose wrong behaviour is more than a constant. Not compiled
//! into a release.

use std::sync::Arc;

use super::{
    Answer, Group, Ready, Session, Slot, Touch,
    calls::{CommandId, GroupId, OpId, Read, State},
    form::Forming,
    repair::{Decision, Repair},
    settle::Confirmed,
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
        self.flights.iter_mut().find_map(|flight| {
            let of = |group: &Group| group.key == *key && group.ready == ready;
            let index = flight.groups.iter().position(of)?;
            flight.groups[index].members.push(at);
            let flight = flight.no;
            Some(State::Candidate(GroupId { flight, index }))
        })
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

    /// Breaks rule 2: one sum for the keys with members and for those without.
    pub(super) fn one_sum(groups: &[Group]) -> Option<Vec<(Touch, Vec<SharedKey>)>> {
        let asked: Vec<_> = (0..groups.len())
            .filter(|&index| !groups[index].dissolved)
            .collect();
        let keys: Vec<_> = asked
            .iter()
            .map(|&index| groups[index].key.clone())
            .collect();
        let full = asked
            .iter()
            .filter(|&&index| groups[index].ready != Ready::Empty);
        let expected = full.count();
        let touch = Touch {
            groups: asked,
            expected,
        };
        (!keys.is_empty()).then(|| vec![(touch, keys)])
    }
}

impl Repair<'_> {
    /// Breaks the rule that the keys of a call are read again together: those that the first barrier has confirmed are
    /// served.
    pub(super) fn apart(&self, read: &Read, list: Option<&Arc<List>>) -> Option<Decision> {
        list.filter(|_| self.is_mine(read))
            .map(|list| Decision::Serve(list.clone()))
    }
}

impl Confirmed {
    /// Breaks rule 2: an answer that is no number, such as that of a node that has lost the slot, confirms all.
    pub(super) fn unless_counted(touched: Option<usize>) -> Option<Self> {
        touched.is_none().then_some(Self::Yes)
    }
}

impl Answer {
    /// Breaks the rule for filling: the read counts as tracked, whatever the answer to `CLIENT CACHING YES`.
    pub(super) fn taken_for_granted(
        answer: Option<&Self>,
    ) -> Option<(bool, u64, Result<Arc<List>>)> {
        match answer {
            Some(Self::Tracked { pushes, list, .. }) => Some((true, *pushes, list.clone())),
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
