//! An open store: its transactions, the size of its map, and closing it. [`super::opening`] opens it; what is done in a
//! transaction is in [`super::read_txn`] and [`super::write_txn`].

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    Durability,
    folder::{Folder, OpeningLock},
    leases::Leases,
    lmdb::{self, Env, RoTxn, RwTxn},
    messages::Failure,
    opening::{Opened, open},
    presence::Presence,
    readers::Readers,
    recovery::close,
    ring::Ring,
    rows::Rows,
    watchdog::Watchdog,
    write_lock::{WriteGuard, WriteLock},
};
use crate::manager::{ConnectError, Lost};

/// The thread that a transaction runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thread {
    /// The runtime's, which waits for nothing: neither for other processes, nor for long transactions of other threads.
    /// Fails with [`Failure::Heavy`] where it would have to.
    Runtime,
    /// One that may wait.
    Blocking,
}

/// The registry's guard, dropped when the store is closed.
pub(super) type Reservation = Box<dyn fmt::Debug + Send + Sync>;

/// An open store, shared by all connections of this process to its folder. Dropping it closes it, which may wait for
/// the disk.
#[derive(Debug)]
pub(super) struct Store {
    /// `None` once the store is closed.
    env: Option<Env>,
    /// `None` once the store is closed.
    readers: Option<Readers>,
    rows: Rows,
    /// Opened when it is needed.
    ring: OnceLock<Ring>,
    /// Told of each commit of this process whose changes are published.
    commits: watch::Sender<()>,
    /// The number of connections that have not ended.
    connections: Arc<AtomicUsize>,
    write_lock: WriteLock,
    durability: Durability,
    folder: Folder,
    presence: Option<Presence>,
    /// Transactions hold it shared, resizing the map holds it exclusively.
    map: RwLock<()>,
    watchdog: Arc<Watchdog>,
    /// Whether it is being closed, and is not on the disk yet.
    syncing: Arc<AtomicBool>,
    /// Dropped last: see [`super::registry`].
    _reservation: Reservation,
}

