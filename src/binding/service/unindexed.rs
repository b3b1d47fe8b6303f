//! The steps that find members outside of the index ([`crate::pages::unindexed`]), which `lib/members.js` asks for.

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::Service,
        values::page_options::no_cursor,
    },
    command::PageOp,
    error::{Error, Result},
    keys::Key,
    pages::{PageQuery, cursor},
};

impl Service {
    /// Makes the query of a step on a frontend, whose index is `index`. What is asked is a cursor, which may be empty, and
    /// the name of a channel.
    pub(super) fn unindexed_query(
        &self,
        kind: Kind,
        (sids, index): (&[String], Key),
        asked: &[String],
    ) -> Result<PageQuery> {
        let [sid] = sids else {
            return Err(Error::InvalidArgument(
                "argument sids is not one".to_owned(),
            ));
        };
        let at = |place: usize| asked.get(place).map(String::as_str).unwrap_or_default();
        let (cursor, name) = (at(0), at(1));
        if kind.arguments() == Arguments::ChannelsOn {
            let seed = cursor::seed(self.store_kind(), PageOp::ChannelsOn, &[&index]);
            let position = position(seed, cursor)?;
            return Ok(PageQuery::of_channels_on(&self.keys, sid, seed, position));
        }
        let channel = self.key(name, sid)?;
        let seed = cursor::seed(self.store_kind(), PageOp::Enter, &[&channel]);
        let position = position(seed, cursor)?;
        Ok(PageQuery::of_enter(channel, index, seed, position))
    }
}

/// Reads the position of a cursor; none of an empty one.
fn position(seed: u64, text: &str) -> Result<Option<Vec<u8>>> {
    if text.is_empty() {
        return Ok(None);
    }
    cursor::open(seed, text).map(Some).ok_or_else(no_cursor)
}
