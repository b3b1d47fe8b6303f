//! Packed calls, on their way to the runtime as bytes. The JavaScript thread appends the keys and members of all calls
//! of a tick to one buffer; the [`Request`]s, each of which owns its bytes, are made on the runtime's thread. So memory
//! is freed on the thread that allocated it.

mod items;
mod marks;
#[cfg(test)]
mod tests;

pub use self::marks::{Mark, MarkedSid};

use self::{items::Items, marks::with_told};
use crate::{
    command::{Code, Command, Request},
    pages::PageQuery,
    queue::Batch,
};

/// The memory that is kept for the next calls; what a burst took beyond it is freed.
const KEPT: usize = 1 << 20;

/// Calls packed into one buffer.
#[derive(Debug, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    /// The end of each item, where the next one begins.
    ends: Vec<usize>,
    /// The number of keys since the last call.
    keys: u32,
    calls: Vec<PackedCall>,
    /// The marks of the few calls that have one, each with the index of its call.
    marks: Vec<(usize, Mark)>,
    /// Sids that the driver hears of with a call: the number of the call, and the sid. Mostly empty.
    told: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug)]
struct PackedCall {
    seq: u64,
    code: Code,
    /// The number of its keys.
    keys: u32,
    /// The number of items up to the end of the call.
    items: usize,
}

impl Packed {
    /// Returns the bytes, for appending those of the next item.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns the number of bytes of all items.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the number of items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether each call is one command, which is sent and answered in one step.
    #[must_use]
    pub fn are_commands(&self) -> bool {
        let is_command =
            |call: &PackedCall| matches!(call.code, Code::Command(_) | Code::Combined(_));
        self.calls.iter().all(is_command)
    }

    /// Ends an item: what was written since the last one.
    pub fn end_item(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Ends an item that is a key. Keys come before the other items of a call.
    pub fn end_key(&mut self) {
        self.keys = self.keys.saturating_add(1);
        self.end_item();
    }

    /// Returns the length of the item that was ended last.
    #[must_use]
    pub fn last_item(&self) -> usize {
        match *self.ends {
            [.., begin, end] => end - begin,
            [end] => end,
            [] => 0,
        }
    }

    /// Ends a call: its items are those written since the last one, of its command, or the stem of a `clean`.
    pub fn end_call(&mut self, seq: u64, code: Code) {
        let (keys, items) = (std::mem::take(&mut self.keys), self.ends.len());
        self.calls.push(PackedCall {
            seq,
            code,
            keys,
            items,
        });
    }

    /// Marks the sid of the call that is written.
    pub fn mark(&mut self, mark: Mark) {
        self.unmark();
        self.marks.push((self.calls.len(), mark));
    }

    /// Tells of a sid with the call that is written next: it may be about that frontend, beside others.
    pub fn tell(&mut self, sid: &[u8]) {
        self.told.push((self.calls.len(), sid.to_vec()));
    }

    /// Drops what was written since the last call; what was told is told with the next one.
    pub fn undo(&mut self) {
        self.ends
            .truncate(self.calls.last().map_or(0, |call| call.items));
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        self.keys = 0;
        self.unmark();
    }

    /// Drops the mark of the call that is written.
    fn unmark(&mut self) {
        let next = self.calls.len();
        self.marks.pop_if(|(of, _)| *of == next);
    }

    /// Writes a whole call.
    pub fn push(&mut self, seq: u64, command: &Command) {
        for key in command.keys() {
            self.bytes.extend_from_slice(key);
            self.end_key();
        }
        for member in command.members() {
            self.item(member);
        }
        let code = match command.groups() {
            None => Code::Command(command.op()),
            Some(groups) => Code::Combined(groups),
        };
        self.end_call(seq, code);
    }

    /// Writes a query for a page.
    pub fn push_page(&mut self, seq: u64, query: &PageQuery) {
        for item in query.items() {
            self.item(item);
        }
        self.end_call(seq, Code::Page(query.op()));
    }

    /// Writes a `clean` of all channels.
    pub fn push_clean(&mut self, seq: u64, stem: &[u8]) {
        self.item(stem);
        self.end_call(seq, Code::Clean);
    }

    /// Writes the items of a [`Request::Everywhere`], of which [`Code::Everywhere`] tells how many are members.
    pub fn everywhere<'a>(
        &mut self,
        bases: impl IntoIterator<Item = &'a [u8]>,
        rest: impl IntoIterator<Item = &'a [u8]>,
    ) {
        for base in bases {
            self.bytes.extend_from_slice(base);
            self.end_key();
        }
        for item in rest {
            self.item(item);
        }
    }

    fn item(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.end_item();
    }

    /// Returns the number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns whether there is no call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes out all calls, in order. Returns what was told for a call that is not written.
    pub fn unpack(
        &mut self,
        mut each: impl FnMut(u64, Option<MarkedSid>, Request),
    ) -> Option<MarkedSid> {
        let mut begin = 0;
        let mut unpacked = 0;
        let mut told = std::mem::take(&mut self.told).into_iter().peekable();
        let mut marks = self.marks.iter();
        let mut mark = marks.next();
        for (index, call) in self.calls.iter().enumerate() {
            let items = Items::new(&self.bytes, begin, &self.ends[unpacked..call.items]);
            (begin, unpacked) = (items.end(), call.items);
            let marked = match mark {
                Some((of, the_mark)) if *of == index => {
                    mark = marks.next();
                    items.first().and_then(|key| the_mark.sid(key))
                }
                _ => None,
            };
            let marked = if told.peek().is_some() {
                let of_call = |told: &(usize, _)| told.0 == index;
                let told = std::iter::from_fn(|| told.next_if(of_call)).map(|(_, sid)| sid);
                with_told(marked, told)
            } else {
                marked
            };
            each(call.seq, marked, items.request(call.code, call.keys));
        }
        self.clear();
        with_told(None, told.map(|(_, sid)| sid))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.ends.clear();
        self.keys = 0;
        self.ends.shrink_to(KEPT / size_of::<usize>());
        self.calls.clear();
        self.calls.shrink_to(KEPT / size_of::<PackedCall>());
        self.marks.clear();
        self.marks.shrink_to(KEPT / size_of::<(usize, Mark)>());
    }
}

impl Batch for Packed {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn append(&mut self, later: &mut Self) {
        let (bytes, items, calls) = (self.bytes.len(), self.ends.len(), self.calls.len());
        let told = later.told.drain(..);
        self.told.extend(told.map(|(of, sid)| (calls + of, sid)));
        self.bytes.append(&mut later.bytes);
        self.ends
            .extend(later.ends.drain(..).map(|end| bytes + end));
        self.calls.extend(later.calls.drain(..).map(|mut call| {
            call.items += items;
            call
        }));
        self.marks
            .extend(later.marks.drain(..).map(|(of, mark)| (calls + of, mark)));
    }
}
