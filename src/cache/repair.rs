//! Repair after candidates have failed: which other answers they get, and which later reads must get them too, so that
//! no later call sees an older list (rules 4 and 6 of the protocol).
//!
//! For every key, the commands that answer its reads must follow each other on the wire as the reads
//! do in call order. A read that fails moves to a later command; so the reads of the same key after it
//! move too. They can: no call is given out before the ones before it.
//!
//! The other keys of a call are read together with one that fails. Those whose lists are in memory are only confirmed
//! anew, by a barrier after what is read again; that failing, they are read.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Flight, Group, HashMap, Sent, Session, SharedKey, Slot, Wire,
    calls::{Batch, Call, CommandId, GroupId, LastCommands, OpId, Read, State},
    entries::{Entries, Ready},
};
use crate::{failpoints::fail_point, hash_slot::hash_slot, list::List};

/// The decision on a read.
pub(super) enum Decision {
    /// It stays as it is.
    Leave,
    /// The candidate is confirmed.
    Serve(Arc<List>),
    /// Its fallback answers it.
    Wait(CommandId),
    /// It is read again.
    Reread,
    /// It is read again together with another key of its call: from memory, if the list is there.
    Together,
}

/// What is read again: one pipeline for everything that fails in one turn.
#[derive(Default)]
pub(super) struct Rereads {
    no: u64,
    /// Whether nothing is to be answered from memory.
    pub(super) reads_all: bool,
    loads: Vec<(SharedKey, Vec<OpId>)>,
    candidates: Vec<(SharedKey, Ready, Vec<OpId>)>,
    ways: HashMap<SharedKey, Way>,
}

/// How a key is read again: in one way for all that read it, which keeps their order.
#[derive(Clone, Copy)]
enum Way {
    /// From the store; the index among the loads.
    Load(usize),
    /// From memory; the index among the candidates.
    Candidate(usize),
}

/// What the decisions about one flight depend on.
pub(super) struct Repair<'a> {
    /// The groups of the flight, after the barrier.
    groups: &'a [Group],
    no: u64,
    last_commands: LastCommands,
    /// Keys whose later reads are answered by their fallback too, if it is this command.
    fallen: HashMap<SharedKey, CommandId>,
}

impl Session {
    /// Goes through all calls from this batch on, in call order.
    pub(super) fn repair(&mut self, no: u64, groups: &[Group], again: &mut Rereads) {
        if again.no == 0 {
            again.no = self.number();
        }
        // Candidates that are confirmed anew are of earlier batches.
        let members = groups.iter().flat_map(|group| &group.members);
        let first = members.map(|at| at.batch).min().unwrap_or(no);
        let mut repair = Repair {
            groups,
            no,
            last_commands: self.calls.last_commands(first),
            fallen: HashMap::default(),
        };
        for batch in self.calls.from(first) {
            let mut waiting = Vec::new();
            for call in 0..batch.calls.len() {
                if !repair.concerns(batch, call, again) {
                    continue;
                }
                for (read, (key, decision)) in repair.decide(batch, call, &self.flights, again) {
                    let at = OpId {
                        batch: batch.no,
                        call,
                        read,
                    };
                    let state = match decision {
                        Decision::Leave => continue,
                        Decision::Serve(list) => {
                            let served = batch.serve((call, read), no, list);
                            self.stats.cache.hits.add(usize::from(served));
                            continue;
                        }
                        Decision::Wait(place) => {
                            repair.fallen.insert(key, place);
                            waiting.push((place, at));
                            State::Waiting(place)
                        }
                        Decision::Reread => again.read(&key, at, None),
                        Decision::Together => again.read(&key, at, Some(&mut self.entries)),
                    };
                    let failed = batch.redirect(call, read, state);
                    self.stats.cache.rereads.add(usize::from(failed));
                }
            }
            for (place, at) in waiting {
                wait(&mut self.flights, place, at);
            }
        }
    }

    /// Returns the pipeline, to be sent at once, of what is read again and of dead keys to be forgotten.
    pub(super) fn send_again(&mut self, again: Rereads) -> Option<Sent> {
        let due = self.dead_keys.due();
        if again.ways.is_empty() && due.is_none() {
            return None;
        }
        let no = match again.no {
            0 => self.number(),
            no => no,
        };
        let mut flight = Flight::new(no);
        let mut wire = Vec::with_capacity(again.loads.len());
        for (slot, (key, waiters)) in again.loads.into_iter().enumerate() {
            let (command, load) = self.load(&key, waiters);
            let place = CommandId { flight: no, slot };
            self.reread(&key, place);
            self.fall_back(&key, place);
            wire.push(command);
            flight.slots.push(load);
        }
        for keys in self.split(due.unwrap_or_default(), |key| hash_slot(key)) {
            wire.push(Wire::Forget(keys.clone()));
            flight.slots.push(Slot::Forget(keys));
        }
        flight.is_repair = true;
        for (key, ready, members) in again.candidates {
            self.group(&mut flight, &key, ready, members);
        }
        self.place_barrier(&mut flight, &mut wire);
        self.flights.push_back(flight);
        Some(Sent { no, wire })
    }

