//! Opens LMDB's environment in a folder whose state was checked, and reports why that fails.

use std::{fs::File, io, path::Path};

use super::{
    Durability, file_modes,
    folder::{Folder, OpeningLock},
    held_files::{HeldFile, hold, is_free},
    liveness::Liveness,
    lmdb::{self, Env, code},
    messages::{Failure, cannot, not_now, refused},
    presence::Presence,
    readers::Readers,
    recovery::{self, Prepared, note_made, note_synced},
    ring::Ring,
    rows::Rows,
    watchdog::Files,
    write_lock::WriteLock,
};
use crate::manager::ConnectError;

/// The address space of a new store in bytes. It doubles whenever it is full.
const MAP: usize = 16 << 20;

/// The number of slots for readers, of all processes together, for which `recovery::LOCKS` has room. Each process keeps
/// two; see [`super::readers`].
const READERS: u32 = 2000;

/// The parts of a [`super::store::Store`].
pub(super) struct Opened {
    pub(super) env: Env,
    pub(super) readers: Readers,
    pub(super) rows: Rows,
    pub(super) write_lock: WriteLock,
    pub(super) files: Files,
    pub(super) note: Option<String>,
}

/// Opens the environment, for a process that holds the opening lock and has claimed its presence.
pub(super) fn open(
    folder: &Folder,
    durability: Durability,
    presence: &Presence,
    lock: &OpeningLock,
) -> Result<Opened, ConnectError> {
    let unreadable = |error: io::Error| cannot("look through", folder.path(), &error);
    let beats = folder.is_assumed_local().then(|| Liveness::begin(folder));
    let beats = beats.transpose()?;
    let alone = is_alone(folder, presence, lock).map_err(unreadable)?;
    if !alone {
        require_all(folder)?;
    }
    let prepared = recovery::prepare(folder, alone, durability, lock)?;
    let paths = folder.write_lock();
    let [next, write] = [lockable(&paths[0], alone)?, lockable(&paths[1], alone)?];
    // Held from before LMDB opens it until after it is closed: see `HeldFile`.
    let locks = HeldFile::new(folder.locks(), lockable(&folder.locks(), false)?);
    let data = hold(folder.data()).map_err(|error| cannot("open", &folder.data(), &error))?;
    let (env, readers, rows) = environment(folder, durability, &prepared)?;
    let others = (|| {
        let [next, write] = [(0, &next), (1, &write)];
        let share = |(n, file): (usize, &File)| HeldFile::share(paths[n].clone(), file);
        io::Result::Ok(vec![locks, share(next)?, share(write)?, presence.held()?])
    })();
    let files = Files {
        data,
        others: others.map_err(unreadable)?,
        beats,
    };
    let write_lock = WriteLock::new(next, write);
    if let Some(path) = files.missing() {
        // LMDB may have made a new file, which no other process has open.
        let made = path == folder.locks();
        let words = format!(
            "{} was taken away while the store was opened",
            path.display()
        );
        drop((readers, env));
        if made {
            let _ = file_modes::remove(&folder.locks());
        }
        return Err(not_now(words));
    }
    let notes = [prepared.note, file_modes::warning(folder.path())];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    Ok(Opened {
        env,
        readers,
        rows,
        write_lock,
        files,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    })
}

/// Returns whether no other process has the store open. A process's presence file may have been removed, and a process
/// of an older version has no lock on data.mdb. If data.mdb was removed, the processes that had it open share nothing
/// with later ones.
fn is_alone(folder: &Folder, presence: &Presence, lock: &OpeningLock) -> io::Result<bool> {
    let seen_alone = presence.is_alone(lock)?;
    if !folder.data().exists() {
        return Ok(true);
    }
    Ok(seen_alone && is_free(&folder.data())?.unwrap_or(true))
}

/// Opens a file to be locked, or makes it if no other process can have it open.
fn lockable(path: &Path, may_make: bool) -> Result<File, ConnectError> {
    let file = if may_make {
        file_modes::open(path)
    } else {
        file_modes::open_existing(path)
    };
    file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => taken_away(path),
        _ => cannot("open", path, &error),
    })
}

fn taken_away(path: &Path) -> ConnectError {
    not_now(format!(
        "{} was taken away, and a process that has the store open has not noticed yet",
        path.display()
    ))
}

/// Refuses a folder with missing files while other processes have the store open: they notice it and open the store
/// again, and a process that made the files now would not share them.
fn require_all(folder: &Folder) -> Result<(), ConnectError> {
    let [next, write] = folder.write_lock();
    let mut needed = [folder.locks(), next, write, folder.state()].into_iter();
    match needed.find(|path| !path.exists()) {
        Some(path) => Err(taken_away(&path)),
        None => Ok(()),
    }
}

fn environment(
    folder: &Folder,
    durability: Durability,
    prepared: &Prepared,
) -> Result<(Env, Readers, Rows), ConnectError> {
    let opened = (|| {
        let options = lmdb::Options {
            map_size: MAP,
            max_readers: READERS,
            max_tables: Rows::TABLES + Ring::TABLES,
            // After a power cut the rows are not used any more: see `recovery`.
            no_sync: durability == Durability::Process,
        };
        // SAFETY: the folder is local, no other file is put in the place of these while processes of this
        // package are there (`is_alone`), and this process has it open once (`registry`).
        let mut env = unsafe { options.open(folder.path()) }?;
        // Entries of killed processes would keep pages from being reused.
        env.clear_stale_readers()?;
        let rows = Rows::open(&mut env)?;
        let readers = Readers::open(&env)?;
        if prepared.unsynced {
            env.force_sync()?;
            note_synced(folder)?;
        }
        note_made(folder, prepared)?;
        Ok((env, readers, rows))
    })();
    opened.map_err(|error| not_opened(&error, folder))
}

fn not_opened(error: &lmdb::Error, folder: &Folder) -> ConnectError {
    let place = folder.path().display();
    match error {
        lmdb::Error::Lmdb(code::INVALID) => refused(format!(
            "the store in {place} is damaged: data.mdb is no file of LMDB; take it away to begin with an \
             empty store"
        )),
        lmdb::Error::Lmdb(code::VERSION_MISMATCH) => refused(format!(
            "the store in {place} is open in, or was made by, a build of this package with another LMDB"
        )),
        error => match Failure::of(error, folder.path()) {
            Failure::Calls(words) | Failure::Store(words) => refused(words),
            Failure::NoRoom | Failure::Outgrown | Failure::Heavy => not_now(error.to_string()),
        },
    }
}
