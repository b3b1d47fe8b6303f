//! Files that this process has open, and whether they are still those in the folder. A cleaner of old files may remove
//! any of them: so their times are kept fresh, and a missing file is detected. Each process has a shared lock on
//! data.mdb, so that a process that opens the store detects others that have it open, whatever was removed.

use std::{
    fs::{File, FileTimes, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::file_modes;

/// The maximum age of the files' times.
const FRESH: Duration = Duration::from_secs(600);

/// An open file and its path.
#[derive(Debug)]
pub(super) struct HeldFile {
    path: PathBuf,
    /// lock.mdb must not be closed before LMDB's environment is: that would release LMDB's locks, which belong to the
    /// process.
    file: File,
}

impl HeldFile {
    pub(super) fn new(path: PathBuf, file: File) -> Self {
        Self { path, file }
    }

    /// Makes a second handle of an open file.
    pub(super) fn share(path: PathBuf, file: &File) -> io::Result<Self> {
        Ok(Self::new(path, file.try_clone()?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the path still leads to this file.
    pub(super) fn is_there(&self) -> bool {
        leads_to(&self.path, &self.file)
    }

    /// Renews the times of the file.
    pub(super) fn freshen(&self) {
        let _ = freshen(&self.file);
    }
}

/// Returns whether a path leads to an open file.
#[cfg(unix)]
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Not by opening the file: see `HeldFile`.
    match (path.metadata(), file.metadata()) {
        (Ok(there), Ok(open)) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    use same_file::Handle;
    let open = file.try_clone().and_then(Handle::from_file);
    matches!((Handle::from_path(path), open), (Ok(there), Ok(open)) if there == open)
}

/// Sets the times of a file to now if its last write or its last access is old; cleaners use either.
pub(super) fn freshen(file: &File) -> io::Result<()> {
    let now = SystemTime::now();
    let found = file.metadata()?;
    let is_old = |time| now.duration_since(time).is_ok_and(|age| age >= FRESH);
    if is_old(found.modified()?) || is_old(found.accessed()?) {
        file.set_times(FileTimes::new().set_accessed(now).set_modified(now))?;
    }
    Ok(())
}

/// Returns whether no process has this data.mdb open; `None` if the system has no suitable locks.
pub(super) fn is_free(data: &Path) -> io::Result<Option<bool>> {
    if !cfg!(unix) {
        // On Windows a locked file cannot be written through another handle, as LMDB does.
        return Ok(None);
    }
    // Opened for writing: an exclusive lock needs that where locks are those of a server (NFS).
    let file = match File::options().read(true).write(true).open(data) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(true)),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(true)),
        Err(TryLockError::WouldBlock) => Ok(Some(false)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens data.mdb, or makes it if it is missing, with the lock that shows that this process has it open. LMDB treats an
/// empty file as a new one; if LMDB made it, its mode would depend on the umask.
pub(super) fn hold(data: PathBuf) -> io::Result<HeldFile> {
    let file = file_modes::open(&data)?;
    if cfg!(unix) {
        file.lock_shared()?;
    }
    Ok(HeldFile::new(data, file))
}

/// Returns whether no other process has it open. Releases this process's own lock.
pub(super) fn is_last(data: &HeldFile) -> Option<bool> {
    cfg!(unix).then(|| data.file.try_lock().is_ok())
}