    /// Records what calls that wait may join, in place of what was placed before.
    fn reread(&mut self, key: &SharedKey, place: CommandId) {
        fail_point!("joins-over-reread", Some(()));
        self.recent.placed(key, place);
    }
}

impl Repair<'_> {
    /// Returns whether the answer of a call may have to be changed; the calls of later batches are affected only by
    /// earlier decisions. A quick test, because few of many calls are.
    fn concerns(&self, batch: &Batch, call: usize, again: &Rereads) -> bool {
        let Some(Call::Reads(reads)) = batch.calls.get(call) else {
            return false;
        };
        let mut reads = reads.iter();
        reads.any(|r| {
            self.is_mine(r) || again.ways.contains_key(&r.key) || self.fallen.contains_key(&r.key)
        })
    }

    /// Returns whether a read is a candidate of the flight.
    pub(super) fn is_mine(&self, read: &Read) -> bool {
        matches!(read.state, State::Candidate(of) if of.flight == self.no)
    }

    /// Returns the group of a candidate.
    fn group<'b>(&'b self, read: &Read, flights: &'b VecDeque<Flight>) -> Option<&'b Group> {
        let State::Candidate(GroupId { flight: no, index }) = read.state else {
            return None;
        };
        if no == self.no {
            return self.groups.get(index);
        }
        let flight = flights.iter().find(|flight| flight.no == no)?;
        flight.groups.get(index)
    }

    /// Decides on each read of a call.
    fn decide(
        &self,
        batch: &Batch,
        call: usize,
        flights: &VecDeque<Flight>,
        again: &Rereads,
    ) -> impl Iterator<Item = (usize, (SharedKey, Decision))> + use<> {
        let Some(Call::Reads(reads)) = batch.calls.get(call) else {
            return Vec::new().into_iter().enumerate();
        };
        let list_of = |read: &Read| self.group(read, flights).and_then(|g| g.list.as_ref());
        let failed = |read: &Read| self.is_mine(read) && list_of(read).is_none();
        let asked_later = |key| self.last_commands.is_after(key, (batch.no, call));
        // The keys of one call are read again together, as they were read together; unless that
        // would show a write that was called later, or what a later read of the store did not show.
        let together = reads.len() > 1
            && reads.iter().any(|r| again.has(&r.key) || failed(r))
            && !reads.iter().any(|r| asked_later(&r.key));
        let decide = |read: &Read| {
            if together && !failed(read) && matches!(read.state, State::Candidate(_)) {
                fail_point!("not-together", self.apart(read, list_of(read)));
                return Decision::Together;
            }
            if together || again.has(&read.key) {
                return Decision::Reread;
            }
            let Some(group) = self.group(read, flights) else {
                return Decision::Leave;
            };
            match (&group.list, group.fallback) {
                (_, Some(place)) if self.has_fallen(&read.key, place) => Decision::Wait(place),
                _ if !self.is_mine(read) => Decision::Leave,
                (Some(list), _) => Decision::Serve(list.clone()),
                (None, Some(place)) => Decision::Wait(place),
                (None, None) => Decision::Reread,
            }
        };
        let decisions: Vec<_> = reads.iter().map(|r| (r.key.clone(), decide(r))).collect();
        decisions.into_iter().enumerate()
    }

    fn has_fallen(&self, key: &SharedKey, place: CommandId) -> bool {
        fail_point!("no-fallback-for-reads", Some(false));
        self.fallen.get(key) == Some(&place)
    }
}

impl Rereads {
    /// Returns whether a key is read again; every later read of it is, too.
    fn has(&self, key: &SharedKey) -> bool {
        fail_point!("no-fallback-for-reads", Some(false));
        self.ways.contains_key(key)
    }

    /// Has a key read again; from memory if it is there and `entries` is given.
    fn read(&mut self, key: &SharedKey, at: OpId, entries: Option<&mut Entries>) -> State {
        let way = self.ways.get(key).copied().unwrap_or_else(|| {
            let ready = entries.filter(|_| !self.reads_all);
            let ready = ready.and_then(|entries| entries.ready(key));
            let way = if let Some(ready) = ready {
                self.candidates.push((key.clone(), ready, Vec::new()));
                Way::Candidate(self.candidates.len() - 1)
            } else {
                self.loads.push((key.clone(), Vec::new()));
                Way::Load(self.loads.len() - 1)
            };
            self.ways.insert(key.clone(), way);
            way
        });
        let flight = self.no;
        match way {
            Way::Load(slot) => {
                self.loads[slot].1.push(at);
                State::Waiting(CommandId { flight, slot })
            }
            Way::Candidate(index) => {
                self.candidates[index].2.push(at);
                State::Candidate(GroupId { flight, index })
            }
        }
    }
}

/// Waits for a command that was sent already.
pub(super) fn wait(flights: &mut VecDeque<Flight>, place: CommandId, at: OpId) {
    let flight = flights.iter_mut().find(|flight| flight.no == place.flight);
    if let Some(Slot::Load { waiters, .. }) =
        flight.and_then(|flight| flight.slots.get_mut(place.slot))
    {
        waiters.push(at);
    }
}
