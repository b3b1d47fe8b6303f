//! The files in the folder, and the lock for opening and closing the store. Which processes have it open is tracked in
//! [`super::presence`], and whether the open files are still those in the folder in [`super::held_files`].

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    file_modes,
    held_files::leads_to,
    locality::require_local,
    messages::{cannot, not_now},
};
use crate::manager::ConnectError;

/// How long another process may take to open or close the store.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(5);

/// The folder of a store.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether the file system counts as local only because the operator says so.
    assumed_local: bool,
}

impl Folder {
    /// Makes the folder if it is missing. Resolves symbolic links in its path.
    pub(super) fn make(path: &Path, assumed_local: bool) -> Result<Self, ConnectError> {
        file_modes::make_folder(path).map_err(|error| cannot("make the folder", path, &error))?;
        let path = path
            .canonicalize()
            .map_err(|error| cannot("find", path, &error))?;
        let local = require_local(&path);
        if !assumed_local {
            local.clone()?;
        }
        let assumed_local = local.is_err();
        Ok(Self {
            path,
            assumed_local,
        })
    }

    /// Describes a folder without creating anything.
    pub(super) fn as_given(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            assumed_local: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether only the operator says that all processes see each other's locks.
    pub(super) fn is_assumed_local(&self) -> bool {
        self.assumed_local
    }

    /// Returns the path of LMDB's data file.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data.mdb")
    }

    /// Returns the path of LMDB's lock file, which has its table of readers.
    pub(super) fn locks(&self) -> PathBuf {
        self.path.join("lock.mdb")
    }

    /// Returns the paths of the files of the write lock: see [`super::write_lock`].
    pub(super) fn write_lock(&self) -> [PathBuf; 2] {
        [self.path.join("next.lock"), self.path.join("write.lock")]
    }

    /// Returns the path of store.json; see [`super::recovery`].
    pub(super) fn state(&self) -> PathBuf {
        self.path.join("store.json")
    }

    /// Returns the path of the closing marker; see [`super::shutdown_marker::note_closing`].
    pub(super) fn closing(&self) -> PathBuf {
        self.path.join("closing.json")
    }

    /// Returns the path of the folder of processes; see [`super::presence`].
    pub(super) fn processes(&self) -> PathBuf {
        self.path.join("processes")
    }

    /// Waits until no other process opens or closes the store.
    pub(super) fn lock_opening(&self) -> Result<OpeningLock, ConnectError> {
        let path = self.path.join("opening.lock");
        let give_up = Instant::now() + PATIENCE;
        let open = || file_modes::open(&path).map_err(|error| cannot("open", &path, &error));
        let mut file = open()?;
        loop {
            match file.try_lock() {
                Ok(()) if leads_to(&path, &file) => {
                    // The file is not old any more, so no cleaner of old files removes it now.
                    let _ = file.set_modified(SystemTime::now());
                    return Ok(OpeningLock(file));
                }
                // The file was replaced meanwhile; the next process locks the new one.
                Ok(()) => file = open()?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(cannot("lock", &path, &error));
                }
            }
            if Instant::now() >= give_up {
                return Err(not_now(
                    "another process is opening the store and does not get done",
                ));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Holds the lock: no other process opens or closes the store until it is dropped.
#[derive(Debug)]
pub(super) struct OpeningLock(#[expect(dead_code, reason = "held for its lock")] File);
