//! Executes batches on an open store, in transactions. A batch of reads is one read transaction. Any other batch is one
//! write transaction, in which its reads see the effects of earlier calls; a heavy one is several. The thread is chosen
//! in [`super::connection`]; what is no batch is in [`super::unbatched`].

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::oneshot;

use super::{
    budget::Budget,
    events::Recorder,
    lmdb::{self, RwTxn},
    messages::Failure,
    read_txn::{ReadTxn, TxnKind},
    store::{Store, Thread},
    write_lock::WriteGuard,
    write_txn::WriteTxn,
};
use crate::{
    batch_size::BatchSize,
    command::{Command, Op, Reply},
    error::{Error, Result},
    events::Publishing,
    failpoints::{fail_point, may_panic},
    keys::Key,
    list_lru::{Bounds, ListLru},
    manager::Lost,
    stats::Stats,
};

pub(super) type Replies = std::result::Result<Vec<Result<Reply>>, Lost>;

/// Executes the batches of one connection.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) store: Arc<Store>,
    reading: Mutex<ReadTxn>,
    /// Where changes are published; `None` if they are not.
    publishing: Option<Arc<Publishing>>,
    /// What the keys of channels begin with, if members that end with their sessions are kept.
    kept: Option<Key>,
    batch_size: Mutex<BatchSize>,
    /// Whether the connection is gone: no caller waits for its batches.
    gone: AtomicBool,
    /// How many batches that have the write lock, and steps of scans, are under way, or were when the connection ended.
    working: Arc<AtomicUsize>,
    /// Dropped last: its share in the store is gone by then, and if it was the last one, the store is closed.
    _ended: oneshot::Sender<()>,
}

/// The outcome of the first calls of a batch, in one transaction.
enum Step {
    Done(Vec<Result<Reply>>),
    /// This many calls were tried, and nothing was written.
    Failed(usize, Failure),
}

impl Executor {
    pub(super) fn new(
        store: Arc<Store>,
        bounds: Option<Bounds>,
        stats: Arc<Stats>,
        (publishing, kept): (Option<Arc<Publishing>>, Option<Key>),
        ended: oneshot::Sender<()>,
    ) -> Self {
        let lists = ListLru::new(bounds, stats.clone());
        let leases = store.leases();
        Self {
            store,
            publishing,
            kept,
            reading: Mutex::new(ReadTxn::new(lists, leases, stats)),
            batch_size: Mutex::default(),
            gone: AtomicBool::new(false),
            working: Arc::default(),
            _ended: ended,
        }
    }

    pub(super) fn kept(&self) -> Option<&Key> {
        self.kept.as_ref()
    }

    /// Returns how many calls the next batch should hold at most.
    pub(super) fn batch_size(&self) -> usize {
        lock(&self.batch_size).calls()
    }

    /// Returns the number of batches and steps of scans that are under way and do not only wait for the write lock.
    pub(super) fn working(&self) -> Arc<AtomicUsize> {
        self.working.clone()
    }

    /// Notes that the connection is gone, and drops the lists in memory.
    pub(super) fn give_up(&self) {
        self.gone.store(true, Ordering::Release);
        // A thread that waits for the write lock may outlive this by a long time, and must not keep the lists. A thread
        // that is executing clears them itself.
        if let Ok(mut reading) = self.reading.try_lock() {
            reading.clear();
        }
    }

    /// Executes commands other than `clean`, unless that takes long: then nothing is done.
    pub(super) fn try_now(&self, batch: &[&Command], guard: Option<WriteGuard>) -> Option<Replies> {
        self.execute(batch, guard, Budget::LIGHT)
    }

    /// Executes commands other than `clean`, however long it takes; blocks the thread. Writes need the write lock.
    pub(super) fn run(&self, batch: &[Command], guard: Option<WriteGuard>) -> Replies {
        self.wanted()?;
        self.at_work(|| {
            let batch: Vec<&Command> = batch.iter().collect();
            let replies = self.execute(&batch, guard, Budget::ANY);
            replies.unwrap_or_else(|| Err(Lost("a batch is too heavy".into())))
        })
    }

    pub(super) fn at_work(&self, work: impl FnOnce() -> Replies) -> Replies {
        let replies = self.counted(work);
        if self.is_given_up() {
            // Still executing, so nothing else clears them.
            self.reading().clear();
        }
        replies
    }

    /// Counts work as under way.
    pub(super) fn counted<T>(&self, work: impl FnOnce() -> T) -> T {
        self.working.fetch_add(1, Ordering::Release);
        let done = work();
        // When the connection is gone, this may be the last share in the store, which is then closed.
        if !self.is_given_up() {
            self.working.fetch_sub(1, Ordering::Release);
        }
        done
    }

    /// Executes a batch. Returns nothing if it exceeds the budget.
    fn execute(
        &self,
        batch: &[&Command],
        mut guard: Option<WriteGuard>,
        budget: Budget,
    ) -> Option<Replies> {
        may_panic("embedded");
        let mut replies = Vec::with_capacity(batch.len());
        loop {
            let rest = &batch[replies.len()..];
            let step = match &guard {
                None => self.read(rest, budget),
                Some(guard) => self.write(rest, guard, budget),
            };
            match step {
                Step::Done(done) => replies.extend(done),
                Step::Failed(_, Failure::Heavy) => return None,
                Step::Failed(_, Failure::Store(words)) => return Some(Err(Lost(words))),
                Step::Failed(tried, failure) => {
                    for command in rest.iter().take(tried) {
                        replies.push(self.fail(command, &failure, budget)?);
                    }
                }
            }
            if replies.len() >= batch.len() {
                return Some(Ok(replies));
            }
            if let Err(lost) = self.give_way(guard.as_mut()) {
                return Some(Err(lost));
            }
        }
    }