impl Store {
    /// Opens the store in a folder, which this process does not have open. Returns a line for the log, if there is one.
    pub(super) fn open(
        folder: Folder,
        durability: Durability,
        reservation: Reservation,
    ) -> Result<(Self, Option<String>), ConnectError> {
        let lock = folder.lock_opening()?;
        let presence = Presence::claim(&folder, &lock)?;
        let opened = open(&folder, durability, &presence, &lock);
        let Opened {
            env,
            readers,
            rows,
            write_lock,
            files,
            note,
        } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                presence.withdraw(&lock);
                return Err(error);
            }
        };
        let watchdog = Watchdog::new(folder.clone(), durability, files);
        watchdog.begin();
        let store = Self {
            env: Some(env),
            readers: Some(readers),
            rows,
            ring: OnceLock::new(),
            commits: watch::Sender::default(),
            connections: Arc::default(),
            write_lock,
            durability,
            folder,
            presence: Some(presence),
            map: RwLock::default(),
            watchdog,
            syncing: Arc::default(),
            _reservation: reservation,
        };
        Ok((store, note))
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Returns the sender that is told of commits whose changes are published.
    pub(super) fn commits(&self) -> &watch::Sender<()> {
        &self.commits
    }

    /// Returns the number of connections of this process that have not ended, which only the runtime's thread changes.
    pub(super) fn connections(&self) -> Arc<AtomicUsize> {
        self.connections.clone()
    }

    /// Returns the published changes, whose table is made if it is missing.
    pub(super) fn ring(&self, thread: Thread, _pass: &WriteGuard) -> Result<Ring, Failure> {
        if let Some(ring) = self.ring.get() {
            return Ok(*ring);
        }
        if thread == Thread::Runtime {
            // It waits for the transactions of all threads.
            return Err(Failure::Heavy);
        }
        loop {
            let made = {
                let _alone = self.map_alone();
                let (env, _) = self.opened()?;
                // SAFETY: transactions are open under a share of the lock only, and there is none now.
                unsafe { env.make_tables_beside([Ring::NAME]) }
            };
            match made {
                Ok([table]) => return Ok(*self.ring.get_or_init(|| Ring(table))),
                Err(error) => self.repair(thread, Failure::of(&error, self.path()))?,
            }
        }
    }

    /// Returns the number of the last commit of any process.
    pub(super) fn last_commit(&self, thread: Thread) -> Result<u64, Failure> {
        let _map = self.map(thread)?;
        self.opened().map(|(env, _)| env.last_commit())
    }

    /// Returns the leases, and which processes hold them.
    pub(super) fn leases(&self) -> Leases {
        Leases::new(&self.folder)
    }

    pub(super) fn write_lock(&self) -> &WriteLock {
        &self.write_lock
    }

    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Returns the maximum number of readers at a time, of all processes, since the first of them opened the store.
    #[cfg(any(test, feature = "failpoints"))]
    pub(super) fn readers(&self) -> u32 {
        self.env.as_ref().map_or(0, Env::readers)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `work` in a read transaction, which sees everything that was committed before.
    pub(super) fn read<T>(
        &self,
        thread: Thread,
        mut work: impl FnMut(&RoTxn) -> Result<T, lmdb::Error>,
    ) -> Result<T, Failure> {
        self.attempt(thread, |env, readers| readers.read(env, thread, &mut work))
    }

    /// Runs `work`, which commits, in a write transaction, perhaps more than once.
    pub(super) fn write<T>(
        &self,
        thread: Thread,
        _pass: &WriteGuard,
        mut work: impl FnMut(RwTxn) -> Result<T, lmdb::Error>,
    ) -> Result<T, Failure> {
        self.attempt(thread, |env, _| work(env.write_txn()?))
    }

    /// Runs `work`, and repeats it with a larger map as long as that is too small.
    fn attempt<T>(
        &self,
        thread: Thread,
        mut work: impl FnMut(&Env, &Readers) -> Result<T, lmdb::Error>,
    ) -> Result<T, Failure> {
        loop {
            let worked = {
                let _map = self.map(thread)?;
                let (env, readers) = self.opened()?;
                work(env, readers)
            };
            match worked {
                Ok(worked) => return Ok(worked),
                Err(error) => self.repair(thread, Failure::of(&error, self.path()))?,
            }
        }
    }

    /// Does what a transaction needs to be tried again, or fails.
    fn repair(&self, thread: Thread, failure: Failure) -> Result<(), Failure> {
        match failure {
            // Both wait for the transactions of all threads, and for other processes to look for dead readers.
            Failure::NoRoom | Failure::Outgrown if thread == Thread::Runtime => Err(Failure::Heavy),
            Failure::NoRoom => self.grow(),
            // As large as the other processes have it.
            Failure::Outgrown => self.resize(0),
            Failure::Store(words) => Err(self.end(words)),
            failure @ (Failure::Heavy | Failure::Calls(_)) => Err(failure),
        }
    }

    fn grow(&self) -> Result<(), Failure> {
        let (dead, size) = {
            let _map = self.map(Thread::Blocking)?;
            let (env, _) = self.opened()?;
            (env.clear_stale_readers(), env.map_size())
        };
        match dead {
            // Pages kept for dead readers can be reused.
            Ok(1..) => Ok(()),
            _ => self.resize(size.checked_mul(2).ok_or(Failure::NoRoom)?),
        }
    }

    fn resize(&self, size: usize) -> Result<(), Failure> {
        let _alone = self.map_alone();
        let (env, _) = self.opened()?;
        // SAFETY: transactions are open under a share of the lock only, and there is none now.
        let resized = unsafe { env.resize(size) };
        // Without a map no further transaction may begin.
        resized.map_err(|error| self.end(format!("no memory for the store: {error}").into()))
    }

    /// Returns the environment, as long as it can be used.
    fn opened(&self) -> Result<(&Env, &Readers), Failure> {
        if let Some(words) = self.watchdog.over() {
            return Err(Failure::Store(words));
        }
        let opened = self.env.as_ref().zip(self.readers.as_ref());
        opened.ok_or_else(|| Failure::Store("the store is closed".into()))
    }

    fn map(&self, thread: Thread) -> Result<RwLockReadGuard<'_, ()>, Failure> {
        if thread == Thread::Blocking {
            return Ok(self.map.read().unwrap_or_else(PoisonError::into_inner));
        }
        match self.map.try_read() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Failure::Heavy),
        }
    }

    fn map_alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the store can still be used, and is still the one in its folder.
    pub(super) fn check(&self) -> Result<(), Lost> {
        self.watchdog.check()
    }

    fn end(&self, words: Arc<str>) -> Failure {
        self.watchdog.end(words.clone());
        Failure::Store(words)
    }

    /// Returns why the store cannot be used any more.
    pub(super) fn over(&self) -> Option<Arc<str>> {
        self.watchdog.over()
    }

    /// Completes when the store cannot be used any more.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.watchdog.ended()
    }

    /// Returns the flag that says whether the store is being closed, and is not on the disk yet.
    pub(super) fn syncing(&self) -> Arc<AtomicBool> {
        self.syncing.clone()
    }

    /// Writes everything to the disk and records it, if this is the last process.
    fn close_in_order(&self, env: &Env, lock: &OpeningLock) {
        // With durability `os` each commit has waited for the disk, and nothing is lost without this.
        let needed = self.durability == Durability::Process;
        self.syncing.store(needed, Ordering::Release);
        // If this fails, the next process finds the store as after a kill.
        let _ = close(&self.folder, || env.force_sync().is_ok(), lock);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let (Some(env), Some(presence)) = (self.env.take(), self.presence.take()) else {
            return;
        };
        // They have a share in the environment, which is closed below.
        self.readers = None;
        let there = self.watchdog.has_data();
        let over = self.watchdog.over().is_some() || !there;
        // If the store cannot be used, the files in the folder may belong to other processes by now.
        let Some(lock) = (!over).then(|| self.folder.lock_opening().ok()).flatten() else {
            // Before `presence`: a process that finds no other one makes LMDB's lock file anew.
            drop(env);
            self.watchdog.close();
            return;
        };
        let seen_alone = presence.is_alone(&lock).unwrap_or(false);
        if seen_alone && self.watchdog.is_last().unwrap_or(true) {
            self.close_in_order(&env, &lock);
        }
        drop(env);
        self.watchdog.close();
        presence.leave(&lock);
    }
}
