//! Which member lists are arrays in JavaScript already. A list that the cache keeps is made into an
//! array once, the master, when it is first answered with; here is under which number it is found. The
//! master of a long list grows piece by piece, over several turns of the event loop.

use std::collections::HashMap;

/// See the module.
#[derive(Default)]
pub struct SharedArrays {
    /// The number of the master, by the id of the list.
    slots: HashMap<u64, u32>,
    /// Shared arrays of long lists that are not all there yet: the piece that comes next.
    growing: HashMap<u64, usize>,
    /// Numbers that can be used again.
    free: Vec<u32>,
}

impl SharedArrays {
    /// The number of the master of a list, if there is one.
    pub fn find(&self, id: u64) -> Option<u32> {
        let slot = self.slots.get(&id).copied();
        slot.filter(|_| !self.growing.contains_key(&id))
    }

    /// The number of the master of a list, and the piece that it lacks next; nothing if it has all.
    pub fn lacks(&mut self, id: u64) -> Option<(u32, usize)> {
        if let Some(slot) = self.slots.get(&id) {
            return self.growing.get(&id).map(|piece| (*slot, *piece));
        }
        self.growing.insert(id, 0);
        Some((self.add(id), 0))
    }

    /// The piece that a master of so many lacked is there.
    pub fn grown(&mut self, id: u64, pieces: usize) {
        match self.growing.get_mut(&id) {
            Some(piece) if *piece + 1 < pieces => *piece += 1,
            _ => drop(self.growing.remove(&id)),
        }
    }

    /// A number for the master of a list that has none.
    pub fn add(&mut self, id: u64) -> u32 {
        // Numbers in use and free ones are all that there are.
        let fresh = self.slots.len() + self.free.len();
        let slot = self
            .free
            .pop()
            .unwrap_or_else(|| u32::try_from(fresh).unwrap_or(u32::MAX >> 4));
        self.slots.insert(id, slot);
        slot
    }

    /// The list is gone. The number that its master had, if it had one.
    pub fn remove(&mut self, id: u64) -> Option<u32> {
        let slot = self.slots.remove(&id)?;
        self.growing.remove(&id);
        self.free.push(slot);
        Some(slot)
    }
}
