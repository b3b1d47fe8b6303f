//! Who writes next, of all processes that have the store open. LMDB has a lock for its write
//! transactions too, but one can only wait for it, for as long as it takes, and whoever has just had it
//! gets it again. Here a process that finds the gate free goes through at once, without another
//! thread; and no process can go through twice while another one waits.
//!
//! Two locked files: whoever wants to write first takes `next`, then waits for `write`, and lets go of
//! `next` before it begins. So the one that has `next` is the next to write. The kernel frees both
//! when a process dies.

use std::{fs::File, io, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The files, locked by one thread of this process at a time: a lock belongs to the open file, so it
/// would not hold up the others.
#[derive(Debug)]
struct Files {
    next: File,
    write: File,
}

/// See the module.
#[derive(Debug)]
pub(super) struct WriteLock(Arc<Mutex<Files>>);

/// Nobody else writes while this is there.
#[derive(Debug)]
pub(super) struct Pass(OwnedMutexGuard<Files>);

/// It is the turn of this process, but not its turn among the processes.
#[derive(Debug)]
pub(super) struct Turn(OwnedMutexGuard<Files>);

impl Files {
    fn pass(&self) -> io::Result<()> {
        self.next.lock()?;
        let passes = self.write.lock();
        // Fails for a file that is not locked only.
        let _ = self.next.unlock();
        passes
    }
}

impl WriteLock {
    pub(super) fn new(next: File, write: File) -> Self {
        Self(Arc::new(Mutex::new(Files { next, write })))
    }

    /// Goes through if that is possible now.
    pub(super) fn try_pass(&self) -> Option<Pass> {
        let files = self.0.clone().try_lock_owned().ok()?;
        // A file system that cannot lock was found out when the store was opened.
        files.next.try_lock().ok()?;
        let passes = files.write.try_lock().is_ok();
        let _ = files.next.unlock();
        passes.then(|| Pass(files))
    }

    /// Waits for the others of this process.
    pub(super) async fn turn(&self) -> Turn {
        Turn(self.0.clone().lock_owned().await)
    }
}

impl Turn {
    /// Waits for the other processes; blocks the thread.
    pub(super) fn pass(self) -> io::Result<Pass> {
        self.0.pass()?;
        Ok(Pass(self.0))
    }
}

impl Pass {
    /// Lets another process through, if one waits; blocks the thread.
    pub(super) fn give_way(&mut self) -> io::Result<()> {
        self.0.write.unlock()?;
        self.0.pass()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let _ = self.0.write.unlock();
    }
}
