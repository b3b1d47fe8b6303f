//! A session between its driver and a server in memory, one step at a time: which step comes next is
//! the test's choice. The server does what Redis does with `CLIENT TRACKING ON OPTIN`; what a history of calls
//! may show is judged by [`World::verdict`].

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    cache::{Answer, Invalidation, Sent, Session, Wire},
    command::{Command, Effect, Op, ReadOp, Reply, Value, WriteOp},
    error::Error,
    keys::Key,
    list::List,
    list_lru::{Bounds, SharedKey},
    manager::Queue,
    stats::Stats,
};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many of the next calls are made, and wait.
    Make(usize),
    /// So many of the calls that wait are sent in one batch; if none waits, of those that are left, which are made now.
    Form(usize),
    /// The server executes the next command of ours.
    Execute,
    /// The next frame of the server reaches us. Of a pipeline whose last reply it is, the driver
    /// hears later.
    Receive,
    /// The driver hears of the next pipeline that was answered.
    Settle,
    /// Another client makes its next move.
    Other,
}

/// The moves of other clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Change a key.
    Write(char),
    /// Remove a key.
    Remove(char),
    /// Flush.
    Flush,
    /// A key expires and is not deleted yet: nothing is pushed.
    Expire(char),
    /// The slot of a key moves to another node, which removes the key here and is not reported (Redis before 7.2): from
    /// now on the server answers with a redirection.
    Leave(char),
    /// The slot comes back, with the key if it has got a value elsewhere, which creates it here.
    Return(char, bool),
}

impl Move {
    fn key(self) -> Option<char> {
        match self {
            Self::Write(key)
            | Self::Remove(key)
            | Self::Expire(key)
            | Self::Leave(key)
            | Self::Return(key, _) => Some(key),
            Self::Flush => None,
        }
    }

    fn is_return(self) -> bool {
        matches!(self, Self::Return(..))
    }
}

#[derive(Debug, Clone)]
enum Frame {
    Push(Option<char>),
    Answer(u64, Answer),
    /// The pipeline has all its answers.
    End(u64),
}

#[derive(Debug, Clone)]
struct Made {
    command: Command,
    from: u64,
    /// When it was given out, and with what.
    until: Option<(u64, Vec<String>)>,
    /// When a write was executed.
    executed: u64,
    /// The keys of a write whose slots were elsewhere: it changed nothing of them.
    redirected: Vec<char>,
}

/// A session, the server, and what is on the wire between them.
#[derive(Debug, Clone)]
pub(super) struct World {
    session: Session,
    pub(super) left: VecDeque<Command>,
    /// Calls that were made and wait, each with how many batches had been formed.
    queue: VecDeque<(Command, u32)>,
    formed: u32,
    pub(super) moves: VecDeque<Move>,
    made: Vec<Made>,
    /// Which calls a batch holds.
    batches: HashMap<u64, usize>,
    /// Sent, not executed: pipeline, its first call, its commands.
    inbound: VecDeque<(u64, usize, VecDeque<Wire>)>,
    outbound: VecDeque<Frame>,
    /// How many pushes were sent.
    pushes: u64,
    answers: HashMap<u64, Vec<Answer>>,
    heard: VecDeque<u64>,
    /// Per key, its values and from when on they were current.
    history: HashMap<char, Vec<(u64, String)>>,
    tracked: Vec<char>,
    /// Tracked, and did not exist when they were read: nothing but a change has the server forget them.
    dead: Vec<char>,
    now: u64,
}

pub(super) fn read(keys: &str) -> Command {
    Command::read(ReadOp::Members, keys.chars().map(key).collect())
}

/// A read that the store answers itself.
pub(super) fn count(name: char) -> Command {
    Command::read(ReadOp::Count, vec![key(name)])
}

pub(super) fn write(name: char) -> Command {
    Command::write_members(WriteOp::Add, key(name), [b"?".to_vec()])
}

pub(super) fn delete(names: &str) -> Command {
    Command::write(WriteOp::Delete, names.chars().map(key).collect())
}

/// What a read shows of a key whose slot is elsewhere.
const MOVED: &str = "MOVED";

/// Removes k and j, which the store finds in an index.
pub(super) fn leave_all() -> Command {
    Command::write_members(WriteOp::LeaveAll, b"i".to_vec(), [b"?".to_vec()])
}

/// The keys that a command is about.
fn concerned(command: &Command) -> Vec<Key> {
    if command.op().is_open() {
        return ['k', 'j'].map(key).into();
    }
    command.keys().to_vec()
}

fn key(name: char) -> Key {
    name.to_string().into_bytes()
}

fn name(key: &SharedKey) -> char {
    char::from(key[0])
}

