//! A store in memory for unit tests, and its script. Its connections, which break, hang and refuse as the script says, are in
//! [`crate::scripted_connection`].

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};

use tokio::sync::Notify;

use crate::{
    command::{Command, Items, Member, Op, ReadOp, Reply, Request, Value, WriteOp},
    keys::Key,
    lease::Lease,
    list::List,
    manager::{ConnectError, Connected, Manager, Queue},
    scripted_connection::StoreConnection,
    scripted_leases,
    scripted_pages::PageScript,
};

/// The members of each key; a key without members is not there.
pub(crate) type Sets = BTreeMap<Key, BTreeSet<Member>>;

/// The outcome of an attempt to connect.
#[derive(Debug, Clone)]
pub(crate) enum Dial {
    /// A connection whose batches have these fates, one after the other; later ones are good. `bool`: whether it is
    /// fenced.
    Up(Vec<Fate>, bool),
    /// The same, fenced, for heartbeats: it answers this number of pings, and then none.
    Silent(Vec<Fate>, usize),
    /// A connection that is closed after this time.
    Closes(Duration),
    /// There is no server.
    Down,
    /// The store refuses.
    Refused,
}

/// The fate of a batch.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// Executed, and answered after this number of milliseconds.
    Good(u64),
    /// This number of commands is executed, then the connection breaks.
    Breaks(usize),
    /// Never executed, never answered.
    Hangs,
    /// Answered as by a replica: reads succeed, writes are refused.
    Refuses,
    /// A barrier of this number of steps, each of which takes this number of milliseconds.
    Steps(usize, u64),
    /// The same, and then a step that never ends.
    StepsThenHangs(usize, u64),
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) dials: VecDeque<Dial>,
    /// The batches that were executed.
    pub(crate) batches: Vec<Vec<Request>>,
    /// What was told of the queue with each batch of commands.
    pub(crate) queues: Vec<Queue>,
    /// The number of pings.
    pub(crate) asked: usize,
    pub(crate) sets: Sets,
    /// Hashes beside them, for layouts of forks.
    pub(crate) hashes: BTreeMap<Key, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Makes the driver retry at once.
    pub(crate) stir: Arc<Notify>,
    /// A call with this member breaks the connection before it is executed, each time.
    pub(crate) poison: Option<Member>,
    /// See [`Manager::elects`].
    pub(crate) elects: bool,
    /// The opposite of [`Manager::may_lose_writes`].
    pub(crate) keeps: bool,
    /// How long each step of [`Connection::found`] takes.
    pub(crate) scan_pause: Duration,
    pub(crate) pages: PageScript,
    /// See [`Connection::depth`]; 0 for the usual one.
    pub(crate) depth: usize,
    /// See [`Connection::batch_size`]; 0 for the usual one.
    pub(crate) batch_size: usize,
}

/// The store, its script, and what it has counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store(pub(crate) Arc<Mutex<Script>>);

/// A replica's answer to a write.
pub(crate) const READONLY: &str = "READONLY no";

impl Store {
    pub(crate) fn new(dials: impl IntoIterator<Item = Dial>) -> Arc<Self> {
        let store = Self::default();
        store.0.lock().unwrap().dials = dials.into_iter().collect();
        Arc::new(store)
    }

    pub(crate) fn apply(&self, request: &Request) -> Reply {
        let sets = &mut self.0.lock().unwrap().sets;
        match request {
            Request::Command(command) => apply(sets, command),
            Request::Page(_) => Reply::Done,
            Request::Everywhere(everywhere) => apply(sets, everywhere.command()),
            Request::Clean(removal) => {
                let before = sets.len();
                sets.retain(|key, _| !(key.starts_with(removal.stem()) && removal.takes(key)));
                Reply::Removed((before - sets.len()) as u64)
            }
        }
    }
}

