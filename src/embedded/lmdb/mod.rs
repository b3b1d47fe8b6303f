//! LMDB, as far as the embedded store uses it: the only code that calls the C library.
//!
//! - [`env`]: an environment, which is an open folder; [`txn`]: its transactions; [`table`]: the rows of a table.
//!
//! Why not the crate `heed`, which wraps the same library: there a read transaction always begins anew. LMDB then takes
//! a mutex that all processes share, to look for a free slot in the table of readers; if a process is stopped while it
//! has that mutex, all others would stand still with it. Here a transaction keeps its slot and is *renewed*
//! ([`txn::ReadSlot`]), which takes no lock.

mod env;
mod table;
mod txn;

use std::{
    ffi::{CStr, c_int},
    io,
};

pub(super) use self::{
    env::{Env, Options},
    table::Table,
    txn::{ReadSlot, RoTxn, RwTxn},
};

/// LMDB's own error codes that mean something to the store.
pub(super) mod code {
    pub(in crate::embedded) use lmdb_master_sys::{
        MDB_BAD_RSLOT as BAD_READER_SLOT, MDB_BAD_TXN as BAD_TXN, MDB_BAD_VALSIZE as BAD_VAL_SIZE,
        MDB_CORRUPTED as CORRUPTED, MDB_INVALID as INVALID, MDB_MAP_FULL as MAP_FULL,
        MDB_MAP_RESIZED as MAP_RESIZED, MDB_PAGE_NOTFOUND as PAGE_NOT_FOUND, MDB_PANIC as PANIC,
        MDB_PROBLEM as PROBLEM, MDB_READERS_FULL as READERS_FULL,
        MDB_VERSION_MISMATCH as VERSION_MISMATCH,
    };
}

/// An error of LMDB.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// One of its own codes.
    #[error("{}", words(*.0))]
    Lmdb(c_int),
    /// An error of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(super) type Result<T> = std::result::Result<T, Error>;

/// Turns what a function of LMDB returns into a result.
fn check(returned: c_int) -> Result<()> {
    match returned {
        0 => Ok(()),
        // LMDB's own codes are negative.
        code @ ..0 => Err(Error::Lmdb(code)),
        error => Err(io::Error::from_raw_os_error(error).into()),
    }
}

/// Returns whether something was found.
fn found(returned: c_int) -> Result<bool> {
    match returned {
        lmdb_master_sys::MDB_NOTFOUND => Ok(false),
        returned => check(returned).map(|()| true),
    }
}

/// Returns name and version of the library.
pub(super) fn version() -> String {
    use lmdb_master_sys::{MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH};
    format!("LMDB {MDB_VERSION_MAJOR}.{MDB_VERSION_MINOR}.{MDB_VERSION_PATCH}")
}

fn words(code: c_int) -> String {
    // SAFETY: it returns a static string for each of its codes, and a text in a static buffer for others.
    let words = unsafe { CStr::from_ptr(lmdb_master_sys::mdb_strerror(code)) };
    words.to_string_lossy().into_owned()
}
