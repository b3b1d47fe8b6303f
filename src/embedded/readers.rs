//! The slots of this process in LMDB's table of readers, each with a read transaction to be renewed.
//!
//! To take a slot is to wait for other processes that do so at that moment, and for ever if one of them is stopped
//! (SIGSTOP) in the middle. So the runtime's thread has a slot that is taken when the store is opened, and never takes
//! another one: all calls, deadlines and stores of this process depend on that thread. A blocking thread keeps its slot
//! for the next one; only if several read at once is a further slot taken.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    lmdb::{Env, Error, ReadSlot, RoTxn, code},
    store::Thread,
};

type Result<T> = std::result::Result<T, Error>;

/// The slots of an open store.
#[derive(Debug)]
pub(super) struct Readers {
    runtime: Mutex<ReadSlot>,
    /// For a blocking thread.
    spare: Mutex<Option<ReadSlot>>,
}

impl Readers {
    /// Takes the slots; blocks the thread.
    pub(super) fn open(env: &Env) -> Result<Self> {
        Ok(Self {
            runtime: Mutex::new(ReadSlot::begin(env)?),
            spare: Mutex::new(Some(ReadSlot::begin(env)?)),
        })
    }

    /// Runs `work` in a read transaction.
    pub(super) fn read<T>(
        &self,
        env: &Env,
        thread: Thread,
        work: impl FnOnce(&RoTxn) -> Result<T>,
    ) -> Result<T> {
        match thread {
            Thread::Runtime => work(&*lock(&self.runtime).renew()?),
            Thread::Blocking => {
                let spare = lock(&self.spare).take();
                let mut slot = spare.map_or_else(|| begin(env), Ok)?;
                let worked = slot.renew().and_then(|txn| work(&txn));
                // Another thread may have put back its own.
                lock(&self.spare).get_or_insert(slot);
                worked
            }
        }
    }
}

fn begin(env: &Env) -> Result<ReadSlot> {
    match ReadSlot::begin(env) {
        Err(Error::Lmdb(code::READERS_FULL)) => {
            env.clear_stale_readers()?;
            ReadSlot::begin(env)
        }
        slot => slot,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