/// Executes a command on sets in memory, as every store must.
pub(crate) fn apply(sets: &mut Sets, command: &Command) -> Reply {
    let members = command.members();
    let op = match command.op() {
        Op::Read(op) => {
            let value = |key: &Key| {
                let set = sets.get(key).into_iter().flatten();
                match op {
                    ReadOp::Members | ReadOp::Users => {
                        List::new(set).map(Arc::new).map(Value::List)
                    }
                    ReadOp::Count => Ok(Value::Int(set.count() as u64)),
                    ReadOp::IsMember => {
                        let mut set = set;
                        let is = set.any(|member| members.get(0) == Some(member.as_slice()));
                        Ok(Value::Bool(is))
                    }
                    // The stores themselves are tested with these.
                    ReadOp::Joined | ReadOp::KeptUsers => Ok(Value::List(Arc::new(List::empty()))),
                    ReadOp::Lease => Ok(Lease::of(scripted_leases::holder(sets, key)).into()),
                }
            };
            return Reply::Values(command.keys().iter().map(value).collect());
        }
        Op::Write(op) => op,
    };
    if op.items() == Items::OneSlot {
        return scripted_leases::apply(sets, op, command);
    }
    let mut changed = 0;
    for key in command.keys() {
        let set = sets.entry(key.clone()).or_default();
        let before = set.len();
        match op {
            WriteOp::Add => set.extend(members.iter().map(<[u8]>::to_vec)),
            WriteOp::Remove => set.retain(|member| !members.iter().any(|other| other == member)),
            _ => set.clear(),
        }
        changed += match op {
            WriteOp::Add | WriteOp::Remove => before.abs_diff(set.len()),
            _ => usize::from(before > 0),
        };
        if set.is_empty() {
            sets.remove(key);
        }
    }
    Reply::Changed(changed as u64)
}

impl Manager for Store {
    type Connection = StoreConnection;

    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, Result<Connected<StoreConnection>, ConnectError>> {
        let dial = self.0.lock().unwrap().dials.pop_front();
        let up = |fates: Vec<Fate>, fenced, signs| {
            Ok(Connected {
                connection: StoreConnection {
                    store: (*self).clone(),
                    fates: Mutex::new(fates.into()),
                    signs: Mutex::new(signs),
                    demoted: Mutex::default(),
                },
                closed: std::future::pending().boxed(),
                fenced,
                note: None,
            })
        };
        let outcome = match dial.unwrap_or(Dial::Up(Vec::new(), true)) {
            Dial::Up(fates, fenced) => up(fates, fenced, None),
            Dial::Silent(fates, signs) => up(fates, true, Some(signs)),
            Dial::Closes(after) => up(Vec::new(), true, None).map(|connected| Connected {
                closed: tokio::time::sleep(after).boxed(),
                ..connected
            }),
            Dial::Down => Err(ConnectError::Unreachable("down".into())),
            Dial::Refused => Err(ConnectError::Refused("WRONGPASS no".into())),
        };
        std::future::ready(outcome).boxed()
    }

    fn retry_hint(&self) -> BoxFuture<'static, ()> {
        let stir = self.0.lock().unwrap().stir.clone();
        async move { stir.notified().await }.boxed()
    }

    fn elects(&self) -> bool {
        self.0.lock().unwrap().elects
    }

    fn may_lose_writes(&self) -> bool {
        !self.0.lock().unwrap().keeps
    }

    fn describe(&self) -> String {
        "the test store".to_owned()
    }
}

pub(crate) fn add(key: &str, member: &str) -> Command {
    Command::write_members(WriteOp::Add, key.into(), [member])
}

pub(crate) fn remove(key: &str, member: &str) -> Command {
    Command::write_members(WriteOp::Remove, key.into(), [member])
}

pub(crate) fn read(key: &str) -> Command {
    Command::read(ReadOp::Members, vec![key.into()])
}

pub(crate) fn members(members: &[&str]) -> Reply {
    Reply::Values(vec![List::new(members).map(Arc::new).map(Value::List)])
}