impl World {
    /// Keys j, k, m and n hold a member each, l is empty. j, k and l are in memory, m was read once, n never.
    pub(super) fn new(calls: Vec<Command>, moves: Vec<Move>) -> Self {
        let bounds = Bounds::new(1 << 20, Arc::default());
        let session = Session::new(Some(bounds), Arc::new(Stats::default()));
        let is_node = |of: &Move| matches!(of, Move::Leave(_) | Move::Return(..));
        let session = if moves.iter().any(is_node) {
            session.by_slot()
        } else {
            session
        };
        let mut world = Self {
            session,
            left: VecDeque::new(),
            queue: VecDeque::new(),
            formed: 0,
            moves: VecDeque::new(),
            made: Vec::new(),
            batches: HashMap::new(),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            pushes: 0,
            answers: HashMap::new(),
            heard: VecDeque::new(),
            history: HashMap::new(),
            tracked: Vec::new(),
            dead: Vec::new(),
            now: 0,
        };
        for (name, value) in [
            ('j', "j0"),
            ('k', "k0"),
            ('l', ""),
            ('m', "m0"),
            ('n', "n0"),
        ] {
            world.history.insert(name, vec![(0, value.to_owned())]);
        }
        for keys in ["jklm", "jkl"] {
            world.left.push_back(read(keys));
            world.finish();
        }
        world.made.clear();
        world.batches.clear();
        world.left = calls.into();
        world.moves = moves.into();
        world
    }

