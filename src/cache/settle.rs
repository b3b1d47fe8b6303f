//! What answers mean: fill the memory, serve candidates or have them repaired (rules 3, 5 and 6 of
//! the protocol), and give out finished calls in call order.

use super::{
    Answer, Barrier, Flight, Group, Ready, Sent, Session, Slot, calls::Place, repair::Again,
};
use crate::{
    command::Reply,
    error::{Error, Result},
    list_lru::SharedKey,
};

/// What came of some answers.
#[derive(Debug, Default)]
pub struct Settled {
    /// Batches all of whose calls have their replies, by number, in the order of the calls.
    pub finished: Vec<(u64, Vec<Result<Reply>>)>,
    /// To be sent at once, before anything that is formed later.
    pub again: Option<Sent>,
}

/// Whether the barrier was answered as it must be, for the keys with members and for those without.
#[derive(Clone, Copy)]
struct Held {
    full: bool,
    empty: bool,
    /// Each of those without has members now.
    all_new: bool,
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
                Slot::Command { at, keys, is_write } => {
                    if is_write {
                        keys.iter().for_each(|key| self.written(key));
                    }
                    let result = match answer {
                        Some(Answer::Command(result)) => result,
                        _ => Err(missing()),
                    };
                    self.calls.replied(at, result);
                }
                Slot::Load {
                    key,
                    token,
                    tracked,
                    waiters,
                } => {
                    let (reported, result) = match answer {
                        Some(Answer::List(result)) => (false, result),
                        Some(Answer::Tracked(granted, result)) => {
                            (granted || self.broken.is("caching-unanswered"), result)
                        }
                        _ => (false, Err(missing())),
                    };
                    let list = result.as_ref().ok();
                    if tracked {
                        self.debts.read();
                        if reported && list.is_some_and(|list| list.is_empty()) {
                            self.debts.owe(&key);
                        }
                    }
                    let reported = reported || self.broken.is("fills-untracked");
                    let version = reported.then(|| self.number());
                    self.entries.loaded(&key, token, version, list);
                    let place = Place {
                        flight: flight.no,
                        slot: index,
                    };
                    for at in waiters {
                        self.calls.answered(at, place, &result);
                    }
                }
                Slot::Forget(keys) => {
                    let done = matches!(answer, Some(Answer::Forgot(true)));
                    self.debts.paid(keys, done);
                }
            }
        }
        let mut touched = || match answers.next() {
            Some(Answer::Touched(touched)) => touched,
            _ => None,
        };
        let any = self.broken.is("barrier-ignores-count");
        let Barrier { full, empty } = flight.barrier;
        let full = full.map(|expected| any || touched() == Some(expected));
        let new = if empty { touched() } else { None };
        let empty = empty.then(|| any || new == Some(0));
        if full.is_none() && empty.is_none() {
            return;
        }
        let groups = &flight.groups;
        let asked = groups
            .iter()
            .filter(|group| !group.dissolved && group.ready == Ready::Empty);
        let held = Held {
            full: full.unwrap_or(true),
            // Without a question of its own only where a rule is broken.
            empty: empty.or(full).unwrap_or(true),
            all_new: empty == Some(false) && new == Some(asked.count()),
        };
        self.judge(flight.no, flight.groups, held, again);
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
    fn judge(&mut self, no: u64, mut groups: Vec<Group>, held: Held, again: &mut Again) {
        let mut failed = false;
        for (index, group) in groups.iter_mut().enumerate() {
            if group.dissolved {
                continue;
            }
            if let Some(busy) = self.busy.get_mut(&group.key) {
                busy.groups.retain(|of| *of != (no, index));
                self.tidy(&group.key);
            }
            let holds = match group.ready {
                Ready::Empty => held.empty,
                Ready::Version(_) => held.full,
            };
            let list = self.entries.get(&group.key, group.ready);
            let gone_by_eviction = list.is_none() && self.broken.is("by-reference");
            if !gone_by_eviction {
                group.list = list;
            }
            if !holds {
                group.list = None;
                if group.ready == Ready::Empty && held.all_new {
                    self.entries.is_there(&group.key);
                } else {
                    self.entries.may_go(&group.key);
                }
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
