//! Pages of long lists: a part of the members of a channel, or of the channels of the store, and a cursor for what
//! follows. What a call asks is a [`PageQuery`]; [`read()`] answers it, from the [`PageSource`] of a connection, in a
//! bounded number of steps. The guarantees are those of Redis's `SCAN`: what is there from the first page to the last
//! comes at least once; what comes or goes meanwhile may be on a page or not.
//!
//! - [`query`]: what a call asks; [`page`]: its answer; [`source`]: the steps of a store.
//! - [`reading`]: a page in flight, of which the first step is done in order with other calls.
//! - [`members`], [`channels`]: how a page is read; [`channel_keys`]: the keys of channels, and patterns that find them.
//! - [`cursor`]: the cursor as text, and what makes one valid.
//! - [`given`]: which channels a scan has given already. A channel has a key for each frontend, and is given once.
//! - [`glob`]: the patterns of channel names, as in Redis.
//! - [`unindexed`]: members that the index of a frontend does not have.

mod channel_keys;
mod channels;
pub mod cursor;
mod given;
mod glob;
mod members;
mod page;
mod query;
mod reading;
mod source;
#[cfg(test)]
mod tests;
pub mod unindexed;

pub use self::{
    channel_keys::KeyParts,
    channels::read as read_channels,
    given::Given,
    page::Page,
    query::{LONGEST_GLOB, MOST, PageQuery, USUAL},
    reading::{FirstStep, Progress, RestOfPage},
    source::{Entered, KeyFilter, PageSource, Step, StepFuture},
};
use crate::{command::PageOp, error::Result};

/// The maximum number of steps of one call, so that it ends soon where hardly anything matches.
const STEPS: usize = 16;

/// Returns whether a text matches a glob, as in Redis.
#[must_use]
pub fn is_match(glob: &[u8], text: &[u8]) -> bool {
    glob::matches(glob, text)
}

/// Reads a page.
pub async fn read(source: &dyn PageSource, query: &PageQuery, given: &Given) -> Result<Page> {
    match query.op {
        PageOp::Members => members::read(source, query).await,
        PageOp::Channels => channels::read(source, query, given, &mut |_, _, _| {}).await,
        PageOp::ChannelsOn => unindexed::channels(source, query).await,
        PageOp::Enter => unindexed::enter(source, query).await,
    }
}