    /// What can happen now.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        // A call that waits behind no other one, or is sent with it, is like one that is made later.
        if self.queue.is_empty() {
            let left = self.left.len();
            steps.extend((left > 1).then_some(Step::Make(left.min(4))));
            steps.extend((1..=left).map(Step::Form));
        } else {
            let most = (self.queue.len() - 1).max(1);
            steps.extend((1..=most).map(Step::Form));
        }
        steps.extend((!self.inbound.is_empty()).then_some(Step::Execute));
        steps.extend((!self.outbound.is_empty()).then_some(Step::Receive));
        steps.extend((!self.heard.is_empty()).then_some(Step::Settle));
        steps.extend((!self.moves.is_empty()).then_some(Step::Other));
        steps
    }

    /// Lets everything happen that is left, in the simplest order.
    pub(super) fn finish(&mut self) {
        while let Some(step) = self.steps().last().copied() {
            self.step(step);
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Make(count) => (0..count).for_each(|_| self.make()),
            Step::Form(count) => self.form(count),
            Step::Execute => self.execute(),
            Step::Receive => self.receive(),
            Step::Settle => self.settle(),
            Step::Other => match self.moves.pop_front() {
                // Happens at another node, or not at all.
                Some(of)
                    if of
                        .key()
                        .is_some_and(|key| self.is_here(key) == of.is_return()) => {}
                Some(Move::Write(name)) => self.change(name, format!("{name}{}", self.now + 1)),
                Some(Move::Remove(name)) => self.change(name, String::new()),
                Some(Move::Flush) => self.flush(),
                Some(Move::Expire(name) | Move::Return(name, false)) => {
                    self.now += 1;
                    self.record(name, String::new());
                }
                Some(Move::Leave(name)) => {
                    self.now += 1;
                    // Nothing can be done about it any more.
                    self.dead.retain(|dead| *dead != name);
                    self.record(name, MOVED.to_owned());
                }
                Some(Move::Return(name, true)) => {
                    self.change(name, format!("{name}{}", self.now + 1));
                }
                None => {}
            },
        }
    }

    fn make(&mut self) {
        if let Some(command) = self.left.pop_front() {
            self.queue.push_back((command.clone(), self.formed));
            self.made.push(Made {
                command,
                from: self.now,
                until: None,
                executed: 0,
                redirected: Vec::new(),
            });
        }
    }

    fn form(&mut self, count: usize) {
        while self.queue.len() < count {
            self.make();
        }
        let first = self.made.len() - self.queue.len();
        let taken: Vec<(Command, u32)> = self.queue.drain(..count).collect();
        let waited = taken.iter().map(|(_, at)| self.formed - at).min();
        let queue = Queue {
            waited: waited.unwrap_or_default(),
            is_behind: !self.queue.is_empty(),
        };
        self.formed += 1;
        let batch: Vec<&Command> = taken.iter().map(|(command, _)| command).collect();
        let sent = self.session.form(&batch, queue);
        self.batches.insert(sent.no, first);
        self.send(sent, first);
    }

    fn send(&mut self, sent: Sent, first: usize) {
        if sent.wire.is_empty() {
            // Answered by nothing, at once, as the connection does.
            self.heard.push_back(sent.no);
        } else {
            self.inbound.push_back((sent.no, first, sent.wire.into()));
        }
    }

    fn execute(&mut self) {
        let Some((no, first, wire)) = self.inbound.front_mut() else {
            return;
        };
        let (no, first) = (*no, *first);
        let command = wire.pop_front().expect("no empty pipeline is sent");
        if wire.is_empty() {
            self.inbound.pop_front();
        }
        let ended = self.inbound.front().is_none_or(|(next, ..)| *next != no);
        let answer = match command {
            Wire::Members(key) => Answer::List(self.members(name(&key))),
            Wire::Tracked(key) => {
                self.track(name(&key));
                Answer::Tracked {
                    granted: true,
                    pushes: self.pushes,
                    list: self.members(name(&key)),
                }
            }
            Wire::Forget(keys) => {
                // As for our own writes, the push follows the reply.
                self.outbound
                    .push_back(Frame::Answer(no, Answer::Forgot(true)));
                for key in keys {
                    if self.value(name(&key)).is_empty() {
                        self.forget(name(&key));
                    }
                }
                self.outbound.extend(ended.then_some(Frame::End(no)));
                return;
            }
            Wire::Touch(keys) => {
                let there = keys.iter().filter(|key| !self.value(name(key)).is_empty());
                let are_here = keys.iter().all(|key| self.is_here(name(key)));
                Answer::Touched(are_here.then_some(there.count()))
            }
            Wire::Command { index, .. } => {
                let call = first + index;
                let command = self.made[call].command.clone();
                if !command.op().is_write() {
                    let count = |key: &Key| Ok(Value::Int(self.number(char::from(key[0]))));
                    let values = command.keys().iter().map(count).collect();
                    let answer = Answer::Command(Ok(Reply::Values(values)));
                    self.outbound.push_back(Frame::Answer(no, answer));
                    self.outbound.extend(ended.then_some(Frame::End(no)));
                    return;
                }
                // The push follows the reply, as Redis orders it for the client's own writes.
                self.outbound
                    .push_back(Frame::Answer(no, Answer::Command(Ok(Reply::Done))));
                for key in &concerned(&command) {
                    if !self.is_here(char::from(key[0])) {
                        self.made[call].redirected.push(char::from(key[0]));
                        continue;
                    }
                    let value = match effect(&command) {
                        Some(Effect::Adds) => format!("own{call}"),
                        Some(Effect::Removes | Effect::Deletes | Effect::MayDelete) => {
                            String::new()
                        }
                        Some(Effect::Keeps) | None => continue,
                    };
                    self.change(char::from(key[0]), value);
                }
                self.made[call].executed = self.now;
                self.outbound.extend(ended.then_some(Frame::End(no)));
                return;
            }
        };
        self.outbound.push_back(Frame::Answer(no, answer));
        self.outbound.extend(ended.then_some(Frame::End(no)));
    }

    fn receive(&mut self) {
        match self.outbound.pop_front() {
            Some(Frame::Push(Some(name))) => {
                self.session.pushed();
                self.session.invalidate(Invalidation::Key(&key(name)));
            }
            Some(Frame::Push(None)) => {
                self.session.pushed();
                self.session.invalidate(Invalidation::All);
            }
            Some(Frame::Answer(no, answer)) => {
                self.answers.entry(no).or_default().push(answer);
                // The end comes with the last answer.
                if let Some(Frame::End(_)) = self.outbound.front() {
                    self.receive();
                }
            }
            Some(Frame::End(no)) => self.heard.push_back(no),
            None => {}
        }
    }

    fn settle(&mut self) {
        let Some(no) = self.heard.pop_front() else {
            return;
        };
        let answers = self.answers.remove(&no).unwrap_or_default();
        let settled = self.session.settle(no, answers);
        for (batch, replies) in settled.finished {
            let first = self.batches[&batch];
            for (made, reply) in self.made[first..].iter_mut().zip(replies) {
                assert!(made.until.is_none(), "a call was answered twice");
                made.until = Some((self.now, shown(reply)));
            }
        }
        if let Some(again) = settled.again {
            self.send(again, 0);
        }
    }

    fn is_here(&self, name: char) -> bool {
        self.value(name) != MOVED
    }

    fn track(&mut self, name: char) {
        if self.is_here(name) && !self.tracked.contains(&name) {
            self.tracked.push(name);
            if self.value(name).is_empty() {
                self.dead.push(name);
            }
        }
    }

    /// A change as far as those who track the key are concerned.
    fn forget(&mut self, name: char) {
        self.dead.retain(|dead| *dead != name);
        if self.tracked.contains(&name) {
            self.tracked.retain(|tracked| *tracked != name);
            self.pushes += 1;
            self.outbound.push_back(Frame::Push(Some(name)));
        }
    }

    fn members(&self, name: char) -> Result<Arc<List>, Error> {
        let value = self.value(name).to_owned();
        if value == MOVED {
            return Err(Error::Store(MOVED.into()));
        }
        List::new((!value.is_empty()).then_some(value)).map(Arc::new)
    }

    fn value(&self, name: char) -> &str {
        self.history[&name].last().map_or("", |(_, value)| value)
    }

    /// In the place of how many members there are: the number of the value, which tells more.
    fn number(&self, name: char) -> u64 {
        self.history[&name].len() as u64 - 1
    }

    fn record(&mut self, name: char, value: String) {
        let history = self.history.entry(name).or_default();
        history.push((self.now, value));
    }

    fn change(&mut self, name: char, value: String) {
        self.now += 1;
        // Removing what does not exist is no change.
        if !(value.is_empty() && self.value(name).is_empty()) {
            self.forget(name);
        }
        self.record(name, value);
    }

    fn flush(&mut self) {
        self.now += 1;
        for name in ['j', 'k', 'l', 'm', 'n'] {
            if self.is_here(name) {
                self.record(name, String::new());
            }
        }
        self.tracked.clear();
        self.dead.clear();
        self.pushes += 1;
        self.outbound.push_back(Frame::Push(None));
    }

    /// What is wrong with what the calls were answered, if anything: every call is answered; every
    /// read shows what its key held at some moment between call and answer; per key, these moments
    /// do not go back in call order, and own writes are seen by the reads called after them and by
    /// no others. And the server remembers no key that did not exist when we read it.
    pub(super) fn verdict(&self) -> Result<(), String> {
        if !self.dead.is_empty() {
            return Err(format!("the server remembers {:?}", self.dead));
        }
        let mut seen: HashMap<char, u64> = HashMap::new();
        for (index, made) in self.made.iter().enumerate() {
            let Some((until, values)) = &made.until else {
                return Err(format!("call {index} has no answer"));
            };
            let keys = concerned(&made.command);
            if made.command.op().is_write() {
                let names = keys.iter().map(|key| char::from(key[0]));
                let changed = names.filter(|name| !made.redirected.contains(name));
                seen.extend(changed.map(|name| (name, made.executed)));
                continue;
            }
            for (key, value) in keys.iter().zip(values) {
                let name = char::from(key[0]);
                let least = made.from.max(seen.get(&name).copied().unwrap_or(0));
                let most = self.next_own_write(name, index).map_or(*until, |at| at - 1);
                let history = &self.history[&name];
                let ends = history.iter().skip(1).map(|(at, _)| at - 1);
                let is_list = made.command.op() == Op::Read(ReadOp::Members);
                let is_shown = |index: usize, was: &String| {
                    if is_list {
                        was == value
                    } else {
                        index.to_string() == *value
                    }
                };
                let moment = history
                    .iter()
                    .zip(ends.chain([u64::MAX]))
                    .enumerate()
                    .filter(|(index, ((from, was), to))| {
                        is_shown(*index, was) && *from <= most && *to >= least
                    })
                    .map(|(_, ((from, _), _))| least.max(*from))
                    .find(|moment| *moment <= most);
                let Some(moment) = moment else {
                    return Err(format!(
                        "call {index} shows {name} = {value:?}, which was not so from {least} to {most}; {history:?}"
                    ));
                };
                seen.insert(name, moment);
            }
        }
        Ok(())
    }

    fn next_own_write(&self, name: char, index: usize) -> Option<u64> {
        let later = self.made[index + 1..].iter();
        later
            .filter(|made| {
                made.command.op().is_write()
                    && concerned(&made.command).contains(&key(name))
                    && !made.redirected.contains(&name)
            })
            .map(|made| made.executed)
            .next()
    }
}

fn effect(command: &Command) -> Option<Effect> {
    match command.op() {
        Op::Read(_) => None,
        Op::Write(op) => Some(op.effect()),
    }
}

fn shown(reply: Result<Reply, Error>) -> Vec<String> {
    match reply {
        Ok(Reply::Values(values)) => values
            .into_iter()
            .map(|value| match value {
                Ok(Value::List(list)) => list.json().trim_matches(['[', ']', '"']).to_owned(),
                Ok(Value::Int(count)) => count.to_string(),
                Ok(Value::Bool(is)) => is.to_string(),
                Ok(Value::Lease(lease)) => lease.json(),
                Err(Error::Store(words)) if &*words == MOVED => MOVED.to_owned(),
                Err(error) => panic!("no such error in this world: {error}"),
            })
            .collect(),
        Ok(Reply::Page(_)) => panic!("a page is no part of a batch"),
        Ok(Reply::Done | Reply::Changed(_) | Reply::Removed(_) | Reply::Lease(_)) => Vec::new(),
        Err(error) => panic!("no error in this world: {error}"),
    }
}
