//! An environment of LMDB: the files of a folder, open and mapped.

use std::{
    ffi::{CStr, CString, c_int},
    io,
    path::Path,
    ptr::{self, NonNull},
    sync::Arc,
};

use lmdb_master_sys as ffi;

use super::{
    Result, check,
    table::Table,
    txn::{self, RwTxn},
};

/// How an environment is opened.
#[derive(Debug, Clone, Copy)]
pub(in crate::embedded) struct Options {
    /// The size of the map in bytes, unless the file is larger: a multiple of the page size.
    pub(in crate::embedded) map_size: usize,
    /// The number of slots for readers, if this process makes the table of readers.
    pub(in crate::embedded) max_readers: u32,
    /// The maximum number of tables.
    pub(in crate::embedded) max_tables: u32,
    /// Whether commits do not wait for the disk.
    pub(in crate::embedded) no_sync: bool,
}

/// An open environment. It is closed when this and all its read slots are dropped.
#[derive(Debug)]
pub(in crate::embedded) struct Env(Arc<Handle>);

/// Closes the environment when it is dropped.
#[derive(Debug)]
pub(super) struct Handle(NonNull<ffi::MDB_env>);

// SAFETY: LMDB's functions for environments may be called by any thread, except for those that are unsafe or need a
// mutable reference here.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: each transaction borrows the environment or has a share in this.
        unsafe { ffi::mdb_env_close(self.as_ptr()) };
    }
}

impl Handle {
    pub(super) fn as_ptr(&self) -> *mut ffi::MDB_env {
        self.0.as_ptr()
    }
}

impl Options {
    /// Opens the environment in a folder.
    ///
    /// # Safety
    /// This process does not have it open, and its files are not replaced while any process has it open.
    pub(in crate::embedded) unsafe fn open(self, folder: &Path) -> Result<Env> {
        let path = c_path(folder)?;
        let mut env = ptr::null_mut();
        // SAFETY: `env` is a place for the pointer.
        check(unsafe { ffi::mdb_env_create(&raw mut env) })?;
        let Some(env) = NonNull::new(env) else {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory).into());
        };
        // From here on it is closed if something fails, which LMDB demands.
        let env = Env(Arc::new(Handle(env)));
        // Transactions are not tied to threads.
        let sync = if self.no_sync { ffi::MDB_NOSYNC } else { 0 };
        let flags = ffi::MDB_NOTLS | sync;
        // SAFETY: it is not open yet, as these functions demand; the rest is up to the caller.
        unsafe {
            check(ffi::mdb_env_set_mapsize(env.as_ptr(), self.map_size))?;
            check(ffi::mdb_env_set_maxreaders(env.as_ptr(), self.max_readers))?;
            check(ffi::mdb_env_set_maxdbs(env.as_ptr(), self.max_tables))?;
            check(ffi::mdb_env_open(env.as_ptr(), path.as_ptr(), flags, 0o600))?;
        }
        Ok(env)
    }
}

impl Env {
    pub(super) fn as_ptr(&self) -> *mut ffi::MDB_env {
        self.0.as_ptr()
    }

    pub(super) fn share(&self) -> Arc<Handle> {
        self.0.clone()
    }

    /// Opens tables, in a read transaction; returns nothing if one of them is missing.
    pub(in crate::embedded) fn open_tables<const N: usize>(
        &mut self,
        names: [&CStr; N],
    ) -> Result<Option<[Table; N]>> {
        txn::read_once(self, |txn| {
            let mut tables = [Table::default(); N];
            for (table, name) in tables.iter_mut().zip(names) {
                match Table::open(txn, name, 0)? {
                    Some(opened) => *table = opened,
                    None => return Ok(None),
                }
            }
            Ok(Some(tables))
        })
    }

    /// Opens tables, and makes those that are missing, in a write transaction.
    pub(in crate::embedded) fn make_tables<const N: usize>(
        &mut self,
        names: [&CStr; N],
    ) -> Result<[Table; N]> {
        // SAFETY: it is borrowed mutably, and no transaction borrows it.
        unsafe { self.make_tables_beside(names) }
    }

    /// Does the same in an environment that others use.
    ///
    /// # Safety
    /// No transaction of this process is under way; slots that wait to be renewed may be there.
    pub(in crate::embedded) unsafe fn make_tables_beside<const N: usize>(
        &self,
        names: [&CStr; N],
    ) -> Result<[Table; N]> {
        let txn = self.write_txn()?;
        let mut tables = [Table::default(); N];
        for (table, name) in tables.iter_mut().zip(names) {
            *table = Table::open(&txn, name, ffi::MDB_CREATE)?.unwrap_or_default();
        }
        txn.commit()?;
        Ok(tables)
    }

    /// Begins a write transaction, which waits for that of another thread or process.
    pub(in crate::embedded) fn write_txn(&self) -> Result<RwTxn<'_>> {
        RwTxn::begin(self)
    }

    /// Frees the slots of readers that are dead; returns how many. May wait for another process.
    pub(in crate::embedded) fn clear_stale_readers(&self) -> Result<usize> {
        let mut dead: c_int = 0;
        // SAFETY: the environment is open.
        check(unsafe { ffi::mdb_reader_check(self.as_ptr(), &raw mut dead) })?;
        Ok(usize::try_from(dead).unwrap_or(0))
    }

    /// Writes everything to the disk.
    pub(in crate::embedded) fn force_sync(&self) -> Result<()> {
        // SAFETY: the environment is open.
        check(unsafe { ffi::mdb_env_sync(self.as_ptr(), 1) })
    }

    /// Returns the size of the map in bytes.
    pub(in crate::embedded) fn map_size(&self) -> usize {
        self.info().me_mapsize
    }

    /// Returns the number of the last commit of any process, without a transaction.
    pub(in crate::embedded) fn last_commit(&self) -> u64 {
        self.info().me_last_txnid as u64
    }

    /// Returns how many slots for readers are or were in use.
    #[cfg(any(test, feature = "failpoints"))]
    pub(in crate::embedded) fn readers(&self) -> u32 {
        self.info().me_numreaders
    }

    fn info(&self) -> ffi::MDB_envinfo {
        let mut info = ffi::MDB_envinfo {
            me_mapaddr: ptr::null_mut(),
            me_mapsize: 0,
            me_last_pgno: 0,
            me_last_txnid: 0,
            me_maxreaders: 0,
            me_numreaders: 0,
        };
        // SAFETY: the environment is open; it fails for a missing pointer only.
        unsafe { ffi::mdb_env_info(self.as_ptr(), &raw mut info) };
        info
    }

    /// Changes the size of the map; 0 means that which other processes have set.
    ///
    /// # Safety
    /// No transaction of this process is under way, and the environment is not used otherwise meanwhile; slots that wait
    /// to be renewed may be there.
    pub(in crate::embedded) unsafe fn resize(&self, size: usize) -> Result<()> {
        // SAFETY: up to the caller.
        check(unsafe { ffi::mdb_env_set_mapsize(self.as_ptr(), size) })
    }
}

#[cfg(unix)]
fn c_path(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// LMDB takes UTF-8 here.
#[cfg(not(unix))]
fn c_path(path: &Path) -> io::Result<CString> {
    let path = path.to_str();
    let path = path.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not Unicode"))?;
    Ok(CString::new(path)?)
}
