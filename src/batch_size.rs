//! How many calls the next batch should hold, judged by how many bytes of lists the last ones had the store load.

/// Bytes of lists that a batch should load at most: while JavaScript reads them, the next ones are loaded.
const LOAD: usize = 128 << 10;

/// Averages the load of the last batches.
#[derive(Debug, Default)]
pub struct BatchSize {
    /// Bytes of lists that a call of late had the store load, on average.
    load: usize,
}

impl BatchSize {
    /// Notes that `calls` calls had the store load `bytes` bytes.
    pub fn loaded(&mut self, bytes: usize, calls: usize) {
        self.load = usize::midpoint(self.load, bytes / calls.max(1));
    }

    /// Returns how many calls the next batch should hold at most.
    #[must_use]
    pub fn calls(&self) -> usize {
        (LOAD / self.load.max(1)).max(1)
    }
}
