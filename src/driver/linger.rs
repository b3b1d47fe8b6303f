//! Lingering: for a moment after its work the driver looks for more by itself before it lets its
//! thread sleep. Waking a sleeping thread takes longer than a lone command takes Redis; a caller
//! who waits for each answer would pay that twice a call.
//!
//! It costs a processor for that moment, so it is done only where it pays: for lone calls, after
//! the last waits have all been short ones. Of calls now and then nobody is waited for.

use std::time::{Duration, Instant};

/// A wait that is shorter than this is better spent awake.
const MOMENT: Duration = Duration::from_micros(60);

/// So many short waits in a row make the next one likely to be short.
const HABIT: u32 = 8;

#[derive(Debug)]
pub(super) struct Linger {
    /// With one processor there is nobody to wait for while we are awake.
    can: bool,
    short: u32,
    since: Instant,
}

impl Linger {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            can: processors > 1,
            short: 0,
            since: Instant::now(),
        }
    }

    /// The wait for something to do begins. Says whether to stay awake for it.
    pub(super) fn begin(&mut self, lone: bool) -> bool {
        self.since = Instant::now();
        self.can && lone && self.short >= HABIT
    }

    /// The wait is over.
    pub(super) fn end(&mut self) {
        self.short = if self.since.elapsed() < MOMENT {
            self.short.saturating_add(1)
        } else {
            0
        };
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }
}

/// Stays awake, for a moment at most, while others of this thread get their turns.
pub(super) async fn stay(since: Option<Instant>) {
    while since.is_some_and(|since| since.elapsed() < MOMENT) {
        tokio::task::yield_now().await;
    }
}
