//! What answers mean: fill the memory, serve candidates, read again what failed (rules 3, 5 and 6 of
//! the protocol), and give out finished calls in call order.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    Answer, Flight, Group, Sent, Session, SharedKey, Slot, Wire,
    calls::{At, Call, Place, Read, State},
};
use crate::{
    command::Reply,
    error::{Error, Result},
    list::List,
};

/// What came of some answers.
#[derive(Debug, Default)]
pub struct Settled {
    /// Batches all of whose calls have their replies, by number, in the order of the calls.
    pub finished: Vec<(u64, Vec<Result<Reply>>)>,
    /// To be sent at once, before anything that is formed later.
    pub again: Option<Sent>,
}

/// What becomes of a read.
enum Decision {
    /// What it is.
    Leave,
    Serve(Arc<List>),
    /// It is answered by its fallback.
    Wait(Place),
    /// It is read again.
    Again,
}

/// The second reading of what failed.
#[derive(Default)]
struct Again {
    no: u64,
    loads: Vec<(SharedKey, Vec<At>)>,
    slots: HashMap<SharedKey, usize>,
}

impl Session {
    /// Takes the answers to a pipeline, one for each of its commands. Pipelines are looked at in
    /// the order in which they were sent, whatever order their answers are handed in.
    pub fn settle(&mut self, no: u64, answers: Vec<Answer>) -> Settled {
        if let Some(flight) = self.flight(no) {
            flight.answers = Some(answers);
        }
        let mut again = Again::default();
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.answers.is_some()) {
            self.land(flight, &mut again);
        }
        Settled {
            again: (!again.loads.is_empty()).then(|| self.send_again(again)),
            finished: self.calls.finished(),
        }
    }

    fn land(&mut self, mut flight: Flight, again: &mut Again) {
        let mut answers = flight.answers.take().unwrap_or_default().into_iter();
        for (index, slot) in flight.slots.into_iter().enumerate() {
            let answer = answers.next();
            match slot {
                Slot::Write { at, keys } => {
                    for key in &keys {
                        self.written(key);
                    }
                    let result = match answer {
                        Some(Answer::Wrote(result)) => result,
                        _ => Err(missing()),
                    };
                    self.calls.wrote(at, result);
                }
                Slot::Load {
                    key,
                    token,
                    waiters,
                } => {
                    let result = match answer {
                        Some(Answer::List(result)) => result,
                        _ => Err(missing()),
                    };
                    let version = self.number();
                    let list = result.as_ref().ok();
                    self.entries.loaded(&key, token, version, list);
                    let place = Place {
                        flight: flight.no,
                        slot: index,
                    };
                    for at in waiters {
                        self.calls.answered(at, place, &result);
                    }
                }
            }
        }
        if let Some(expected) = flight.barrier {
            let touched = match answers.next() {
                Some(Answer::Touched(touched)) => touched,
                _ => None,
            };
            let holds = touched == Some(expected) || self.broken.is("barrier-ignores-count");
            self.judge(flight.no, flight.groups, holds, again);
        }
    }

    fn written(&mut self, key: &SharedKey) {
        if let Some(busy) = self.busy.get_mut(key) {
            busy.writes = busy.writes.saturating_sub(1);
            self.tidy(key);
        }
    }

    /// Serves the candidates of a flight whose barrier was answered, or finds them other answers.
    fn judge(&mut self, no: u64, mut groups: Vec<Group>, holds: bool, again: &mut Again) {
        let mut failed = false;
        for (index, group) in groups.iter_mut().enumerate() {
            if group.dissolved {
                continue;
            }
            if let Some(busy) = self.busy.get_mut(&group.key) {
                busy.groups.retain(|of| *of != (no, index));
                self.tidy(&group.key);
            }
            let list = self.entries.get(&group.key, group.version);
            let gone_by_eviction = list.is_none() && self.broken.is("by-reference");
            if !gone_by_eviction {
                group.list = list;
            }
            if !holds {
                group.list = None;
            }
            failed |= group.list.is_none();
        }
        if failed {
            self.repair(no, &groups, again);
            return;
        }
        for group in &groups {
            if let Some(list) = &group.list {
                self.stats.cache.hits.add(group.members.len());
                for at in &group.members {
                    self.calls.serve(*at, list);
                }
            }
        }
    }

    /// Goes through all calls from this batch on, in call order. A candidate that failed is answered
    /// by its fallback or read again. With one key of a call all its keys are read again, unless a
    /// write of ours that was called later has been sent; and whatever answers a call late, answers
    /// all later ones that read the same key: none of them may show an older list.
    fn repair(&mut self, no: u64, groups: &[Group], again: &mut Again) {
        if again.no == 0 {
            again.no = self.number();
        }
        let in_order = !self.broken.is("no-fallback-for-reads");
        let last_writes = self.calls.last_writes(no);
        // Keys that are answered by a fallback from here on, as far as it is theirs.
        let mut fallen: HashMap<SharedKey, Place> = HashMap::new();
        for batch in self.calls.from(no) {
            let mine = batch.no == no;
            let flight = self.flights.iter().find(|flight| flight.no == batch.no);
            let groups = if mine {
                groups
            } else {
                flight.map_or(&[][..], |flight| &flight.groups)
            };
            let mut waiting = Vec::new();
            for call in 0..batch.calls.len() {
                let Some(Call::Reads(reads)) = batch.calls.get(call) else {
                    continue;
                };
                let again_due = |key: &SharedKey| in_order && again.slots.contains_key(key);
                let group = |state: &State| match state {
                    State::Candidate(index) => groups.get(*index),
                    _ => None,
                };
                let failed = |state: &State| mine && group(state).is_some_and(|g| g.list.is_none());
                let due = |read: &Read| again_due(&read.key) || failed(&read.state);
                let written_later =
                    |key: &SharedKey| last_writes.get(key) > Some(&(batch.no, call));
                let together = reads.len() > 1
                    && reads.iter().any(due)
                    && !reads.iter().any(|read| written_later(&read.key));
                let decisions: Vec<Decision> = reads
                    .iter()
                    .map(|read| {
                        if together || again_due(&read.key) {
                            return Decision::Again;
                        }
                        match group(&read.state) {
                            None => Decision::Leave,
                            Some(group) => match (&group.list, group.fallback) {
                                (_, Some(place))
                                    if in_order && fallen.get(&read.key) == Some(&place) =>
                                {
                                    Decision::Wait(place)
                                }
                                _ if !mine => Decision::Leave,
                                (Some(list), _) => Decision::Serve(list.clone()),
                                (None, Some(place)) => Decision::Wait(place),
                                (None, None) => Decision::Again,
                            },
                        }
                    })
                    .collect();
                let keys: Vec<SharedKey> = reads.iter().map(|read| read.key.clone()).collect();
                for (read, (key, decision)) in keys.into_iter().zip(decisions).enumerate() {
                    let at = At {
                        batch: batch.no,
                        call,
                        read,
                    };
                    let place = match decision {
                        Decision::Leave => continue,
                        Decision::Serve(list) => {
                            self.stats.cache.hits.add(1);
                            batch.serve(call, read, list);
                            continue;
                        }
                        Decision::Wait(place) => {
                            fallen.insert(key, place);
                            waiting.push((place, at));
                            place
                        }
                        Decision::Again => again.read(&key, at),
                    };
                    self.stats.cache.rereads.add(1);
                    batch.redirect(call, read, place);
                }
            }
            for (place, at) in waiting {
                wait(&mut self.flights, place, at);
            }
        }
    }

    fn send_again(&mut self, again: Again) -> Sent {
        let mut flight = Flight::new(again.no);
        let mut wire = Vec::with_capacity(again.loads.len());
        for (slot, (key, waiters)) in again.loads.into_iter().enumerate() {
            let token = self.number();
            self.entries.load(&key, token);
            let place = Place {
                flight: again.no,
                slot,
            };
            self.fall_back(&key, place);
            wire.push(Wire::Members(key.clone()));
            flight.slots.push(Slot::Load {
                key,
                token,
                waiters,
            });
        }
        self.flights.push_back(flight);
        Sent { no: again.no, wire }
    }
}

impl Again {
    fn read(&mut self, key: &SharedKey, at: At) -> Place {
        let next = self.loads.len();
        let slot = *self.slots.entry(key.clone()).or_insert(next);
        if slot == next {
            self.loads.push((key.clone(), Vec::new()));
        }
        self.loads[slot].1.push(at);
        Place {
            flight: self.no,
            slot,
        }
    }
}

/// Waits for a command that was sent already.
fn wait(flights: &mut VecDeque<Flight>, place: Place, at: At) {
    let flight = flights.iter_mut().find(|flight| flight.no == place.flight);
    if let Some(Slot::Load { waiters, .. }) =
        flight.and_then(|flight| flight.slots.get_mut(place.slot))
    {
        waiters.push(at);
    }
}

fn missing() -> Error {
    Error::Internal("the store gave too few answers".to_owned())
}
