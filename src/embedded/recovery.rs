//! Crash recovery: decides whether the rows in the folder can be used. The file `store.json` says how the store was
//! left: closed in order, with a checksum; open, since a certain start of the system; or half made, which counts as
//! empty. With durability `process` nothing waits for the disk, so that after a power cut or a crash of the system the
//! rows may be a mixture of old and new pages, which LMDB does not detect. They are then put aside, and the store
//! begins empty: its members were sessions of processes that died with the machine.
//!
//! The file's contents, and reading and writing it, are in [`super::shutdown_marker`].

use std::{
    fs,
    io::{self, Write as _},
    thread,
};

use super::{
    Durability, file_modes,
    folder::{Folder, OpeningLock},
    messages::{cannot, refused},
    shutdown_marker::{self, Checksum, ShutdownMarker, is_as_closed, kind_of_locks, read, write},
};
use crate::manager::ConnectError;

/// Room for LMDB's table of readers: it holds 64 bytes for each of about 2000.
const LOCKS: usize = 128 << 10;

/// What remains to be done, or logged, once the store is open.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// A line for the log.
    pub(super) note: Option<String>,
    /// Whether the rows must be written to the disk, before [`note_synced`].
    pub(super) unsynced: bool,
    /// The marker for [`note_made`], if the store is being made.
    made: Option<ShutdownMarker>,
}

/// Checks the state of the store before it is opened, and marks it as open.
pub(super) fn prepare(
    folder: &Folder,
    alone: bool,
    durability: Durability,
    _lock: &OpeningLock,
) -> Result<Prepared, ConnectError> {
    let found = read(folder)?;
    let (left, locks) = match found {
        Some((left, locks)) => (Some(left), locks),
        None => (None, String::new()),
    };
    if !alone && locks != kind_of_locks() {
        return Err(refused(format!(
            "the store in {} is open in processes of another kind ({locks}; this is {}), with which this \
             one cannot share locks",
            folder.path().display(),
            kind_of_locks()
        )));
    }
    let mut prepared = Prepared::default();
    if !alone {
        prepared.note = weakened(folder, left.as_ref(), durability);
    }
    if alone {
        prepared.note = trust(folder, left.as_ref())?;
        make_locks(folder).map_err(|error| cannot("write", &folder.locks(), &error))?;
    }
    let boot = boot();
    let now = match (durability, &left) {
        (Durability::Process, _) => ShutdownMarker::Open { boot },
        (Durability::Os, Some(ShutdownMarker::Open { boot: since }))
            if !alone || *since == boot =>
        {
            prepared.unsynced = alone;
            ShutdownMarker::Open { boot }
        }
        (Durability::Os, _) => ShutdownMarker::Synced,
    };
    let now = if folder.data().exists() {
        now
    } else {
        prepared.made = Some(now);
        ShutdownMarker::Unmade
    };
    let closing = file_modes::remove(&folder.closing());
    closing.map_err(|error| cannot("remove", &folder.closing(), &error))?;
    if left.as_ref() != Some(&now) || locks != kind_of_locks() {
        write(folder, &now).map_err(|error| cannot("write", &folder.state(), &error))?;
    }
    Ok(prepared)
}

/// Returns the warning for a store that is open with both durabilities: it survives only what the weaker one does.
fn weakened(
    folder: &Folder,
    left: Option<&ShutdownMarker>,
    durability: Durability,
) -> Option<String> {
    let (others, whom) = match (left?, durability) {
        (ShutdownMarker::Open { .. }, Durability::Os) => ("process", "this one"),
        (ShutdownMarker::Synced, Durability::Process) => ("os", "them"),
        _ => return None,
    };
    Some(format!(
        "other processes have the store in {} open with durability '{others}': until all have closed it, a power \
         cut empties it for {whom} too",
        folder.path().display()
    ))
}

/// Makes LMDB's lock file, preallocated: on a full disk this fails, whereas a write to mapped memory without disk space
/// would kill the process. It is a new file, because a process may have the old one mapped.
fn make_locks(folder: &Folder) -> io::Result<()> {
    file_modes::create(&folder.locks())?.write_all(&vec![0; LOCKS])
}

/// Records that the tables exist: from now on the store holds what is written, and is no longer half-made if this
/// process ends.
pub(super) fn note_made(folder: &Folder, prepared: &Prepared) -> io::Result<()> {
    match &prepared.made {
        Some(left) => write(folder, left),
        None => Ok(()),
    }
}

