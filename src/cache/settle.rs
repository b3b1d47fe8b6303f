//! What answers mean: fill the memory, serve candidates or have them repaired (rules 3, 5 and 6 of
//! the protocol), and give out finished calls in call order.

use super::{Answer, Flight, Group, Sent, Session, Slot, calls::Place, repair::Again};
use crate::{
    command::Reply,
    error::{Error, Result},
    shelf::SharedKey,
};

/// What came of some answers.
#[derive(Debug, Default)]
pub struct Settled {
    /// Batches all of whose calls have their replies, by number, in the order of the calls.
    pub finished: Vec<(u64, Vec<Result<Reply>>)>,
    /// To be sent at once, before anything that is formed later.
    pub again: Option<Sent>,
}

impl Session {
    /// Takes the answers to a pipeline, one for each of its commands. Pipelines are looked at in
    /// the order in which they were sent, whatever order their answers are handed in.
    pub fn settle(&mut self, no: u64, answers: Vec<Answer>) -> Settled {
        if let Some(flight) = self.flight(no) {
            flight.answers = Some(answers);
        }
        let mut again = Again::default();
        let has_answers = |flight: &Flight| flight.answers.is_some();
        while self.flights.front().is_some_and(has_answers)
            && let Some(flight) = self.flights.pop_front()
        {
            self.land(flight, &mut again);
        }
        Settled {
            again: self.send_again(again),
            finished: self.calls.finished(),
        }
    }

    fn land(&mut self, mut flight: Flight, again: &mut Again) {
        let mut answers = flight.answers.take().unwrap_or_default().into_iter();
        for (index, slot) in flight.slots.into_iter().enumerate() {
            let answer = answers.next();
            match slot {
                Slot::Write { at, keys } => {
                    for key in keys.iter() {
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
        if let std::collections::hash_map::Entry::Occupied(mut busy) = self.busy.entry(key.clone())
        {
            let now = busy.get_mut();
            now.writes = now.writes.saturating_sub(1);
            if now.writes == 0 && now.groups.is_empty() {
                busy.remove();
            }
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
                let mut served = 0;
                for at in &group.members {
                    served += usize::from(self.calls.serve(*at, list));
                }
                self.stats.cache.hits.add(served);
            }
        }
    }
}

fn missing() -> Error {
    Error::Internal("the store gave too few answers".to_owned())
}
