//! The budget of a transaction: small on the runtime's thread, because others wait for it; on another thread so large
//! that other processes get the write lock in between.

use std::io;

use super::{lmdb, store::Thread};

/// The budget on the runtime's thread: a few milliseconds' worth.
const LIGHT: u64 = 4096;

/// The budget of one transaction on another thread; a single command may exceed it.
const HEAVY: u64 = 16 << 10;

/// How many times cheaper it is to read a member than to write one.
const READS: u64 = 8;

/// Counts members that are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    done: u64,
    most: u64,
}

impl Budget {
    /// The budget on a thread that others wait for.
    pub(super) const LIGHT: Self = Self {
        done: 0,
        most: LIGHT,
    };

    /// The budget on a blocking thread.
    pub(super) const ANY: Self = Self {
        done: 0,
        most: u64::MAX,
    };

    /// Counts members that are about to be written or removed. Fails if that is too much for the thread, with the
    /// system's error for it.
    pub(super) fn write(&mut self, members: u64) -> Result<(), lmdb::Error> {
        self.done = self.done.saturating_add(members);
        if self.done > self.most {
            return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
        }
        Ok(())
    }

    /// Counts members that are about to be read.
    pub(super) fn read(&mut self, members: u64) -> Result<(), lmdb::Error> {
        self.write(members / READS)
    }

    /// Returns the thread that it is the budget of.
    pub(super) fn thread(self) -> Thread {
        if self.most == u64::MAX {
            Thread::Blocking
        } else {
            Thread::Runtime
        }
    }

    /// Returns whether the transaction has used its budget.
    pub(super) fn is_enough(&self) -> bool {
        self.done > HEAVY
    }
}
