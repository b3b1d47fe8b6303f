//! The rows of a table, in the order of their keys.

use std::{
    ffi::{CStr, c_uint, c_void},
    marker::PhantomData,
    ops::Bound,
    ptr, slice,
};

use lmdb_master_sys as ffi;

use super::{
    Result, check, found,
    txn::{RoTxn, RwTxn},
};

/// A table of an environment: LMDB's number for it. LMDB refuses one that the environment does not have.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::embedded) struct Table(ffi::MDB_dbi);

/// A row: its key and its value.
pub(in crate::embedded) type Row<'txn> = (&'txn [u8], &'txn [u8]);

impl Table {
    /// Opens a table; returns nothing if it is missing and `flags` do not say that it is made. No other transaction of
    /// this process is under way: see `Env::open_tables`.
    pub(super) fn open(txn: &RoTxn, name: &CStr, flags: c_uint) -> Result<Option<Self>> {
        let mut table = 0;
        // SAFETY: the transaction is under way, and the only one.
        let opened =
            found(unsafe { ffi::mdb_dbi_open(txn.as_ptr(), name.as_ptr(), flags, &raw mut table) });
        Ok(opened?.then_some(Self(table)))
    }

    /// Returns the value of a key.
    pub(in crate::embedded) fn get<'txn>(
        self,
        txn: &'txn RoTxn,
        key: &[u8],
    ) -> Result<Option<&'txn [u8]>> {
        let (mut key, mut value) = (val(key), val(&[]));
        // SAFETY: the transaction is under way; LMDB does not write to the key.
        let got = unsafe { ffi::mdb_get(txn.as_ptr(), self.0, &raw mut key, &raw mut value) };
        // SAFETY: if there is one, it is in the map, or in a page of the transaction, until the transaction changes
        // something or ends: both need a mutable reference to it.
        found(got).map(|found| found.then(|| unsafe { bytes(value) }))
    }

    /// Writes a row.
    pub(in crate::embedded) fn put(self, txn: &mut RwTxn, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(txn, key, value, 0)
    }

    /// Writes a row, unless there is one with the key; returns whether it is new.
    pub(in crate::embedded) fn put_new(
        self,
        txn: &mut RwTxn,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool> {
        match self.write(txn, key, value, ffi::MDB_NOOVERWRITE) {
            Err(super::Error::Lmdb(ffi::MDB_KEYEXIST)) => Ok(false),
            written => written.map(|()| true),
        }
    }

    /// Writes a row whose key is greater than all others.
    pub(in crate::embedded) fn append(
        self,
        txn: &mut RwTxn,
        key: &[u8],
        value: &[u8],
    ) -> Result<()> {
        self.write(txn, key, value, ffi::MDB_APPEND)
    }

    fn write(self, txn: &mut RwTxn, key: &[u8], value: &[u8], flags: c_uint) -> Result<()> {
        let (mut key, mut value) = (val(key), val(value));
        let txn = txn.as_ptr();
        // SAFETY: the transaction is under way, and nothing that was read borrows it. LMDB copies both, and writes to
        // the structs only.
        check(unsafe { ffi::mdb_put(txn, self.0, &raw mut key, &raw mut value, flags) })
    }

    /// Removes a row; returns whether there was one.
    pub(in crate::embedded) fn delete(self, txn: &mut RwTxn, key: &[u8]) -> Result<bool> {
        let mut key = val(key);
        // SAFETY: as in `write`.
        found(unsafe { ffi::mdb_del(txn.as_ptr(), self.0, &raw mut key, ptr::null_mut()) })
    }

    /// Removes all rows whose keys begin with `prefix`, which is not empty.
    pub(in crate::embedded) fn delete_prefix(self, txn: &mut RwTxn, prefix: &[u8]) -> Result<()> {
        let mut rows = self.range(txn, Bound::Included(prefix))?;
        while let Some(row) = rows.next() {
            if !row?.0.starts_with(prefix) {
                break;
            }
            // SAFETY: it is at that row, nothing refers to it any more, and the transaction is borrowed mutably.
            check(unsafe { ffi::mdb_cursor_del(rows.cursor, 0) })?;
        }
        Ok(())
    }

    /// Returns the number of bytes of the pages that the table takes.
    pub(in crate::embedded) fn bytes(self, txn: &RoTxn) -> Result<usize> {
        let mut stat = ffi::MDB_stat {
            ms_psize: 0,
            ms_depth: 0,
            ms_branch_pages: 0,
            ms_leaf_pages: 0,
            ms_overflow_pages: 0,
            ms_entries: 0,
        };
        // SAFETY: the transaction is under way, and `stat` is a place for the figures.
        check(unsafe { ffi::mdb_stat(txn.as_ptr(), self.0, &raw mut stat) })?;
        let pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
        Ok(pages.saturating_mul(stat.ms_psize as usize))
    }

    /// Returns the last row.
    pub(in crate::embedded) fn last(self, txn: &RoTxn) -> Result<Option<Row<'_>>> {
        Rows::open(self, txn)?.move_to(&[], ffi::MDB_LAST)
    }

    /// Returns the rows from `begin` on.
    pub(in crate::embedded) fn range<'txn>(
        self,
        txn: &'txn RoTxn,
        begin: Bound<&[u8]>,
    ) -> Result<Rows<'txn>> {
        let mut rows = Rows::open(self, txn)?;
        rows.at = match begin {
            Bound::Unbounded => rows.move_to(&[], ffi::MDB_FIRST)?,
            Bound::Included(key) => rows.move_to(key, ffi::MDB_SET_RANGE)?,
            Bound::Excluded(key) => match rows.move_to(key, ffi::MDB_SET_RANGE)? {
                Some((same, _)) if same == key => rows.move_to(&[], ffi::MDB_NEXT)?,
                later => later,
            },
        };
        rows.ended = rows.at.is_none();
        Ok(rows)
    }
}

