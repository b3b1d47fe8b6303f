//! Forms a batch: makes commands for the wire from calls, in call order (rules 4 and 5 of the protocol).

use std::sync::Arc;

use super::{
    Busy, Flight, Group, HashMap, Ready, Sent, Session, Slot, Touch, Wire,
    calls::{Call, CommandId, GroupId, OpId, Read, State},
    recent::Joined,
    repair::wait,
};
use crate::{
    command::{Command, Effect, Op},
    failpoints::fail_point,
    hash_slot::hash_slot,
    keys::Key,
    list_lru::SharedKey,
    manager::Queue,
};

/// A batch that is being formed.
pub(super) struct Forming {
    pub(super) flight: Flight,
    pub(super) wire: Vec<Wire>,
    pub(super) calls: Vec<Call>,
    keys: HashMap<SharedKey, usize>,
    pub(super) locals: Vec<Local>,
}

/// What this batch has done with a key since its last write of it.
#[derive(Default, Clone, Copy)]
pub(super) struct Local {
    pub(super) load: Option<usize>,
    group: Option<usize>,
}

impl Session {
    /// Forms a batch, which must be sent at once.
    pub fn form(&mut self, commands: &[&Command], queue: Queue) -> Sent {
        self.recent.begin(queue);
        let no = self.number();
        let mut forming = Forming {
            flight: Flight::new(no),
            wire: Vec::with_capacity(commands.len() + 1),
            calls: Vec::with_capacity(commands.len()),
            keys: HashMap::default(),
            locals: Vec::new(),
        };
        for (call, command) in commands.iter().enumerate() {
            if command.op().is_cached() {
                self.read_all(&mut forming, call, command.keys());
                continue;
            }
            self.send(&mut forming, call, command);
            if let Op::Write(op) = command.op() {
                self.expect(op.effect(), command);
            }
        }
        self.place_barrier(&mut forming.flight, &mut forming.wire);
        self.recent.end();
        self.flights.push_back(forming.flight);
        self.calls.push(no, forming.calls);
        Sent {
            no,
            wire: forming.wire,
        }
    }

    fn read_all(&mut self, forming: &mut Forming, call: usize, keys: &[Key]) {
        let batch = forming.flight.no;
        let mut reads = Vec::with_capacity(keys.len());
        for (read, key) in keys.iter().enumerate() {
            let at = OpId { batch, call, read };
            let (key, local) = forming.share(key);
            let state = self.read(forming, at, &key, local);
            reads.push(Read { key, state });
        }
        forming.calls.push(Call::Reads(reads));
    }

    fn read(&mut self, forming: &mut Forming, at: OpId, key: &SharedKey, local: usize) -> State {
        let Local { load, group } = forming.locals[local];
        if let Some(slot) = load {
            self.stats.cache.misses.add(1);
            return forming.join(slot, at);
        }
        if let Some(index) = group {
            forming.flight.groups[index].members.push(at);
            let flight = forming.flight.no;
            return State::Candidate(GroupId { flight, index });
        }
        fail_point!("joins-sent-load", self.join_sent_load(at, key));
        let busy = self.busy.get(key).is_some_and(|busy| busy.writes > 0);
        if let (false, Some(ready)) = (busy, self.entries.ready(key)) {
            fail_point!("no-barrier", self.serve_at_once(key, ready));
            fail_point!(
                "shares-sent-barrier",
                self.share_sent_barrier(at, key, ready)
            );
            fail_point!(
                "by-reference",
                self.place_by_reference(forming, at, key, local, ready)
            );
            return self.place_candidate(forming, at, key, local, ready);
        }
        self.stats.cache.misses.add(1);
        match self.recent.joined(key) {
            Some(Joined::Answered(list)) => return State::Known(Ok(list)),
            Some(Joined::Waiting(place)) => {
                wait(&mut self.flights, place, at);
                return State::Waiting(place);
            }
            None => {}
        }
        fail_point!(
            "no-fallback-for-reads",
            self.read_without_falling_back(forming, at, key, local)
        );
        let slot = self.place(forming, key, local);
        forming.join(slot, at)
    }

    /// Makes a read a candidate, the first of its key in this batch.
    pub(super) fn place_candidate(
        &mut self,
        forming: &mut Forming,
        at: OpId,
        key: &SharedKey,
        local: usize,
        ready: Ready,
    ) -> State {
        let group = self.group(&mut forming.flight, key, ready, vec![at]);
        forming.locals[local].group = Some(group.index);
        State::Candidate(group)
    }

    /// Makes a group of candidates, which the barrier of this flight has to confirm.
    pub(super) fn group(
        &mut self,
        flight: &mut Flight,
        key: &SharedKey,
        ready: Ready,
        members: Vec<OpId>,
    ) -> GroupId {
        self.candidate_placed(key);
        let index = flight.groups.len();
        self.busy(key).groups.push((flight.no, index));
        flight.groups.push(Group {
            key: key.clone(),
            ready,
            members,
            fallback: None,
            dissolved: false,
            list: None,
        });
        GroupId {
            flight: flight.no,
            index,
        }
    }

