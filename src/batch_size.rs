//! How many calls the next batch had better hold, judged by how much those before had a store load.

/// Bytes of lists that a batch should load at most: while JavaScript reads them, the next ones are loaded.
const LOAD: usize = 128 << 10;

/// See the module.
#[derive(Debug, Default)]
pub struct BatchSize {
    /// Bytes of lists that a call of late had the store load, on average.
    load: usize,
}

impl BatchSize {
    /// So many bytes were loaded for so many calls.
    pub fn loaded(&mut self, bytes: usize, calls: usize) {
        self.load = usize::midpoint(self.load, bytes / calls.max(1));
    }

    /// How many calls the next batch had better hold at most.
    #[must_use]
    pub fn calls(&self) -> usize {
        (LOAD / self.load.max(1)).max(1)
    }
}
