//! A store in memory for unit tests, whose connections break, hang and refuse as a script says.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};

use tokio::sync::Notify;

use crate::{
    command::{Command, Items, Member, Op, ReadOp, Reply, Request, Value, WriteOp},
    error::{Error, Result},
    keys::Key,
    lease::Lease,
    list::List,
    manager::{
        ConnectError, Connected, Connection, Field, Inventory, Keyspace, Lost, Manager, Queue,
    },
    pages::PageSource,
    removal::Removal,
    scripted_leases,
    scripted_pages::{PageScript, StorePages},
    steps::Steps,
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

pub(crate) struct StoreConnection {
    store: Store,
    fates: Mutex<VecDeque<Fate>>,
    /// The number of pings that are still answered; `None` for a connection without heartbeat.
    signs: Mutex<Option<usize>>,
    demoted: Mutex<Option<Arc<str>>>,
}

/// A replica's answer to a write.
pub(crate) const READONLY: &str = "READONLY no";

impl Store {
    pub(crate) fn new(dials: impl IntoIterator<Item = Dial>) -> Arc<Self> {
        let store = Self::default();
        store.0.lock().unwrap().dials = dials.into_iter().collect();
        Arc::new(store)
    }

    fn apply(&self, request: &Request) -> Reply {
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
                        let is = set.any(|member| members.first() == Some(member));
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
            WriteOp::Add => set.extend(members.iter().cloned()),
            WriteOp::Remove => set.retain(|member| !members.contains(member)),
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
    ) -> BoxFuture<'static, std::result::Result<Connected<StoreConnection>, ConnectError>> {
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

impl Connection for StoreConnection {
    fn pages(&self) -> Arc<dyn PageSource> {
        let mut script = self.store.0.lock().unwrap();
        script.pages.begun += 1;
        Arc::new(StorePages {
            store: self.store.clone(),
            sets: script.sets.clone(),
        })
    }

    fn depth(&self) -> usize {
        match self.store.0.lock().unwrap().depth {
            0 => 32,
            depth => depth,
        }
    }

    fn batch_size(&self) -> usize {
        match self.store.0.lock().unwrap().batch_size {
            0 => usize::MAX,
            size => size,
        }
    }

    fn demoted(&self) -> Option<Arc<str>> {
        self.demoted.lock().unwrap().clone()
    }

    fn ping(&self) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        let mut signs = self.signs.lock().unwrap();
        let left = signs.as_mut()?;
        self.store.0.lock().unwrap().asked += 1;
        if *left == 0 {
            return Some(std::future::pending().boxed());
        }
        *left -= 1;
        Some(std::future::ready(Ok(())).boxed())
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let script = self.store.0.lock().unwrap();
        let pause = script.scan_pause;
        let slowly = move |found| async move {
            tokio::time::sleep(pause).await;
            found
        };
        let keys = script.sets.keys().chain(script.hashes.keys());
        let keys = keys.filter(|key| key.starts_with(stem)).cloned().collect();
        pages(keys).then(slowly).boxed()
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let (count, ms) = match self.fates.lock().unwrap().front() {
            Some(Fate::Steps(count, ms) | Fate::StepsThenHangs(count, ms)) => (*count, *ms),
            _ => (0, 0),
        };
        let done = self.run(&[Request::Clean(Box::new(removal.clone()))]);
        async move {
            for _ in 0..count {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                steps.next();
            }
            done.await
        }
        .boxed()
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let batch = batch.iter().map(|&command| command.clone().into());
        self.run(&batch.collect::<Vec<_>>())
    }

    fn execute_from(
        &self,
        batch: &[&Command],
        queue: Queue,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.store.0.lock().unwrap().queues.push(queue);
        self.execute(batch)
    }
}

impl StoreConnection {
    fn run(
        &self,
        batch: &[Request],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let mut fates = self.fates.lock().unwrap();
        let mut fate = fates.front().cloned().unwrap_or(Fate::Good(1));
        let poison = self.store.0.lock().unwrap().poison.clone();
        let is_poison = |request: &Request| {
            let members = request.command().map(Command::members);
            poison
                .as_ref()
                .is_some_and(|poison| members.is_some_and(|members| members.contains(poison)))
        };
        if let (Fate::Good(_), Some(at)) = (&fate, batch.iter().position(is_poison)) {
            fate = Fate::Breaks(at);
        }
        // After a break or a hang nothing sent on this connection arrives any more.
        if matches!(fate, Fate::Good(_) | Fate::Refuses | Fate::Steps(..)) {
            fates.pop_front();
        } else {
            fates.truncate(1);
        }
        let executed = match fate {
            Fate::Good(_) | Fate::Refuses | Fate::Steps(..) => batch.len(),
            Fate::Breaks(count) => count.min(batch.len()),
            Fate::Hangs | Fate::StepsThenHangs(..) => 0,
        };
        let refuses = matches!(fate, Fate::Refuses);
        let takes = |request: &&Request| !refuses || !request.is_write();
        let reply = |request| {
            let no = || Error::Store(READONLY.into());
            let request = Some(request).filter(takes).ok_or_else(no)?;
            Ok(self.store.apply(request))
        };
        let replies: Vec<_> = batch[..executed].iter().map(reply).collect();
        let done = batch[..executed].iter().filter(takes).cloned().collect();
        *self.demoted.lock().unwrap() = refuses.then(|| READONLY.into());
        self.store.0.lock().unwrap().batches.push(done);
        if let Fate::Breaks(_) = fate {
            // The rest of the commands on this connection is lost with it.
            *fates = [Fate::Breaks(0)].into();
        }
        async move {
            match fate {
                Fate::Good(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    Ok(replies)
                }
                Fate::Refuses | Fate::Steps(..) => Ok(replies),
                Fate::Breaks(_) => Err(Lost("broken".into())),
                Fate::Hangs | Fate::StepsThenHangs(..) => std::future::pending().await,
            }
        }
        .boxed()
    }
}

/// Streams names two at a time, and one of them twice, as SCAN, SSCAN and HSCAN may.
fn pages<T: Ord + Clone + Send + 'static>(mut names: Vec<T>) -> BoxStream<'static, Result<Vec<T>>> {
    names.sort_unstable();
    names.extend(names.first().cloned());
    let pages: Vec<_> = names.chunks(2).map(|page| Ok(page.to_vec())).collect();
    stream::iter(pages).boxed()
}

impl Inventory for StoreConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        let keys = sets.keys().filter(|key| key.starts_with(stem));
        pages(keys.cloned().collect())
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        pages(sets.get(key).into_iter().flatten().cloned().collect())
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        let count = |key| sets.get(key).map_or(0, BTreeSet::len) as u64;
        let counts = keys.iter().map(count).collect();
        std::future::ready(Ok(counts)).boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

impl Keyspace for StoreConnection {
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>> {
        let hashes = &self.store.0.lock().unwrap().hashes;
        pages(hashes.get(key).cloned().into_iter().flatten().collect())
    }
}

pub(crate) fn add(key: &str, member: &str) -> Command {
    Command::write_members(WriteOp::Add, key.into(), [member.into()])
}

pub(crate) fn remove(key: &str, member: &str) -> Command {
    Command::write_members(WriteOp::Remove, key.into(), [member.into()])
}

pub(crate) fn read(key: &str) -> Command {
    Command::read(ReadOp::Members, vec![key.into()])
}

pub(crate) fn members(members: &[&str]) -> Reply {
    Reply::Values(vec![List::new(members).map(Arc::new).map(Value::List)])
}
