//! Returns results in the order in which the calls were made, whatever the order in which they arrive. Pure
//! bookkeeping: the types of calls and outcomes are the caller's.

use std::collections::VecDeque;

/// A queue of calls, each with its outcome once it has arrived.
#[derive(Debug)]
pub struct Sequencer<C, O> {
    /// The number of the call at the front.
    first: u64,
    slots: VecDeque<(C, Option<O>)>,
}

impl<C, O> Default for Sequencer<C, O> {
    fn default() -> Self {
        Self {
            first: 0,
            slots: VecDeque::new(),
        }
    }
}

impl<C, O> Sequencer<C, O> {
    /// Returns the number of the oldest call that is not released, or else that of the next call.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Returns the number that the next call will have.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Appends a call and gives it the next number. Numbers are never used again.
    pub fn push(&mut self, call: C) -> u64 {
        let seq = self.next();
        self.slots.push_back((call, None));
        seq
    }

    /// Records the outcome of call `seq`. Returns `false`, and changes nothing, if that call has an outcome already or
    /// has been released: each call is answered once.
    pub fn settle(&mut self, seq: u64, outcome: O) -> bool {
        let slot = seq
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| self.slots.get_mut(index));
        match slot {
            Some((_, slot @ None)) => {
                *slot = Some(outcome);
                true
            }
            _ => false,
        }
    }

    /// Gives an outcome to every call that has none.
    pub fn settle_all(&mut self, mut outcome: impl FnMut() -> O) {
        for (_, slot) in &mut self.slots {
            slot.get_or_insert_with(&mut outcome);
        }
    }

    /// Returns the outcome that would be released next, if there is one.
    #[must_use]
    pub fn ready(&self) -> Option<&O> {
        self.slots.front()?.1.as_ref()
    }

    /// Takes the call at the front if it has an outcome.
    pub fn release(&mut self) -> Option<(u64, C, O)> {
        self.slots.front()?.1.as_ref()?;
        let (call, outcome) = self.slots.pop_front()?;
        let seq = self.first;
        self.first += 1;
        Some((seq, call, outcome?))
    }

    /// Returns the number of calls that are not released yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether every call has been released.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the order of the outcomes, and however often each is reported, calls come
        /// out once each and in call order.
        #[test]
        fn calls_come_out_once_and_in_order(order in prop::collection::vec(0u64..64, 0..400)) {
            let mut sequencer = Sequencer::default();
            for call in 0..64u64 {
                prop_assert_eq!(sequencer.push(call), call);
            }
            let mut settled = std::collections::HashSet::new();
            let mut released = Vec::new();
            for seq in order {
                prop_assert_eq!(sequencer.settle(seq, seq), settled.insert(seq));
                while let Some((number, call, outcome)) = sequencer.release() {
                    prop_assert_eq!((number, outcome), (call, call));
                    released.push(call);
                }
            }
            let ready = (0..64).take_while(|seq| settled.contains(seq)).count() as u64;
            prop_assert_eq!(released, (0..ready).collect::<Vec<_>>());
        }
    }
}
