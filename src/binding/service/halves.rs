//! The parts in which the calls of a tick are handed over. If all calls in flight went to the store at once, their answers would
//! come at once, and so would the next calls: the store would wait for this thread, and then this thread for the store. In two
//! parts, one of them works on one part while the other works on the other.

use std::cell::Cell;

use crate::{binding::service::Service, packed::Packed};

/// The fewest calls of a part that this thread sends itself, which is cheap ([`super::lone`]).
const FEWEST: usize = 4;

/// The fewest keys and members of a part for the runtime, which has to be woken for it.
const FEWEST_ITEMS: usize = 128;

/// The most calls of a part. That of a tick with thousands of calls begins before all of them are made.
const MOST: usize = 512;

/// The state of one service.
#[derive(Default)]
pub struct Halves {
    /// The number of calls in flight at recent hand-overs, the highest; it falls by an eighth with each.
    in_flight: Cell<usize>,
}

impl Service {
    /// Returns whether the packed calls are handed over before the tick has ended: they are half of those in flight.
    pub fn is_half(&self, packed: &Packed) -> bool {
        let is_worth_it = if self.lone.is_active() {
            packed.len() >= FEWEST
        } else {
            packed.items() >= FEWEST_ITEMS
        };
        is_worth_it && packed.len() >= (self.halves.in_flight.get() / 2).min(MOST)
    }

    /// Notes how many calls are in flight at a hand-over.
    pub fn note_in_flight(&self) {
        let recent = &self.halves.in_flight;
        let faded = recent.get() - recent.get().div_ceil(8);
        recent.set(self.calls.borrow().len().max(faded));
    }
}
