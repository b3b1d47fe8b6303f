//! Members that the index of a frontend ([`crate::membership`]) does not have, because 0.0.7 or a process without the
//! index has added them. They are found in two kinds of steps, which `lib/sessions/scan.js` asks for one by one, with
//! pauses: channels that have members on that frontend, and the members of each, which are added to the index. What is to
//! become of them is decided as for all members of the index, so a step decides nothing about members itself.
//!
//! Each is one step of the store, not several, and is executed beside the other calls ([`PageOp::is_beside`]).

use super::{KeyFilter, Page, PageQuery, PageSource, query::first_items};
use crate::{
    command::PageOp,
    error::Result,
    keys::{Key, KeyLayout, pattern},
};

/// The number of keys that the store looks at in one step, also those of other frontends.
pub const KEYS: usize = 500;

/// The number of members of one step: in Redis it takes about as long as a step of a purge, since it only adds what is missing.
pub const MEMBERS: usize = 250;

impl PageQuery {
    /// Makes a query for the channels that have members on a frontend.
    #[must_use]
    pub fn of_channels_on(
        layout: &KeyLayout,
        sid: &str,
        seed: u64,
        position: Option<Vec<u8>>,
    ) -> Self {
        let [begin, end] = around_name(layout, sid);
        let mut items = first_items(seed, position, KEYS);
        items.extend([layout.stem(), begin, end]);
        Self::new(PageOp::ChannelsOn, items)
    }

    /// Makes a query that adds members of a channel to the index.
    #[must_use]
    pub fn of_enter(channel: Key, index: Key, seed: u64, position: Option<Vec<u8>>) -> Self {
        let mut items = first_items(seed, position, MEMBERS);
        items.extend([channel, index]);
        Self::new(PageOp::Enter, items)
    }
}

/// Returns what comes before and after the name in the key of a channel.
fn around_name(layout: &KeyLayout, sid: &str) -> [Key; 2] {
    let (mut begin, mut end) = (Key::new(), Key::new());
    layout.begin(&mut begin);
    layout.separate(&mut end);
    end.extend_from_slice(sid.as_bytes());
    [begin, end]
}

/// Reads the names of channels.
pub(super) async fn channels(source: &dyn PageSource, query: &PageQuery) -> Result<Page> {
    let (begin, end) = (query.item(4), query.item(5));
    // Both end with a star.
    let mut head = pattern(begin);
    let mut tail = pattern(end);
    tail.pop();
    head.append(&mut tail);
    let filter = KeyFilter {
        stem: query.item(3).to_vec(),
        pattern: head,
    };
    let step = source.keys(&filter, query.position().as_deref(), query.limit());
    let step = step.await?;
    let name = |key: &Key| {
        let name = key.strip_prefix(begin)?.strip_suffix(end)?;
        Some(name.to_vec())
    };
    Ok(Page {
        names: step.found.iter().filter_map(name).collect(),
        counts: None,
        cursor: step.next.map(|position| query.cursor(&position)),
    })
}

/// Adds members to the index; the page has the number of those that were not in it.
pub(super) async fn enter(source: &dyn PageSource, query: &PageQuery) -> Result<Page> {
    let keys = [query.item(3), query.item(4)].map(<[u8]>::to_vec);
    let step = source.enter(keys, query.position(), query.limit());
    let step = step.await?;
    Ok(Page {
        names: Vec::new(),
        counts: Some(vec![step.count]),
        cursor: step.next.map(|position| query.cursor(&position)),
    })
}