/// Rows of a table, one after the other.
#[derive(Debug)]
pub(in crate::embedded) struct Rows<'txn> {
    cursor: *mut ffi::MDB_cursor,
    /// The first row, until it is taken.
    at: Option<Row<'txn>>,
    ended: bool,
    _txn: PhantomData<&'txn RoTxn>,
}

impl<'txn> Rows<'txn> {
    /// Opens a cursor that is at no row yet.
    fn open(table: Table, txn: &'txn RoTxn) -> Result<Self> {
        let mut cursor = ptr::null_mut();
        // SAFETY: the transaction is under way, and `cursor` is a place for the pointer.
        check(unsafe { ffi::mdb_cursor_open(txn.as_ptr(), table.0, &raw mut cursor) })?;
        Ok(Self {
            cursor,
            at: None,
            ended: false,
            _txn: PhantomData,
        })
    }

    fn move_to(&mut self, key: &[u8], op: ffi::MDB_cursor_op) -> Result<Option<Row<'txn>>> {
        let (mut key, mut value) = (val(key), val(&[]));
        // SAFETY: the cursor is open, in a transaction under way.
        let got = unsafe { ffi::mdb_cursor_get(self.cursor, &raw mut key, &raw mut value, op) };
        // SAFETY: as in `Table::get`; if there is a row, both point to it.
        found(got).map(|found| found.then(|| unsafe { (bytes(key), bytes(value)) }))
    }
}

impl<'txn> Iterator for Rows<'txn> {
    type Item = Result<Row<'txn>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.at.take() {
            return Some(Ok(first));
        }
        if self.ended {
            return None;
        }
        let next = self.move_to(&[], ffi::MDB_NEXT);
        self.ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        // SAFETY: its transaction is still under way.
        unsafe { ffi::mdb_cursor_close(self.cursor) };
    }
}

fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: bytes.len(),
        mv_data: bytes.as_ptr().cast::<c_void>().cast_mut(),
    }
}

/// # Safety
/// LMDB has set it to bytes that stay as they are for `'txn`.
unsafe fn bytes<'txn>(val: ffi::MDB_val) -> &'txn [u8] {
    if val.mv_size == 0 {
        return &[];
    }
    // SAFETY: up to the caller.
    unsafe { slice::from_raw_parts(val.mv_data.cast::<u8>(), val.mv_size) }
}
