//! The number of calls that the next batch should hold, by how many bytes of lists the last batches have loaded.

/// The bytes of lists that a batch should load at most: while JavaScript reads them, the next ones are loaded.
const LOAD: usize = 128 << 10;

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
