//! A page: what a query is answered with, and its JSON.

use crate::{
    error::{Error, Result},
    list::List,
};

/// A page: the answer to a [`super::PageQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Members, or the names of channels.
    pub names: Vec<Vec<u8>>,
    /// The number of members of each channel.
    pub counts: Option<Vec<u64>>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

impl Page {
    /// Returns it as JSON: `{"names":[…],"counts":[…] or null,"cursor":"…" or null}`.
    pub fn json(&self) -> Result<String> {
        let names = List::new(&self.names)?;
        let counts = serde_json::to_string(&self.counts);
        let cursor = serde_json::to_string(&self.cursor);
        let (Ok(counts), Ok(cursor)) = (counts, cursor) else {
            return Err(Error::Internal("a page without a text".to_owned()));
        };
        let names = names.json();
        Ok(format!(
            "{{\"names\":{names},\"counts\":{counts},\"cursor\":{cursor}}}"
        ))
    }
}