/// Records that everything is on the disk, and that each commit will be.
pub(super) fn note_synced(folder: &Folder) -> io::Result<()> {
    write(folder, &ShutdownMarker::Synced)
}

/// Writes everything to the disk by `sync`, and records that the last process has closed the store in order. First
/// comes a note that does not wait for the disk, because the system may be shut down before the disk is done. The two
/// that wait for the disk follow at once.
pub(super) fn close(
    folder: &Folder,
    sync: impl FnOnce() -> bool + Send,
    _lock: &OpeningLock,
) -> io::Result<()> {
    let checksum = Checksum::of(&folder.data())?;
    // Fails on a full disk, for example; what waits for the disk reports the same later.
    let _ = shutdown_marker::note_closing(folder, &checksum);
    let closed = ShutdownMarker::Closed(checksum);
    let (drafted, synced) = thread::scope(|scope| {
        let draft =
            thread::Builder::new().spawn_scoped(scope, || shutdown_marker::draft(folder, &closed));
        let synced = sync();
        let drafted = match draft {
            Ok(draft) => draft
                .join()
                .unwrap_or_else(|_| shutdown_marker::draft(folder, &closed)),
            Err(_) => shutdown_marker::draft(folder, &closed),
        };
        (drafted, synced)
    });
    drafted?;
    if !synced {
        return file_modes::remove(&folder.closing());
    }
    shutdown_marker::publish(folder)?;
    file_modes::remove(&folder.closing())
}

/// Writes the file again if it was removed while the store was open.
pub(super) fn restore(folder: &Folder, durability: Durability) -> io::Result<()> {
    let left = match durability {
        Durability::Process => ShutdownMarker::Open { boot: boot() },
        Durability::Os => ShutdownMarker::Synced,
    };
    write(folder, &left)
}

/// Returns whether the next process that opens the store will put the rows aside.
pub(super) fn is_torn(folder: &Folder) -> bool {
    matches!(read(folder), Ok(Some((left, _))) if is_of_another_start(&left))
        && !is_as_closed(folder)
}

/// Returns whether the system was restarted since, and nothing had waited for the disk.
fn is_of_another_start(left: &ShutdownMarker) -> bool {
    matches!(left, ShutdownMarker::Open { boot: since } if *since != boot())
}

/// Fails if the rows are damaged; puts them aside if that cannot be known.
fn trust(folder: &Folder, left: Option<&ShutdownMarker>) -> Result<Option<String>, ConnectError> {
    let data = folder.data();
    let Ok(found) = fs::metadata(&data) else {
        return Ok(None);
    };
    let damaged = |how: &str| {
        refused(format!(
            "the store in {} is damaged: data.mdb {how}; take it away to begin with an empty store",
            folder.path().display()
        ))
    };
    match left {
        None => Err(refused(format!(
            "{} holds a data.mdb that is not of this package",
            folder.path().display()
        ))),
        Some(ShutdownMarker::Closed(expected)) => {
            let found = Checksum::of(&data).map_err(|error| cannot("read", &data, &error))?;
            if found == *expected {
                Ok(None)
            } else {
                Err(damaged("is not as it was when the store was closed"))
            }
        }
        // The last process had closed it in order, and did not wait for the disk.
        Some(left) if is_of_another_start(left) && is_as_closed(folder) => Ok(None),
        Some(left) if is_of_another_start(left) => {
            let aside = data.with_extension("mdb.aside");
            let moved = fs::rename(&data, &aside);
            moved.map_err(|error| cannot("put aside", &data, &error))?;
            Ok(Some(format!(
                "the system went down while the store in {} was open with durability 'process': it \
                 begins empty (what was there is in {})",
                folder.path().display(),
                aside.display()
            )))
        }
        // The disk was full, or the process was killed.
        Some(ShutdownMarker::Unmade) => {
            let removed = fs::remove_file(&data);
            removed.map_err(|error| cannot("remove", &data, &error))?;
            Ok(None)
        }
        // LMDB would treat it as a new one.
        Some(_) if found.len() == 0 => Err(damaged("is empty")),
        Some(_) => Ok(None),
    }
}

/// Returns an id of the system's start; the same text each time where that cannot be known.
#[cfg(target_os = "linux")]
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(target_os = "macos")]
fn boot() -> String {
    let asked = std::process::Command::new("/usr/sbin/sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .output();
    asked.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn boot() -> String {
    String::new()
}
