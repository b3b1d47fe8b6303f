//! Tracks which member lists exist as arrays in JavaScript. A list that the cache keeps is parsed once, for its first
//! answer; the array is kept in `lib/answers.js` under a number. That of a long list grows piece by piece, over several
//! turns of the event loop.

type HashMap<V> = std::collections::HashMap<u64, V, foldhash::fast::RandomState>;

/// The numbers of the shared arrays.
#[derive(Default)]
pub struct SharedArrays {
    /// The number of the shared array, by the id of the list.
    slots: HashMap<u32>,
    /// The next piece of each array that is not complete.
    growing: HashMap<usize>,
    /// Numbers that can be used again.
    free: Vec<u32>,
}

impl SharedArrays {
    /// Returns the number of a list's shared array, if it is complete.
    pub fn find(&self, id: u64) -> Option<u32> {
        let slot = self.slots.get(&id).copied();
        slot.filter(|_| !self.growing.contains_key(&id))
    }

    /// Returns the number of a list's shared array and the next piece that it needs; `None` if it is complete.
    pub fn lacks(&mut self, id: u64) -> Option<(u32, usize)> {
        if let Some(slot) = self.slots.get(&id) {
            return self.growing.get(&id).map(|piece| (*slot, *piece));
        }
        self.growing.insert(id, 0);
        Some((self.add(id), 0))
    }

    /// Notes that an array of `pieces` pieces has got the next one.
    pub fn grown(&mut self, id: u64, pieces: usize) {
        match self.growing.get_mut(&id) {
            Some(piece) if *piece + 1 < pieces => *piece += 1,
            _ => drop(self.growing.remove(&id)),
        }
    }

    /// Assigns a number to the shared array of a list.
    pub fn add(&mut self, id: u64) -> u32 {
        // All smaller numbers are in use or free.
        let fresh = self.slots.len() + self.free.len();
        let slot = self
            .free
            .pop()
            .unwrap_or_else(|| u32::try_from(fresh).unwrap_or(u32::MAX >> 4));
        self.slots.insert(id, slot);
        slot
    }

    /// Removes a list that was released; returns the number of its shared array, if it had one.
    pub fn remove(&mut self, id: u64) -> Option<u32> {
        let slot = self.slots.remove(&id)?;
        self.growing.remove(&id);
        self.free.push(slot);
        Some(slot)
    }
}
