//! Batches to transactions. A batch that only reads is one read transaction; else it is one write
//! transaction, in which its reads see what the calls before them did. A batch is executed at once, on the
//! runtime's thread, if that takes no waiting and not long; else on a thread where blocking is allowed. There
//! is one batch at a time: what comes meanwhile goes into the next one.

use std::{
    iter,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, OptionFuture},
};
use tokio::{
    runtime::Handle,
    task::{JoinHandle, spawn_blocking},
};

use super::{
    Durability,
    gate::Pass,
    reading::{Eyes, Reading},
    store::Store,
    weight::{self, LIGHT},
    words::Failure,
    writing::Writing,
};
use crate::{
    appetite::Appetite,
    broken::Broken,
    command::{Command, Reply},
    error::{Error, Result},
    manager::{Link, Lost},
    shelf::{Bounds, Shelf},
    stats::Stats,
};

type Replies = std::result::Result<Vec<Result<Reply>>, Lost>;

/// Members that one step of a `clean` removes.
const STEP: u64 = 16 << 10;

/// A share in an open store.
#[derive(Debug)]
pub struct EmbeddedLink {
    /// There until it ends.
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    reading: Mutex<Reading>,
    appetite: Mutex<Appetite>,
    /// Nobody waits for its batches any more.
    gone: AtomicBool,
    broken: Broken,
}

impl EmbeddedLink {
    pub(super) fn new(
        store: Arc<Store>,
        bounds: Option<Bounds>,
        stats: Arc<Stats>,
        broken: Broken,
    ) -> Self {
        let shelf = Shelf::new(bounds, stats.clone());
        let inner = Inner {
            store,
            reading: Mutex::new(Reading::new(shelf, stats, broken)),
            appetite: Mutex::default(),
            gone: AtomicBool::new(false),
            broken,
        };
        Self {
            inner: Some(Arc::new(inner)),
        }
    }

    /// Its store, until it ends.
    pub(super) fn store(&self) -> Option<&Arc<Store>> {
        self.inner.as_ref().map(|inner| &inner.store)
    }

    /// Lets go of the store, on a thread that may wait for the disk: this may be the last share in it.
    fn end(&mut self) -> Option<JoinHandle<()>> {
        let inner = self.inner.take()?;
        inner.gone.store(true, Ordering::Release);
        // A thread that waits for the gate may outlive this for long, and the lists must not. One that
        // is at work sees to it itself.
        if let Ok(mut reading) = inner.reading.try_lock() {
            reading.clear();
        }
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn_blocking(|| drop(inner)))
    }
}

impl Drop for EmbeddedLink {
    fn drop(&mut self) {
        self.end();
    }
}

impl Link for EmbeddedLink {
    fn appetite(&self) -> usize {
        let appetite = self.inner.as_ref().map(|inner| lock(&inner.appetite));
        appetite.map_or(usize::MAX, |appetite| appetite.calls())
    }

    fn depth(&self) -> usize {
        1
    }

    fn execute(&self, batch: &[&Command]) -> BoxFuture<'static, Replies> {
        let ended = || Lost("the link has ended".into());
        let inner = self.inner.as_ref().ok_or_else(ended);
        let checked = inner.and_then(|inner| inner.store.check().map(|()| inner));
        let inner = match checked {
            Ok(inner) => inner,
            Err(lost) => return std::future::ready(Err(lost)).boxed(),
        };
        if !batch.iter().any(|command| command.is_write()) {
            return std::future::ready(inner.read(batch)).boxed();
        }
        if weight::of_batch(batch, &inner.store) <= LIGHT
            && inner.store.durability() == Durability::Process
            && let Some(pass) = inner.store.gate().try_pass()
        {
            return std::future::ready(inner.write(batch, pass)).boxed();
        }
        let batch: Vec<Command> = batch.iter().map(|&command| command.clone()).collect();
        inner.clone().write_later(batch).boxed()
    }

    fn close(mut self) -> BoxFuture<'static, ()> {
        let ended: OptionFuture<_> = self.end().into();
        ended.map(drop).boxed()
    }
}

