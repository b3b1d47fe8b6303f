//! Handles answers: fills the memory, serves candidates or has them repaired (rules 3, 5 and 6 of the protocol), and
//! releases finished calls in call order.

use std::sync::Arc;

use super::{Answer, Flight, Group, Sent, Session, Slot, Touch, calls::CommandId, repair::Rereads};
use crate::{
    command::Reply,
    error::{Error, Result},
    failpoints::fail_point,
    list::List,
    list_lru::SharedKey,
};

/// The result of handling some answers.
#[derive(Debug, Default)]
pub struct Settled {
    /// Batches all of whose calls have their replies, by number, with the replies in the order of the calls.
    pub finished: Vec<(u64, Vec<Result<Reply>>)>,
    /// A pipeline to be sent at once, before anything that is formed later.
    pub again: Option<Sent>,
}

/// What the barrier says of the list of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    Yes,
    No,
    /// It was empty, and all keys of its `TOUCH` have members now.
    AllNew,
}

impl Session {
    /// Handles the answers to a pipeline, one for each of its commands. Pipelines are handled in the order in which
    /// they were sent, even if their answers are passed in another order.
    pub fn settle(&mut self, no: u64, answers: Vec<Answer>) -> Settled {
        if let Some(flight) = self.flight(no) {
            flight.answers = Some(answers);
        }
        let mut again = Rereads::default();
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

    fn land(&mut self, mut flight: Flight, again: &mut Rereads) {
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
                    let (reported, pushes, result) = loaded(answer);
                    let list = result.as_ref().ok();
                    if tracked {
                        self.dead_keys.track_answered();
                        if reported && list.is_some_and(|list| list.is_empty()) {
                            self.dead_keys.insert(&key);
                        }
                    }
                    let version = self.version(reported);
                    self.entries.loaded(&key, (token, pushes), version, list);
                    let place = CommandId {
                        flight: flight.no,
                        slot: index,
                    };
                    self.recent.answered(&key, place, list);
                    for at in waiters {
                        self.calls.answered(at, place, &result);
                    }
                }
                Slot::Forget(keys) => {
                    let done = matches!(answer, Some(Answer::Forgot(true)));
                    self.dead_keys.forgot(keys, done);
                }
            }
        }
        if !flight.barrier.is_empty() {
            let confirmed = Confirmed::by(&flight.barrier, answers, flight.groups.len());
            again.reads_all = flight.is_repair;
            self.judge(flight.no, flight.groups, &confirmed, again);
        }
    }

    /// Returns a new version for a list, if the server reports its next change.
    fn version(&mut self, reported: bool) -> Option<u64> {
        fail_point!("fills-untracked", Some(Some(self.number())));
        reported.then(|| self.number())
    }

    /// Returns the list of a group's candidates, if that version is still in memory.
    fn current(&self, group: &Group) -> Option<Arc<List>> {
        let list = self.entries.get(&group.key, group.ready);
        fail_point!("by-reference", Some(group.by_reference(list.as_ref())));
        list
    }

    fn written(&mut self, key: &SharedKey) {
        if let Some(busy) = self.busy.get_mut(key) {
            busy.writes = busy.writes.saturating_sub(1);
            if busy.writes == 0 && busy.groups.is_empty() {
                self.busy.remove(key);
            }
        }
    }

    /// Serves the candidates of a flight whose barrier was answered, or finds them other answers.
    fn judge(
        &mut self,
        no: u64,
        mut groups: Vec<Group>,
        confirmed: &[Confirmed],
        again: &mut Rereads,
    ) {
        let mut failed = false;
        for (index, group) in groups.iter_mut().enumerate() {
            if group.dissolved {
                continue;
            }
            if let Some(busy) = self.busy.get_mut(&group.key) {
                busy.groups.retain(|of| *of != (no, index));
                self.tidy(&group.key);
            }
            group.list = self.current(group);
            match confirmed[index] {
                Confirmed::Yes => {}
                Confirmed::AllNew => self.entries.is_there(&group.key),
                Confirmed::No => self.entries.may_go(&group.key),
            }
            if confirmed[index] != Confirmed::Yes {
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
                    served += usize::from(self.calls.serve(*at, no, list));
                }
                self.stats.cache.hits.add(served);
            }
        }
    }
}

impl Confirmed {
    /// Returns what the answers to the barrier say of each group: those of one `TOUCH` are confirmed together.
    fn by(
        barrier: &[Touch],
        mut answers: impl Iterator<Item = Answer>,
        groups: usize,
    ) -> Vec<Self> {
        let mut confirmed = vec![Self::Yes; groups];
        for touch in barrier {
            let touched = match answers.next() {
                Some(Answer::Touched(touched)) => touched,
                _ => None,
            };
            let outcome = Self::of(touch, touched);
            for &group in &touch.groups {
                confirmed[group] = outcome;
            }
        }
        confirmed
    }

    fn of(touch: &Touch, touched: Option<usize>) -> Self {
        fail_point!("barrier-ignores-count", Some(Self::Yes));
        fail_point!("barrier-ignores-redirect", Self::unless_counted(touched));
        match touched {
            Some(count) if count == touch.expected => Self::Yes,
            Some(count) if touch.expected == 0 && count == touch.groups.len() => Self::AllNew,
            _ => Self::No,
        }
    }
}

/// Returns whether the read was tracked, how many pushes arrived before its reply, and the list.
fn loaded(answer: Option<Answer>) -> (bool, u64, Result<Arc<List>>) {
    fail_point!(
        "caching-unanswered",
        Answer::taken_for_granted(answer.as_ref())
    );
    match answer {
        Some(Answer::List(list)) => (false, 0, list),
        Some(Answer::Tracked {
            granted,
            pushes,
            list,
        }) => (granted, pushes, list),
        _ => (false, 0, Err(missing())),
    }
}

fn missing() -> Error {
    Error::Internal("the store gave too few answers".to_owned())
}
