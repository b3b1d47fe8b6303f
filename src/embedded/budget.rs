//! How much a transaction may do: little on the runtime's thread, because others wait for it; on another thread so much
//! that other processes get the write lock in between.

use std::io;

/// What may be done on the runtime's thread: a few milliseconds' worth.
const LIGHT: u64 = 4096;

/// What is done in one transaction, as long as it is more than one command.
const HEAVY: u64 = 16 << 10;

/// Reading a member is so many times cheaper than writing one.
const READS: u64 = 8;

/// Counts members that are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    done: u64,
    most: u64,
}

impl Budget {
    /// On a thread that others wait for.
    pub(super) const LIGHT: Self = Self {
        done: 0,
        most: LIGHT,
    };

    /// On a thread of its own.
    pub(super) const ANY: Self = Self {
        done: 0,
        most: u64::MAX,
    };

    /// Counts members that are about to be written or removed. Fails if that is too much for the thread, with the
    /// system's error for it.
    pub(super) fn write(&mut self, members: u64) -> Result<(), heed::Error> {
        self.done = self.done.saturating_add(members);
        if self.done > self.most {
            return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
        }
        Ok(())
    }

    /// Counts members that are about to be read.
    pub(super) fn read(&mut self, members: u64) -> Result<(), heed::Error> {
        self.write(members / READS)
    }

    /// Returns whether that is enough for one transaction.
    pub(super) fn is_enough(&self) -> bool {
        self.done > HEAVY
    }
}
