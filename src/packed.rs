//! Calls on their way to the runtime, as bytes. The JavaScript thread writes the keys and members
//! of all calls of a tick one after the other into one buffer; the [`Command`]s, each of which
//! owns its bytes, are made on the runtime's thread. So what that thread frees, it has allocated.

use crate::{command::Command, queue::Batch};

/// Memory that is kept for the next calls; what a burst took beyond it is given back.
const KEPT: usize = 1 << 20;

/// Which [`Command`] a call becomes, and what its items are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// A key, then members.
    Add,
    /// A key, then members.
    Remove,
    /// Keys.
    Members,
    /// Keys.
    Delete,
    /// A stem.
    Clean,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    /// Where each item ends; the next one begins there.
    ends: Vec<usize>,
    calls: Vec<PackedCall>,
}

#[derive(Debug)]
struct PackedCall {
    seq: u64,
    op: Op,
    /// The number of items up to its last.
    items: usize,
}

impl Packed {
    /// The bytes, to which those of the next item are appended.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was written since the last item is the next one.
    pub fn end_item(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// The items since the last call are those of this one.
    pub fn end_call(&mut self, seq: u64, op: Op) {
        let items = self.ends.len();
        self.calls.push(PackedCall { seq, op, items });
    }

    /// Forgets what was written since the last call.
    pub fn undo(&mut self) {
        self.ends
            .truncate(self.calls.last().map_or(0, |call| call.items));
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Writes a whole call.
    pub fn push(&mut self, seq: u64, command: &Command) {
        let op = match command {
            Command::Add { key, members } => {
                self.items([key]);
                self.items(members);
                Op::Add
            }
            Command::Remove { key, members } => {
                self.items([key]);
                self.items(members);
                Op::Remove
            }
            Command::Members { keys } => {
                self.items(keys);
                Op::Members
            }
            Command::Delete { keys } => {
                self.items(keys);
                Op::Delete
            }
            Command::Clean { stem } => {
                self.items([stem]);
                Op::Clean
            }
        };
        self.end_call(seq, op);
    }

    fn items(&mut self, items: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for item in items {
            self.bytes.extend_from_slice(item.as_ref());
            self.end_item();
        }
    }

    /// How many calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes out all calls, in order.
    pub fn unpack(&mut self, mut each: impl FnMut(u64, Command)) {
        let mut begin = 0;
        let mut ends = self.ends.iter();
        let mut unpacked = 0;
        for call in &self.calls {
            let count = call.items - unpacked;
            unpacked = call.items;
            let mut items = ends.by_ref().take(count).map(|&end| {
                let item = &self.bytes[begin..end];
                begin = end;
                item
            });
            each(call.seq, command(call.op, &mut items));
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.ends.clear();
        self.ends.shrink_to(KEPT / size_of::<usize>());
        self.calls.clear();
        self.calls.shrink_to(KEPT / size_of::<PackedCall>());
    }
}

fn command<'a>(op: Op, items: &mut impl Iterator<Item = &'a [u8]>) -> Command {
    let mut first = || items.next().unwrap_or_default().to_vec();
    match op {
        Op::Add => Command::Add {
            key: first(),
            members: owned(items),
        },
        Op::Remove => Command::Remove {
            key: first(),
            members: owned(items),
        },
        Op::Members => Command::Members { keys: owned(items) },
        Op::Delete => Command::Delete { keys: owned(items) },
        Op::Clean => Command::Clean { stem: first() },
    }
}

/// Keys or members, which are bytes both.
fn owned<'a>(items: &mut impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    items.map(<[u8]>::to_vec).collect()
}

impl Batch for Packed {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn append(&mut self, later: &mut Self) {
        let (bytes, items) = (self.bytes.len(), self.ends.len());
        self.bytes.append(&mut later.bytes);
        self.ends
            .extend(later.ends.drain(..).map(|end| bytes + end));
        self.calls.extend(later.calls.drain(..).map(|mut call| {
            call.items += items;
            call
        }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn commands() -> impl Strategy<Value = Command> {
        let item = || vec(any::<u8>(), 0..20);
        let items = || vec(item(), 1..5);
        prop_oneof![
            (item(), items()).prop_map(|(key, members)| Command::Add { key, members }),
            (item(), items()).prop_map(|(key, members)| Command::Remove { key, members }),
            items().prop_map(|keys| Command::Members { keys }),
            items().prop_map(|keys| Command::Delete { keys }),
            proptest::collection::vec(any::<u8>(), 0..10).prop_map(|stem| Command::Clean { stem }),
        ]
    }

    proptest! {
        /// What goes in comes out: the same calls, in the same order, with batches joined on the
        /// way, half-written calls undone, and memory used again.
        #[test]
        fn calls_come_out_as_they_went_in(
            rounds in vec(vec(vec((any::<u64>(), commands(), any::<bool>()), 0..6), 0..4), 0..4),
        ) {
            let mut joined = Packed::default();
            for batches in rounds {
                let mut expected = Vec::new();
                for batch in batches {
                    let mut packed = Packed::default();
                    for (seq, command, undone) in batch {
                        if undone {
                            packed.bytes().extend([1, 2]);
                            packed.end_item();
                            packed.bytes().push(3);
                            packed.undo();
                        }
                        packed.push(seq, &command);
                        expected.push((seq, command));
                    }
                    Batch::append(&mut joined, &mut packed);
                    prop_assert!(packed.is_empty());
                }
                prop_assert_eq!(joined.len(), expected.len());
                let mut unpacked = Vec::new();
                joined.unpack(|seq, command| unpacked.push((seq, command)));
                prop_assert_eq!(unpacked, expected);
                prop_assert!(joined.is_empty());
            }
        }
    }

    #[test]
    fn what_a_burst_took_is_given_back() {
        let mut packed = Packed::default();
        packed.bytes().resize(2 * KEPT, 0);
        packed.end_item();
        packed.end_call(0, Op::Members);
        packed.unpack(|_, _| ());
        assert!(packed.bytes.capacity() <= KEPT);
    }
}
