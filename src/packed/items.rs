//! The items of one call among packed ones, and the request that they make.

use crate::{
    command::{Code, Command, Items as Kind, Request, Texts},
    everywhere::Everywhere,
    keys::Key,
    pages::PageQuery,
    removal::Removal,
};

/// The number of all items that are left.
const ALL: usize = usize::MAX;

/// The items of one call that were not taken yet.
#[derive(Debug)]
pub(super) struct Items<'a> {
    bytes: &'a [u8],
    begin: usize,
    ends: &'a [usize],
}

impl<'a> Items<'a> {
    /// Returns the items with these ends, of which the first one begins at `begin`.
    pub(super) const fn new(bytes: &'a [u8], begin: usize, ends: &'a [usize]) -> Self {
        Self { bytes, begin, ends }
    }

    /// Returns the end of the last item.
    pub(super) fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(self.begin)
    }

    /// Returns the first item.
    pub(super) fn first(&self) -> Option<&'a [u8]> {
        self.ends.first().map(|&end| &self.bytes[self.begin..end])
    }

    /// Makes the request of a call. Its first `keys` items are keys; those of a command of keys only all are.
    pub(super) fn request(mut self, code: Code, keys: u32) -> Request {
        let keys = keys as usize;
        match code {
            Code::Command(op) => {
                let are_all = op.items() == Kind::Keys;
                let keys = self.keys(if are_all { ALL } else { keys });
                Request::Command(Command::new(op, keys, self.texts(ALL)))
            }
            Code::Combined(groups) => Request::Command(Command::combined(self.keys(ALL), groups)),
            Code::Page(op) => Request::Page(PageQuery::new(op, self.texts(ALL))),
            Code::Everywhere(op, members) => {
                let (bases, members) = (self.keys(keys), self.texts(members as usize));
                let everywhere = Everywhere::new(op, bases, members, self.keys(ALL));
                Request::Everywhere(Box::new(everywhere))
            }
            Code::Clean => {
                let stem = self.first().unwrap_or_default();
                Request::Clean(Box::new(Removal::all(stem.to_vec())))
            }
            Code::CleanChannels(channels) => {
                let stem = self.take(1).next().unwrap_or_default();
                let channels = self.keys(channels as usize);
                let removal = Removal::channels(stem, channels, self.keys(ALL));
                Request::Clean(Box::new(removal))
            }
        }
    }

    /// Takes so many items, each into its own memory.
    fn keys(&mut self, count: usize) -> Vec<Key> {
        self.take(count).map(<[u8]>::to_vec).collect()
    }

    /// Takes so many items into the same memory.
    fn texts(&mut self, count: usize) -> Texts {
        let begin = self.begin;
        let ends = &self.ends[..count.min(self.ends.len())];
        let end = ends.last().copied().unwrap_or(begin);
        let mut texts = Texts::with_capacity(ends.len(), end - begin);
        texts.extend(self.take(count));
        texts
    }

    /// Takes so many items, all of which have to be asked of the iterator.
    fn take(&mut self, count: usize) -> impl Iterator<Item = &'a [u8]> {
        let (ends, rest) = self.ends.split_at(count.min(self.ends.len()));
        self.ends = rest;
        let (bytes, begin) = (self.bytes, &mut self.begin);
        ends.iter()
            .map(move |&end| &bytes[std::mem::replace(begin, end)..end])
    }
}
