//! The number of calls that the next batch should hold, by how much work the last batches were: how many bytes of lists they
//! have loaded, and what takes the server as long.

use crate::command::{Op, WriteOp};

/// The bytes of lists that a batch should load at most: while JavaScript reads them, the next ones are loaded.
const LOAD: usize = 128 << 10;

/// The bytes of lists that take the server as long as a call that changes members and index by a script: it is to execute
/// the next ones while JavaScript handles the answers.
const SCRIPT: usize = 1 << 10;

/// Returns the work of a call, besides the lists of its answer.
#[must_use]
pub const fn work(op: Op) -> usize {
    match op {
        Op::Write(WriteOp::Join | WriteOp::Part) => SCRIPT,
        _ => 0,
    }
}

/// Averages the load of the last batches.
#[derive(Debug, Default)]
pub struct BatchSize {
    /// The bytes of lists that a call has loaded, as a moving average.
    load: usize,
}

impl BatchSize {
    /// Notes that `calls` calls have loaded `bytes` bytes of lists.
    pub fn loaded(&mut self, bytes: usize, calls: usize) {
        self.load = usize::midpoint(self.load, bytes / calls.max(1));
    }

    /// Returns how many calls the next batch should hold at most.
    #[must_use]
    pub fn calls(&self) -> usize {
        (LOAD / self.load.max(1)).max(1)
    }
}
