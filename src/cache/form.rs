//! Forming a batch: calls to commands for the wire, in call order (rule 4 and 5 of the protocol).

use std::sync::Arc;

use super::{
    Barrier, Broken, Busy, Flight, Group, HashMap, Ready, Sent, Session, Slot, Wire,
    calls::{At, Call, Place, Read, State},
};
use crate::{
    command::{Command, Effect, Op, ReadOp},
    keys::Key,
    list_lru::SharedKey,
};

/// A batch that is being formed.
struct Forming {
    flight: Flight,
    wire: Vec<Wire>,
    calls: Vec<Call>,
    keys: HashMap<SharedKey, usize>,
    locals: Vec<Local>,
}

/// What this batch does with a key, up to now and since its last write of it.
#[derive(Default, Clone, Copy)]
struct Local {
    load: Option<usize>,
    group: Option<usize>,
}

impl Session {
    /// Forms a batch, which is to be sent now.
    pub fn form(&mut self, commands: &[&Command]) -> Sent {
        let no = self.number();
        let mut forming = Forming {
            flight: Flight::new(no),
            wire: Vec::with_capacity(commands.len() + 1),
            calls: Vec::with_capacity(commands.len()),
            keys: HashMap::default(),
            locals: Vec::new(),
        };
        for (call, command) in commands.iter().enumerate() {
            if command.op() == Op::Read(ReadOp::Members) {
                self.read_all(&mut forming, call, command.keys());
                continue;
            }
            self.send(&mut forming, call, command);
            if let Op::Write(op) = command.op() {
                self.expect(op.effect(), command);
            }
        }
        forming.place_barrier(self.broken);
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
            let at = At { batch, call, read };
            let (key, local) = forming.share(key);
            let state = self.read(forming, at, &key, local);
            reads.push(Read { key, state });
        }
        forming.calls.push(Call::Reads(reads));
    }

    fn read(&mut self, forming: &mut Forming, at: At, key: &SharedKey, local: usize) -> State {
        let Local { load, group } = forming.locals[local];
        if let Some(slot) = load {
            self.stats.cache.misses.add(1);
            return forming.join(slot, at);
        }
        if let Some(index) = group {
            forming.flight.groups[index].members.push(at);
            return State::Candidate(index);
        }
        if self.broken.is("joins-sent-load")
            && let Some(state) = self.join_sent_load(at, key)
        {
            return state;
        }
        let busy = self.busy.get(key).is_some_and(|busy| busy.writes > 0);
        if let (false, Some(ready)) = (busy, self.entries.ready(key)) {
            if self.broken.is("no-barrier")
                && let Some(list) = self.entries.get(key, ready)
            {
                return State::Known(Ok(list));
            }
            if self.broken.is("shares-sent-barrier")
                && let Some(state) = self.share_sent_barrier(at, key, ready)
            {
                return state;
            }
            let index = forming.flight.groups.len();
            self.busy(key).groups.push((forming.flight.no, index));
            forming.flight.groups.push(Group {
                key: key.clone(),
                ready,
                members: vec![at],
                fallback: None,
                dissolved: false,
                list: if self.broken.is("by-reference") {
                    self.entries.get(key, ready)
                } else {
                    None
                },
            });
            forming.locals[local].group = Some(index);
            return State::Candidate(index);
        }
        self.stats.cache.misses.add(1);
        let kept = self.keep_groups_if_broken(key);
        let slot = self.place(forming, key, local);
        if !kept.is_empty() {
            self.busy(key).groups = kept;
        }
        forming.join(slot, at)
    }

    /// Places `SMEMBERS key`, which becomes the fallback of all candidates that have none.
    fn place(&mut self, forming: &mut Forming, key: &SharedKey, local: usize) -> usize {
        let no = forming.flight.no;
        let slot = forming.flight.slots.len();
        let (wire, load) = self.load(key, Vec::new());
        forming.flight.slots.push(load);
        forming.wire.push(wire);
        forming.locals[local].load = Some(slot);
        let place = Place { flight: no, slot };
        for index in self.fall_back(key, place) {
            let dissolved = forming.dissolve(index, place);
            self.stats.cache.misses.add(dissolved);
        }
        slot
    }

    /// A load of a key, tracked if that is worth it and leaves no dead keys at the server.
    pub(super) fn load(&mut self, key: &SharedKey, waiters: Vec<At>) -> (Wire, Slot) {
        let token = self.number();
        self.entries.load(key, token);
        let tracked = self.entries.is_worth_tracking(key) && self.debts.may_read();
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

    /// `SMEMBERS key` was placed: all candidates of the key that have no fallback take it. Gives
    /// the groups of that very batch.
    pub(super) fn fall_back(&mut self, key: &SharedKey, place: Place) -> Vec<usize> {
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

    /// Places a command as it is: a write, or a read that the store answers itself. Reads of the same keys that were
    /// called before are not answered by what comes after it, nor those called after by what came before.
    fn send(&mut self, forming: &mut Forming, call: usize, command: &Command) {
        let op = command.op();
        let shared = command.keys().iter().map(|key| {
            let (key, local) = forming.share(key);
            if self.needs_fallback(forming, &key) {
                self.place(forming, &key, local);
            }
            if op.is_write() {
                self.busy(&key).writes += 1;
            }
            forming.locals[local] = Local::default();
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
            at: At {
                batch,
                call,
                read: 0,
            },
            keys: keys.clone(),
            is_write: op.is_write(),
        });
        forming.calls.push(Call::Command { keys, result: None });
    }

    /// What a write will do to its keys, as far as it is known before its answer.
    fn expect(&mut self, effect: Effect, command: &Command) {
        let keys = command.keys().iter();
        match effect {
            Effect::Adds => {}
            Effect::Removes => {
                let members = command.members().len();
                keys.for_each(|key| self.entries.may_go_by(key, members));
            }
            Effect::Deletes => keys.for_each(|key| self.entries.will_go(key)),
        }
    }

    /// Whether candidates would lose what they are to show by a command that is placed now.
    fn needs_fallback(&self, forming: &Forming, key: &SharedKey) -> bool {
        let no = forming.flight.no;
        let groups = self.busy.get(key).map(|busy| busy.groups.as_slice());
        groups.unwrap_or_default().iter().any(|(flight, _)| {
            let rule = if *flight == no {
                "no-fallback-same-batch"
            } else {
                "no-fallback-next-batch"
            };
            !self.broken.is(rule)
        })
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
    /// The key, shared with the others of this batch.
    fn share(&mut self, key: &Key) -> (SharedKey, usize) {
        if let Some((shared, index)) = self.keys.get_key_value(key.as_slice()) {
            return (shared.clone(), *index);
        }
        let shared = SharedKey::from(key.as_slice());
        let index = self.locals.len();
        self.locals.push(Local::default());
        self.keys.insert(shared.clone(), index);
        (shared, index)
    }

    fn join(&mut self, slot: usize, at: At) -> State {
        if let Slot::Load { waiters, .. } = &mut self.flight.slots[slot] {
            waiters.push(at);
        }
        let flight = self.flight.no;
        State::Waiting(Place { flight, slot })
    }

    /// After all candidates: a `TOUCH` of the keys with members, which must count them all, and then one of the keys
    /// without, which must count none. One for both would not do: a key that expired and a new one would cancel
    /// out. In this order, because a list with members is also good at the second one, if no report came.
    fn place_barrier(&mut self, broken: Broken) {
        let (mut full, mut empty, mut there) = (Vec::new(), Vec::new(), 0);
        for group in self.flight.groups.iter().filter(|group| !group.dissolved) {
            let is_empty = group.ready == Ready::Empty;
            there += usize::from(!is_empty);
            if is_empty && !broken.is("barrier-one-sum") {
                empty.push(group.key.clone());
            } else {
                full.push(group.key.clone());
            }
        }
        if broken.is("barrier-ignores-empty") {
            empty.clear();
        }
        self.flight.barrier = Barrier {
            full: (!full.is_empty()).then_some(there),
            empty: !empty.is_empty(),
        };
        let touched = [full, empty].into_iter().filter(|keys| !keys.is_empty());
        self.wire.extend(touched.map(Wire::Touch));
    }

    /// The candidates of a group become plain reads of a command in the same batch: so many.
    fn dissolve(&mut self, index: usize, place: Place) -> usize {
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

impl Flight {
    pub(super) fn new(no: u64) -> Self {
        Self {
            no,
            slots: Vec::new(),
            groups: Vec::new(),
            barrier: Barrier::default(),
            answers: None,
        }
    }
}