impl Inner {
    async fn write_later(self: Arc<Self>, batch: Vec<Command>) -> Replies {
        let turn = self.store.gate().turn().await;
        let written = spawn_blocking(move || {
            let pass = turn.pass();
            let pass = pass.map_err(|error| Lost(error.to_string().into()))?;
            if self.gone.load(Ordering::Acquire) && !self.broken.is("embedded-gone-writes") {
                return Err(Lost("nobody waits for it".into()));
            }
            let replies = match batch.as_slice() {
                [Command::Clean { stem }] => self.clean(stem, pass),
                batch => self.write(&batch.iter().collect::<Vec<_>>(), pass),
            };
            if self.gone.load(Ordering::Acquire) {
                self.reading().clear();
            }
            replies
        });
        written
            .await
            .unwrap_or_else(|error| Err(Lost(error.to_string().into())))
    }

    /// Executes commands that do not write.
    fn read(&self, batch: &[&Command]) -> Replies {
        let reading = &mut *self.reading();
        let read = self.store.read(|txn| {
            let rows = self.store.rows();
            let replies = batch.iter().map(|command| {
                let Command::Members { keys } = command else {
                    return Ok(Err(Error::Internal("a write among reads".to_owned())));
                };
                let lists = keys
                    .iter()
                    .map(|key| reading.list(rows, txn, Eyes::Reader, key));
                let lists: std::result::Result<_, heed::Error> = lists.collect();
                Ok(Ok(Reply::Members(lists?)))
            });
            replies.collect()
        });
        lock(&self.appetite).loaded(reading.take_loaded(), batch.len());
        match read {
            Ok(replies) => Ok(replies),
            Err(Failure::Store(words)) => Err(Lost(words)),
            Err(failure) => Ok(fail(batch, &failure)),
        }
    }

    /// Executes commands of any kind but `clean`.
    fn write(&self, batch: &[&Command], mut pass: Pass) -> Replies {
        let mut replies = Vec::with_capacity(batch.len());
        let (mut now, mut later) = batch.split_at(weight::transaction(batch));
        loop {
            replies.extend(self.transact(now, &pass)?);
            if later.is_empty() {
                return Ok(replies);
            }
            // Only a heavy batch has more than one transaction, and that is not on the runtime's thread.
            self.give_way(&mut pass)?;
            (now, later) = later.split_at(weight::transaction(later));
        }
    }

    /// Lets other processes write in between; blocks the thread.
    fn give_way(&self, pass: &mut Pass) -> std::result::Result<(), Lost> {
        let again = pass.give_way();
        again.map_err(|error| Lost(error.to_string().into()))?;
        if self.gone.load(Ordering::Acquire) {
            return Err(Lost("nobody waits for it".into()));
        }
        Ok(())
    }

    fn transact(&self, batch: &[&Command], pass: &Pass) -> Replies {
        let mut reading = self.reading();
        let written = self.store.write(pass, |txn| {
            let mut writing = Writing::new(self.store.rows(), txn, &mut reading, self.broken);
            let replies = batch.iter().map(|command| writing.execute(command));
            let replies = replies.collect::<std::result::Result<Vec<_>, _>>()?;
            writing.commit()?;
            Ok(replies)
        });
        lock(&self.appetite).loaded(reading.take_loaded(), batch.len());
        drop(reading);
        match written {
            Ok(replies) => Ok(replies),
            Err(Failure::Store(words)) => Err(Lost(words)),
            Err(failure) => self.fail_writes(batch, &failure),
        }
    }

    /// Nothing was written: the reads of the batch are answered all the same.
    fn fail_writes(&self, batch: &[&Command], failure: &Failure) -> Replies {
        let reply = |command: &&Command| {
            if command.is_write() {
                return Ok(Err(failure.error()));
            }
            let mut replies = self.read(&[command])?;
            let missing = || Err(Error::Internal("a read without a reply".to_owned()));
            Ok(replies.pop().unwrap_or_else(missing))
        };
        batch.iter().map(reply).collect()
    }

    fn clean(&self, stem: &[u8], mut pass: Pass) -> Replies {
        loop {
            let mut reading = self.reading();
            let cleaned = self.store.write(&pass, |txn| {
                Writing::new(self.store.rows(), txn, &mut reading, self.broken).clean(stem, STEP)
            });
            drop(reading);
            match cleaned {
                Ok(true) => return Ok(vec![Ok(Reply::Done)]),
                Ok(false) => self.give_way(&mut pass)?,
                Err(Failure::Store(words)) => return Err(Lost(words)),
                Err(failure) => return Ok(vec![Err(failure.error())]),
            }
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        lock(&self.reading)
    }
}

fn fail(batch: &[&Command], failure: &Failure) -> Vec<Result<Reply>> {
    iter::repeat_with(|| Err(failure.error()))
        .take(batch.len())
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
