//! The changes of channels that were published (option `events`), for the processes that watch: a table with one row for
//! each commit that changed channels, in the order of the commits.
//!
//! | table    | key                                    | value                                                          |
//! | -------- | -------------------------------------- | -------------------------------------------------------------- |
//! | `events` | number of the row (8 bytes, big-endian) | whose changes: a text ([`crate::events::message`]), the message |
//!
//! Numbers are consecutive, so a reader that knows the last row it has read knows whether one was removed before it could
//! be read. The oldest rows are removed when the table is too large. The table is made by the first process that needs it;
//! versions of this package that do not know it leave it alone.

use std::{ffi::CStr, ops::Bound};

use super::lmdb::{self, RoTxn, RwTxn, Table, code};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The size of the table from which on old rows are removed, in bytes of pages.
const MOST: usize = 9 << 20;

/// How much is removed together, in bytes and in rows, so that most commits do not touch the oldest pages.
const REMOVED: usize = 1 << 20;
const ROWS: usize = 256;

/// The table, open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring(pub(super) Table);

/// What a read has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There are no more rows.
    All,
    /// There may be more rows.
    Some,
    /// Rows were removed before they were read.
    Overrun,
}

impl Ring {
    /// The number of tables.
    pub(super) const TABLES: u32 = 1;

    /// The name of the table.
    pub(super) const NAME: &CStr = c"events";

    /// Returns the number of the last row; 0 if there is none.
    pub(super) fn last(self, txn: &RoTxn) -> Result<u64> {
        self.0.last(txn)?.map_or(Ok(0), |(key, _)| number(key))
    }

    /// Adds a row, and removes the oldest ones if there are too many.
    pub(super) fn append(self, txn: &mut RwTxn, row: &[u8]) -> Result<()> {
        let number = self.last(txn)? + 1;
        self.0.append(txn, &number.to_be_bytes(), row)?;
        if self.0.bytes(txn)? > MOST {
            let mut oldest = Vec::new();
            let mut bytes = 0;
            for row in self.0.range(txn, Bound::Unbounded)?.take(ROWS) {
                let (key, value) = row?;
                oldest.push(self::number(key)?);
                bytes += value.len();
                if bytes >= REMOVED {
                    break;
                }
            }
            // The last one stays, because it tells the next number.
            for old in oldest.into_iter().filter(|&old| old < number) {
                self.0.delete(txn, &old.to_be_bytes())?;
            }
        }
        Ok(())
    }

    /// Passes rows after the one with the number `at`, which is then that of the last one read, until about `most` bytes were
    /// read.
    pub(super) fn read(
        self,
        txn: &RoTxn,
        at: &mut u64,
        mut most: usize,
        mut row: impl FnMut(&[u8]),
    ) -> Result<Found> {
        let next = *at + 1;
        for found in self.0.range(txn, Bound::Included(&next.to_be_bytes()))? {
            let (key, value) = found?;
            if number(key)? != *at + 1 {
                return Ok(Found::Overrun);
            }
            row(value);
            *at += 1;
            if value.len() >= most {
                return Ok(Found::Some);
            }
            most -= value.len();
        }
        Ok(Found::All)
    }
}

fn number(key: &[u8]) -> Result<u64> {
    let bytes = <[u8; 8]>::try_from(key).map_err(|_| lmdb::Error::Lmdb(code::CORRUPTED))?;
    Ok(u64::from_be_bytes(bytes))
}
