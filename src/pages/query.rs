//! What a call asks: the query of a page, and the bounds of its arguments.

use super::cursor;
use crate::{
    command::{PageOp, Texts},
    keys::KeyLayout,
};

/// The maximum of `limit`.
pub const MOST: usize = 10_000;

/// The number of elements of a page if no `limit` is given.
pub const USUAL: usize = 100;

/// The maximum number of bytes of a glob.
pub const LONGEST_GLOB: usize = 4096;

/// What a call asks: the items of a page, as they are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    pub(super) op: PageOp,
    /// The seed of cursors, the position, the limit, and what depends on the operation.
    pub(super) items: Texts,
}

impl PageQuery {
    /// Makes a query of the items of [`Self::of_members`] or [`Self::of_channels`].
    #[must_use]
    pub const fn new(op: PageOp, items: Texts) -> Self {
        Self { op, items }
    }

    /// Makes a query for members of a key.
    #[must_use]
    pub fn of_members(key: &[u8], seed: u64, position: Option<Vec<u8>>, limit: usize) -> Self {
        let mut items = first_items(seed, position, limit);
        items.push(key);
        Self::new(PageOp::Members, items)
    }

    /// Makes a query for channels whose names match a glob. Their members are counted on these frontends, and on those
    /// of the keys that are found.
    #[must_use]
    pub fn of_channels(
        layout: &KeyLayout,
        (glob, sids): (&[u8], &[String]),
        seed: u64,
        position: Option<Vec<u8>>,
        limit: usize,
    ) -> Self {
        let mut items = first_items(seed, position, limit);
        items.push(layout.prefix().as_bytes());
        items.push(&[u8::from(layout.has_hash_tag())]);
        items.push(glob);
        items.extend(sids);
        Self::new(PageOp::Channels, items)
    }

    /// Returns the operation.
    #[must_use]
    pub const fn op(&self) -> PageOp {
        self.op
    }

    /// Returns the items.
    #[must_use]
    pub const fn items(&self) -> &Texts {
        &self.items
    }

    pub(super) fn item(&self, index: usize) -> &[u8] {
        self.items.get(index).unwrap_or_default()
    }

    fn number(&self, index: usize) -> u64 {
        let bytes = self.item(index).first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    pub(super) fn position(&self) -> Option<Vec<u8>> {
        Some(self.item(1).to_vec()).filter(|position| !position.is_empty())
    }

    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.number(2)).map_or(MOST, |limit| limit.clamp(1, MOST))
    }

    pub(super) fn cursor(&self, position: &[u8]) -> String {
        cursor::seal(self.number(0), position)
    }
}

/// Makes the items that all queries begin with.
pub(super) fn first_items(seed: u64, position: Option<Vec<u8>>, limit: usize) -> Texts {
    let (seed, limit) = (seed.to_le_bytes(), (limit as u64).to_le_bytes());
    let position = position.unwrap_or_default();
    Texts::from_iter([&seed[..], &position, &limit])
}
