//! Liveness of other processes on file systems that are not known to share locks (option `localFileSystem`). Each
//! process writes a new number, its heartbeat, into a file of its own at intervals. If the lock of a process seems free
//! but its number changes, it is alive and locks are not shared: two such processes would destroy the store.
//!
//! A process that opens the store watches first, and is the one that is refused: processes that have it open are not
//! disturbed. Of two that watch each other, the one with the smaller nonce continues. A number is compared only with
//! its own past, because the clocks of machines differ.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use super::{
    file_modes,
    folder::Folder,
    messages::{cannot, refused},
};
use crate::manager::ConnectError;

/// How long a process that opens the store watches the files of processes that seem dead: more than two heartbeats.
const WATCH: Duration = Duration::from_millis(2500);

const PAUSE: Duration = Duration::from_millis(250);

const SUFFIX: &str = ".beat";

/// The heartbeat of this process, and the last heartbeats of others.
#[derive(Debug)]
pub(super) struct Liveness {
    processes: PathBuf,
    /// `<number of the process>.<nonce>.beat`.
    own: PathBuf,
    nonce: String,
    count: u64,
    /// Whether the process has the store open, and does not only watch.
    owner: bool,
    /// The last heartbeats of processes whose locks are free.
    free: HashMap<PathBuf, Vec<u8>>,
}

impl Liveness {
    /// Begins to watch other processes that may be alive, for a process that has claimed its presence. Blocks the
    /// thread.
    pub(super) fn begin(folder: &Folder) -> Result<Self, ConnectError> {
        let processes = folder.processes();
        let nonce = format!("{:016x}", RandomState::new().hash_one(process::id()));
        let mut beats = Self {
            own: processes.join(format!("{}.{nonce}{SUFFIX}", process::id())),
            processes,
            nonce,
            count: 0,
            owner: false,
            free: HashMap::new(),
        };
        let failed = |error| cannot("look through", folder.path(), &error);
        let end = Instant::now() + WATCH;
        loop {
            if let Some(words) = beats.look().map_err(failed)? {
                return Err(refused(words));
            }
            if beats.free.is_empty() || Instant::now() >= end {
                break;
            }
            thread::sleep(PAUSE);
        }
        for (dead, _) in beats.free.drain() {
            file_modes::remove(&dead).map_err(failed)?;
        }
        beats.owner = true;
        beats.beat().map_err(failed)?;
        Ok(beats)
    }

    /// Writes a heartbeat; returns an error text if a process without a visible lock is alive.
    pub(super) fn look(&mut self) -> io::Result<Option<String>> {
        self.beat()?;
        self.stranger()
    }

    fn beat(&mut self) -> io::Result<()> {
        self.count += 1;
        let role = if self.owner { 'o' } else { 'w' };
        // Opened and closed each time: some file systems show others what was written only then. Always of one length,
        // because others may have cached the old one.
        let mut file = file_modes::open(&self.own)?;
        file.write_all(format!("{:016x} {role}\n", self.count).as_bytes())
    }

    fn stranger(&mut self) -> io::Result<Option<String>> {
        let mut free = HashMap::new();
        for entry in fs::read_dir(&self.processes)? {
            let path = entry?.path();
            let Some((number, nonce)) = parts(&path) else {
                continue;
            };
            if path == self.own || !self.is_free(number)? {
                continue;
            }
            let beat = match fs::read(&path) {
                Ok(beat) => beat,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let lives = self.free.get(&path).is_some_and(|before| *before != beat);
            let goes_first = beat.ends_with(b"o\n") || (!self.owner && nonce < self.nonce.as_str());
            if lives && goes_first {
                return Ok(Some(format!(
                    "process {number} has the store in {} open, but its lock is not seen here: the folder is \
                     shared by several machines, or mounted more than once, and option localFileSystem \
                     must not say that it is local",
                    self.processes.parent().unwrap_or(&self.processes).display()
                )));
            }
            free.insert(path, beat);
        }
        self.free = free;
        Ok(None)
    }

    /// Returns whether no visible process holds the lock of this number.
    fn is_free(&self, number: u32) -> io::Result<bool> {
        if number == process::id() {
            // This process holds the lock itself.
            return Ok(true);
        }
        let file = match File::open(self.processes.join(number.to_string())) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Liveness {
    fn drop(&mut self) {
        let _ = file_modes::remove(&self.own);
    }
}

/// Returns the number and the nonce of the process whose heartbeats are in this file.
fn parts(path: &Path) -> Option<(u32, &str)> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let (number, nonce) = name.strip_suffix(SUFFIX)?.split_once('.')?;
    Some((number.parse().ok()?, nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that has the store open on another mount: its beats are seen, and its lock is not.
    fn other(folder: &Folder, nonce: &str) -> Liveness {
        let processes = folder.processes();
        file_modes::make_folder(&processes).expect("a folder");
        fs::write(processes.join("1"), "").expect("a file");
        Liveness {
            own: processes.join(format!("1.{nonce}{SUFFIX}")),
            processes,
            nonce: nonce.to_owned(),
            count: 0,
            owner: true,
            free: HashMap::new(),
        }
    }

    #[test]
    fn a_dead_process_holds_nobody_up_for_long_and_is_cleared_away() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::as_given(temporary.path());
        let mut dead = other(&folder, "a");
        dead.beat().expect("it beats");
        let mut beats = Liveness::begin(&folder).expect("it opens");
        assert!(!dead.own.exists());
        assert_eq!(beats.look().expect("it can look"), None);
    }

    #[test]
    fn a_process_that_lives_though_its_lock_is_free_is_found_out() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::as_given(temporary.path());
        let mut other = other(&folder, "a");
        let mut beats = {
            file_modes::make_folder(&folder.processes()).expect("a folder");
            Liveness::begin(&folder).expect("it opens")
        };
        for lives in [false, true] {
            other.beat().expect("it beats");
            let found = beats.look().expect("it can look");
            assert_eq!(found.is_some(), lives, "{found:?}");
        }
        // One that only watches is refused itself.
        other.owner = false;
        for _ in 0..3 {
            other.beat().expect("it beats");
            assert_eq!(beats.look().expect("it can look"), None);
        }
        // A lock that is seen is shared.
        other.owner = true;
        let lock = File::options().write(true).open(other.processes.join("1"));
        let lock = lock.expect("it is there");
        lock.lock().expect("it is free");
        for _ in 0..3 {
            other.beat().expect("it beats");
            assert_eq!(beats.look().expect("it can look"), None);
        }
    }

    #[test]
    fn of_two_that_open_the_store_at_once_one_goes_on() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Folder::as_given(temporary.path());
        let mut others = [other(&folder, "a"), other(&folder, "b")];
        fs::write(folder.processes().join("2"), "").expect("a file");
        others[1].own = folder.processes().join(format!("2.b{SUFFIX}"));
        for other in &mut others {
            other.owner = false;
        }
        let mut refused = [false, false];
        for _ in 0..3 {
            for (other, refused) in others.iter_mut().zip(&mut refused) {
                *refused |= other.look().expect("it can look").is_some();
            }
        }
        assert_eq!(refused, [false, true]);
    }
}
