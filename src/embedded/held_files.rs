//! Files that this process has open, and whether they are still those in the folder. A program that removes old files
//! may remove any of them: so their times are kept fresh, and a file that is missing all the same is detected. Each
//! process has a shared lock on data.mdb: so a process that opens the store knows whether others have it open, whatever
//! was removed.

use std::{
    fs::{File, FileTimes, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::file_modes;

/// The times of the files are kept younger than this.
const FRESH: Duration = Duration::from_secs(600);

/// A file that is open, and where it lies.
#[derive(Debug)]
pub(super) struct HeldFile {
    path: PathBuf,
    /// lock.mdb must not be closed before LMDB's environment is: that would let go of LMDB's locks, which
    /// are the process's.
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

    /// Returns whether it is still in its place.
    pub(super) fn is_there(&self) -> bool {
        leads_to(&self.path, &self.file)
    }

    /// Keeps it from looking old.
    pub(super) fn freshen(&self) {
        let _ = freshen(&self.file);
    }
}

/// Returns whether a path leads to an open file.
#[cfg(unix)]
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Not by opening it: see `HeldFile`.
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

/// Gives a file the time of today if its own is old: that of the last write, or of the last access, by which some go.
pub(super) fn freshen(file: &File) -> io::Result<()> {
    let now = SystemTime::now();
    let found = file.metadata()?;
    let is_old = |time| now.duration_since(time).is_ok_and(|age| age >= FRESH);
    if is_old(found.modified()?) || is_old(found.accessed()?) {
        file.set_times(FileTimes::new().set_accessed(now).set_modified(now))?;
    }
    Ok(())
}

/// Returns whether no process has this data.mdb open. `None`: the system has no locks that could tell.
pub(super) fn is_free(data: &Path) -> io::Result<Option<bool>> {
    if !cfg!(unix) {
        // On Windows a locked file cannot be written through another handle, as LMDB does.
        return Ok(None);
    }
    // To write: an exclusive lock needs that where the system has it from a server (NFS).
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

/// Opens data.mdb, or makes it if it is missing, and says that this process has it open. LMDB takes an empty file for a
/// new one; made by LMDB, it would have what the umask leaves of its mode.
pub(super) fn hold(data: PathBuf) -> io::Result<HeldFile> {
    let file = file_modes::open(&data)?;
    if cfg!(unix) {
        file.lock_shared()?;
    }
    Ok(HeldFile::new(data, file))
}

/// Returns whether no other process holds it. Ends this one's own hold.
pub(super) fn is_last(data: &HeldFile) -> Option<bool> {
    cfg!(unix).then(|| data.file.try_lock().is_ok())
}
