//! Fallbacks: the `SMEMBERS` that is placed for candidates, which answers them if the barrier does not confirm what is in
//! memory (rules 4 and 5 of the protocol).

use super::{
    Busy, Session, Slot, Wire,
    calls::{Call, CommandId, OpId},
    form::{Forming, Local},
};
use crate::{failpoints::fail_point, list_lru::SharedKey};

impl Session {
    /// Places `SMEMBERS key`, which becomes the fallback of all candidates that have none.
    pub(super) fn place(&mut self, forming: &mut Forming, key: &SharedKey, local: usize) -> usize {
        let no = forming.flight.no;
        let slot = forming.flight.slots.len();
        let (wire, load) = self.load(key, Vec::new());
        forming.flight.slots.push(load);
        forming.wire.push(wire);
        forming.locals[local].load = Some(slot);
        let place = CommandId { flight: no, slot };
        self.recent.placed(key, place);
        for index in self.fall_back(key, place) {
            let dissolved = forming.dissolve(index, place);
            self.stats.cache.misses.add(dissolved);
        }
        slot
    }

    /// Makes a load of a key, tracked if that is worth it and leaves no dead keys on the server.
    pub(super) fn load(&mut self, key: &SharedKey, waiters: Vec<OpId>) -> (Wire, Slot) {
        let token = self.number();
        self.entries.load(key, token);
        let tracked = self.entries.is_worth_tracking(key) && self.dead_keys.may_track();
        let wire = if tracked {
            Wire::Tracked(key.clone())
        } else {
            Wire::Members(key.clone())
        };
        let load = Slot::Load {
            key: key.clone(),
            token,
            tracked,
            waiters,
        };
        (wire, load)
    }

    /// Makes a `SMEMBERS key` that was placed the fallback of all candidates of the key that have none. Returns their
    /// groups in this batch.
    pub(super) fn fall_back(&mut self, key: &SharedKey, place: CommandId) -> Vec<usize> {
        let mut own = Vec::new();
        let Some(busy) = self.busy.get_mut(key) else {
            return own;
        };
        for (flight, index) in std::mem::take(&mut busy.groups) {
            if flight == place.flight {
                own.push(index);
            } else if let Some(flight) = self.flight(flight) {
                flight.groups[index].fallback = Some(place);
            }
        }
        self.tidy(key);
        own
    }

    /// Places a read for candidates that would otherwise see the effect of the command that is placed next.
    pub(super) fn place_fallback(&mut self, forming: &mut Forming, key: &SharedKey, local: usize) {
        fail_point!(
            "no-fallback-same-batch",
            self.needs_no_fallback(key, |flight| flight == forming.flight.no)
        );
        fail_point!(
            "no-fallback-next-batch",
            self.needs_no_fallback(key, |flight| flight != forming.flight.no)
        );
        let has_candidates = |busy: &Busy| !busy.groups.is_empty();
        if self.busy.get(key).is_some_and(has_candidates) {
            self.place(forming, key, local);
        }
    }

    /// The same before a command that may be about any key: for all candidates there are. Later reads of the batch begin
    /// anew. Reads of later batches need nothing else: what the command changes is reported before their barrier is
    /// answered.
    pub(super) fn place_all_fallbacks(&mut self, forming: &mut Forming) {
        fail_point!("no-fallback-open", Some(()));
        let busy = self.busy.iter().filter(|(_, busy)| !busy.groups.is_empty());
        let mut keys: Vec<SharedKey> = busy.map(|(key, _)| key.clone()).collect();
        // In the same order each time: the tests go through all orders of the steps.
        keys.sort_unstable();
        for key in keys {
            let (key, local) = forming.share(&key);
            self.place_fallback(forming, &key, local);
        }
        forming.locals.fill(Local::default());
        self.recent.clear();
    }
}

impl Forming {
    /// Turns the candidates of a group into plain reads of a command in the same batch. Returns their number.
    fn dissolve(&mut self, index: usize, place: CommandId) -> usize {
        let group = &mut self.flight.groups[index];
        group.dissolved = true;
        let members = std::mem::take(&mut group.members);
        let count = members.len();
        for at in members {
            let state = self.join(place.slot, at);
            if let Some(Call::Reads(reads)) = self.calls.get_mut(at.call) {
                reads[at.read].state = state;
            }
        }
        count
    }
}
