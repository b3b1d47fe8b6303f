//! Opening LMDB's environment in a folder whose state was looked at, and what it says if that fails.

use heed::{Env, EnvFlags, EnvOpenOptions, MdbError, WithoutTls};
use same_file::Handle;

use super::{
    Durability,
    folder::{Entered, Folder, Presence},
    gate::Gate,
    rows::Rows,
    state::{self, note_made, note_synced},
    words::{Failure, cannot, not_now, refused},
};
use crate::manager::ConnectError;

/// Address space of a new store. It doubles whenever it is full.
const MAP: usize = 16 << 20;

/// Readers at a time, of all processes together: one for each thread that reads.
const READERS: u32 = 1000;

/// What a [`super::store::Store`] is made of.
pub(super) struct Opened {
    pub(super) env: Env<WithoutTls>,
    pub(super) rows: Rows,
    pub(super) gate: Gate,
    pub(super) data: Handle,
    pub(super) note: Option<String>,
}

/// For a process that has come into the folder, and has said so.
pub(super) fn open(
    folder: &Folder,
    durability: Durability,
    presence: &Presence,
    entered: &Entered,
) -> Result<Opened, ConnectError> {
    let alone = presence.is_alone(entered);
    let alone = alone.map_err(|error| cannot("look through", folder.path(), &error))?;
    let gate = Gate::new(
        folder.lockable("next.lock")?,
        folder.lockable("write.lock")?,
    );
    let prepared = state::prepare(folder, alone, durability, entered)?;
    let opened = (|| {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(MAP).max_readers(READERS);
        options.max_dbs(Rows::TABLES);
        if durability == Durability::Process {
            // SAFETY: after a power cut the rows are not used any more: see `state`.
            unsafe { options.flags(EnvFlags::NO_SYNC) };
        }
        // SAFETY: the folder is local, no other file is put in the place of these while processes of this
        // package are there (`state`, `Presence`), and this process has it open once (`registry`).
        let env = unsafe { options.open(folder.path()) }?;
        // Those of processes that were killed: they would keep pages from being used again.
        env.clear_stale_readers()?;
        let rows = Rows::open(&env)?;
        if prepared.unsynced {
            env.force_sync()?;
            note_synced(folder)?;
        }
        note_made(folder, &prepared)?;
        Ok((env, rows))
    })();
    let (env, rows) = opened.map_err(|error| not_opened(&error, folder))?;
    let data = Handle::from_path(folder.data());
    let data = data.map_err(|error| cannot("open", &folder.data(), &error))?;
    Ok(Opened {
        env,
        rows,
        gate,
        data,
        note: prepared.note,
    })
}

fn not_opened(error: &heed::Error, folder: &Folder) -> ConnectError {
    let place = folder.path().display();
    match error {
        heed::Error::Mdb(MdbError::Invalid) => refused(format!(
            "the store in {place} is damaged: data.mdb is no file of LMDB; take it away to begin with an \
             empty store"
        )),
        heed::Error::Mdb(MdbError::VersionMismatch) => refused(format!(
            "the store in {place} is open in, or was made by, a build of this package with another LMDB"
        )),
        heed::Error::EnvAlreadyOpened => not_now("the store is still being closed"),
        error => match Failure::of(error, folder.path()) {
            Failure::Calls(words) | Failure::Store(words) => refused(words),
            Failure::NoRoom | Failure::Outgrown | Failure::Heavy => not_now(error.to_string()),
        },
    }
}