    /// Places a command unchanged: a write, or a read that the store answers itself. Earlier reads of its keys are not
    /// answered by later commands, nor later reads by earlier ones.
    fn send(&mut self, forming: &mut Forming, call: usize, command: &Command) {
        let op = command.op();
        if op.is_open() {
            self.place_all_fallbacks(forming);
        }
        let shared = command.keys().iter().map(|key| {
            let (key, local) = forming.share(key);
            self.place_fallback(forming, &key, local);
            if op.is_write() {
                self.busy(&key).writes += 1;
            }
            forming.locals[local] = Local::default();
            self.command_placed(&key);
            key
        });
        let keys: Arc<[SharedKey]> = shared.collect();
        let batch = forming.flight.no;
        forming.wire.push(Wire::Command {
            index: call,
            op,
            keys: keys.len(),
        });
        forming.flight.slots.push(Slot::Command {
            at: OpId {
                batch,
                call,
                read: 0,
            },
            keys: keys.clone(),
            is_write: op.is_write(),
        });
        forming.calls.push(Call::Command {
            keys,
            is_open: op.is_open(),
            result: None,
        });
    }

    /// Records what a write will do to its keys, as far as that is known before its answer.
    fn expect(&mut self, effect: Effect, command: &Command) {
        let keys = command.keys().iter();
        match effect {
            Effect::Adds | Effect::Keeps => {}
            Effect::Removes => {
                let members = command.members().len();
                keys.for_each(|key| self.entries.may_go_by(key, members));
            }
            Effect::Deletes => keys.for_each(|key| self.entries.will_go(key)),
            Effect::MayDelete => keys.for_each(|key| self.entries.may_go(key)),
        }
    }

    /// Ends the last load of a key for calls that wait: the candidate may be answered with a newer list.
    fn candidate_placed(&mut self, key: &SharedKey) {
        fail_point!("joins-over-candidate", Some(()));
        self.recent.ended(key);
    }

    /// The same because of a command, which may change the list.
    fn command_placed(&mut self, key: &SharedKey) {
        fail_point!("joins-over-command", Some(()));
        self.recent.ended(key);
    }

    /// Places the barrier after all candidates: `TOUCH` of the keys with members, which must count them all, and then of
    /// the keys without, which must count none. With a single one, a key that expired and a new one would cancel out. The
    /// order matters: a list with members is also good at the second one, if no report came.
    pub(super) fn place_barrier(&self, flight: &mut Flight, wire: &mut Vec<Wire>) {
        for (touch, keys) in self.barrier(&flight.groups) {
            flight.barrier.push(touch);
            wire.push(Wire::Touch(keys));
        }
    }

    /// Returns the commands of the barrier, and the keys of each.
    fn barrier(&self, groups: &[Group]) -> Vec<(Touch, Vec<SharedKey>)> {
        fail_point!("barrier-one-sum", Self::one_sum(groups));
        let asked = |is_empty: bool| {
            let indexes = 0..groups.len();
            let asked = indexes.filter(move |&index| {
                let group = &groups[index];
                !group.dissolved && (group.ready == Ready::Empty) == is_empty
            });
            self.split(asked.collect(), |&index| hash_slot(&groups[index].key))
        };
        let touch = |groups_of: Vec<usize>, is_empty: bool| {
            let keys: Vec<_> = groups_of
                .iter()
                .map(|&index| groups[index].key.clone())
                .collect();
            let touch = Touch {
                expected: if is_empty { 0 } else { keys.len() },
                groups: groups_of,
            };
            (touch, keys)
        };
        let full = asked(false).into_iter().map(|groups| touch(groups, false));
        let full: Vec<_> = full.collect();
        fail_point!("barrier-ignores-empty", Some(full.clone()));
        let empty = asked(true).into_iter().map(|groups| touch(groups, true));
        full.into_iter().chain(empty).collect()
    }

    fn busy(&mut self, key: &SharedKey) -> &mut Busy {
        self.busy.entry(key.clone()).or_default()
    }

    pub(super) fn flight(&mut self, no: u64) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.no == no)
    }

    /// Forgets a key that is not busy any more.
    pub(super) fn tidy(&mut self, key: &SharedKey) {
        let idle = |busy: &Busy| busy.writes == 0 && busy.groups.is_empty();
        if self.busy.get(key).is_some_and(idle) {
            self.busy.remove(key);
        }
    }
}

impl Forming {
    /// Returns the key, shared with the others of this batch.
    pub(super) fn share(&mut self, key: &[u8]) -> (SharedKey, usize) {
        if let Some((shared, index)) = self.keys.get_key_value(key) {
            return (shared.clone(), *index);
        }
        let shared = SharedKey::from(key);
        let index = self.locals.len();
        self.locals.push(Local::default());
        self.keys.insert(shared.clone(), index);
        (shared, index)
    }

    pub(super) fn join(&mut self, slot: usize, at: OpId) -> State {
        if let Slot::Load { waiters, .. } = &mut self.flight.slots[slot] {
            waiters.push(at);
        }
        let flight = self.flight.no;
        State::Waiting(CommandId { flight, slot })
    }
}

impl Flight {
    pub(super) fn new(no: u64) -> Self {
        Self {
            no,
            slots: Vec::new(),
            groups: Vec::new(),
            barrier: Vec::new(),
            is_repair: false,
            answers: None,
        }
    }
}