    /// Executes the first of these commands, which only read.
    fn read(&self, batch: &[&Command], budget: Budget) -> Step {
        let Some(mut reading) = self.reading_for(budget) else {
            return Step::Failed(0, Failure::Heavy);
        };
        let mut tried = 0;
        let read = self.store.read(budget.thread(), |txn| {
            reading.budget = budget;
            let rows = self.store.rows();
            let mut replies = Vec::with_capacity(batch.len());
            for command in batch {
                tried = replies.len() + 1;
                let Op::Read(op) = command.op() else {
                    replies.push(Err(Error::Internal("a write without its turn".to_owned())));
                    continue;
                };
                let members = command.members();
                let keys = command.keys().iter();
                let values =
                    keys.map(|key| reading.value(op, rows, txn, TxnKind::Read, (key, members)));
                let values = values.collect::<std::result::Result<_, lmdb::Error>>();
                replies.push(Ok(Reply::Values(values?)));
                if reading.budget.is_enough() {
                    break;
                }
            }
            Ok(replies)
        });
        self.step(&mut reading, tried, read)
    }

    /// Executes the first of these commands.
    fn write(&self, batch: &[&Command], guard: &WriteGuard, budget: Budget) -> Step {
        let Some(mut reading) = self.reading_for(budget) else {
            return Step::Failed(0, Failure::Heavy);
        };
        let mut tried = 0;
        let written = self.store_write(budget, guard, |txn, recorder| {
            reading.budget = budget;
            let mut writing = WriteTxn::new(
                self.store.rows(),
                txn,
                &mut reading,
                (recorder, self.kept()),
            );
            let mut replies = Vec::with_capacity(batch.len());
            for command in batch {
                tried = replies.len() + 1;
                replies.push(writing.execute(command)?);
                if writing.is_enough() {
                    break;
                }
            }
            writing.commit()?;
            Ok(replies)
        });
        self.step(&mut reading, tried, written)
    }

    /// Runs `work`, which commits, in a write transaction whose changes are published with option `events`.
    pub(super) fn store_write<T>(
        &self,
        budget: Budget,
        guard: &WriteGuard,
        mut work: impl FnMut(RwTxn, Option<Recorder>) -> std::result::Result<T, lmdb::Error>,
    ) -> std::result::Result<T, Failure> {
        let thread = budget.thread();
        let Some(publishing) = self.publishing.as_deref() else {
            return self.store.write(thread, guard, |txn| work(txn, None));
        };
        let ring = self.store.ring(thread, guard)?;
        let written = self.store.write(thread, guard, |txn| {
            work(txn, Some(Recorder::new(publishing, ring)))
        });
        if written.is_ok() {
            self.store.commits().send_replace(());
        }
        written
    }

    fn step(
        &self,
        reading: &mut ReadTxn,
        tried: usize,
        done: std::result::Result<Vec<Result<Reply>>, Failure>,
    ) -> Step {
        lock(&self.batch_size).loaded(reading.take_loaded(), tried);
        match done {
            Ok(replies) => Step::Done(replies),
            // The transaction did not even begin, so the others would fail as well.
            Err(failure) if tried == 0 => Step::Failed(usize::MAX, failure),
            Err(failure) => Step::Failed(tried, failure),
        }
    }

    /// Makes the reply to a call of a transaction that failed; a read is executed by itself. Returns nothing if it
    /// exceeds the budget.
    fn fail(&self, command: &Command, failure: &Failure, budget: Budget) -> Option<Result<Reply>> {
        if command.op().is_write() {
            return Some(Err(failure.error()));
        }
        match self.read(&[command], budget) {
            Step::Done(mut replies) => replies.pop(),
            Step::Failed(_, Failure::Heavy) => None,
            Step::Failed(_, failure) => Some(Err(failure.error())),
        }
    }

    /// Lets other processes write in between; blocks the thread.
    pub(super) fn give_way(&self, guard: Option<&mut WriteGuard>) -> std::result::Result<(), Lost> {
        if let Some(guard) = guard {
            let again = guard.let_others_write();
            again.map_err(|error| Lost(error.to_string().into()))?;
        }
        self.wanted()
    }

    /// Fails if the connection is gone, and with it the callers.
    pub(super) fn wanted(&self) -> std::result::Result<(), Lost> {
        fail_point!("embedded-gone-writes", Some(Ok(())));
        if self.is_given_up() {
            return Err(Lost("the connection is gone".into()));
        }
        Ok(())
    }

    fn is_given_up(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn reading(&self) -> MutexGuard<'_, ReadTxn> {
        lock(&self.reading)
    }

    /// The same for a batch; `None` if the runtime's thread would have to wait for a step beside the batches.
    fn reading_for(&self, budget: Budget) -> Option<MutexGuard<'_, ReadTxn>> {
        if budget.thread() == Thread::Blocking {
            return Some(self.reading());
        }
        match self.reading.try_lock() {
            Ok(reading) => Some(reading),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
