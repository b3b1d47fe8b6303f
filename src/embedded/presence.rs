//! Process registry: which processes have the store open, by one locked file for each. The kernel releases a lock when
//! its process dies, so the process of a locked file is alive. LMDB's own locks do not distinguish two copies of this
//! package in one process, nor processes of two containers with the same process number: both would destroy the store,
//! and are refused here.

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::PathBuf,
    process, thread,
    time::{Duration, Instant},
};

use super::{
    file_modes,
    folder::{Folder, OpeningLock},
    held_files::HeldFile,
    leases::process_mark,
    messages::{cannot, refused},
};
use crate::manager::ConnectError;

/// How long to wait for a lock that another process takes only to check it: longer than that takes.
const PATIENCE: Duration = Duration::from_millis(200);

const PAUSE: Duration = Duration::from_millis(5);

/// The entry of this process.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    /// The locked file.
    file: File,
    /// Whether this process made the file. An existing one may belong to another process whose lock is not visible
    /// here.
    made: bool,
}

impl Presence {
    /// Registers this process.
    pub(super) fn claim(folder: &Folder, _lock: &OpeningLock) -> Result<Self, ConnectError> {
        let processes = folder.processes();
        file_modes::make_folder(&processes).map_err(|error| cannot("make", &processes, &error))?;
        let path = processes.join(process::id().to_string());
        let made = !path.exists();
        let file = file_modes::open(&path).map_err(|error| cannot("open", &path, &error))?;
        let give_up = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    // On a full disk the store still opens, and its leases end with the lock of this file.
                    let _ = file
                        .set_len(0)
                        .and_then(|()| (&file).write_all(process_mark().as_bytes()));
                    return Ok(Self { path, file, made });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(refused(format!(
                        "the store in {} is open in another copy of this package in this process, or in a \
                         container where a process has the same number, {}; let them share one copy, or \
                         their process namespace",
                        folder.path().display(),
                        process::id()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
            }
        }
    }

    /// Returns the file, to be watched with the other held files.
    pub(super) fn held(&self) -> io::Result<HeldFile> {
        HeldFile::share(self.path.clone(), &self.file)
    }

    /// Returns whether no other process is registered. Removes the files of dead ones.
    pub(super) fn is_alone(&self, _lock: &OpeningLock) -> io::Result<bool> {
        let mut alone = true;
        let folder = self.path.parent().unwrap_or(&self.path);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name() == self.path.file_name() || !is_number(path.file_name()) {
                continue;
            }
            let file = match File::options().write(true).open(&path) {
                Ok(file) => file,
                // Removed by something else.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match file.try_lock() {
                Ok(()) => file_modes::remove(&path)?,
                Err(TryLockError::WouldBlock) => alone = false,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(alone)
    }

    /// Unregisters this process, which has not opened the store after all.
    pub(super) fn withdraw(self, lock: &OpeningLock) {
        if self.made {
            self.leave(lock);
        }
    }

    /// Unregisters this process.
    pub(super) fn leave(self, _lock: &OpeningLock) {
        // The next process removes it if this fails.
        let _ = file_modes::remove(&self.path);
    }
}

fn is_number(name: Option<&OsStr>) -> bool {
    name.and_then(OsStr::to_str)
        .is_some_and(|name| name.parse::<u32>().is_ok())
}
