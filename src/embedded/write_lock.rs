//! The lock for write transactions, among all processes that have the store open. LMDB has one of its own, but it can
//! only be waited for, and it is not fair. This one can be tried without another thread, and a process cannot get it
//! twice while another one waits.
//!
//! It is made of two locked files: a process first locks `next`, then waits for `write`, and unlocks `next` before it
//! begins. So the process that has `next` is the next to write. The kernel frees both when a process dies.

use std::{fs::File, io, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The files, locked by one thread of this process at a time: a file lock belongs to the open file, and would not
/// exclude other threads.
#[derive(Debug)]
struct Files {
    next: File,
    write: File,
}

/// The lock of one store. It is taken in two steps: among the threads of this process, then among the processes.
#[derive(Debug)]
pub(super) struct WriteLock(Arc<Mutex<Files>>);

/// Holds the lock: no other thread and no other process writes until it is dropped.
#[derive(Debug)]
pub(super) struct WriteGuard(OwnedMutexGuard<Files>);

/// Holds the lock among the threads of this process only.
#[derive(Debug)]
pub(super) struct LocalGuard(OwnedMutexGuard<Files>);

impl Files {
    fn lock(&self) -> io::Result<()> {
        self.next.lock()?;
        let locked = self.write.lock();
        // Fails only for a file that is not locked.
        let _ = self.next.unlock();
        locked
    }
}

impl WriteLock {
    pub(super) fn new(next: File, write: File) -> Self {
        Self(Arc::new(Mutex::new(Files { next, write })))
    }

    /// Takes the lock, if that is possible without waiting.
    pub(super) fn try_lock(&self) -> Option<WriteGuard> {
        let files = self.0.clone().try_lock_owned().ok()?;
        // A file system without locks was detected when the store was opened.
        files.next.try_lock().ok()?;
        let locked = files.write.try_lock().is_ok();
        let _ = files.next.unlock();
        locked.then(|| WriteGuard(files))
    }

    /// Waits for other threads of this process.
    pub(super) async fn lock_local(&self) -> LocalGuard {
        LocalGuard(self.0.clone().lock_owned().await)
    }
}

impl LocalGuard {
    /// Waits for other processes; blocks the thread.
    pub(super) fn lock(self) -> io::Result<WriteGuard> {
        self.0.lock()?;
        Ok(WriteGuard(self.0))
    }
}

impl WriteGuard {
    /// Lets another process write first, if one is waiting; blocks the thread.
    pub(super) fn let_others_write(&mut self) -> io::Result<()> {
        self.0.write.unlock()?;
        self.0.lock()
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        let _ = self.0.write.unlock();
    }
}
