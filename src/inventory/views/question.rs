//! The arguments of a question: a JSON object, in which `ask` is its name. `lib/inspect/views.js` makes it, so what is not as
//! it should be is a defect there, except for texts that users give: cursors and globs.

use serde_json::Value as Json;

use crate::{
    error::{Error, Result},
    pages::{LONGEST_GLOB, MOST, USUAL, cursor},
};

/// A question.
pub(super) struct Question(Json);

impl Question {
    pub(super) fn read(text: &str) -> Result<Self> {
        let json = serde_json::from_str(text);
        json.map(Self)
            .map_err(|error| Error::Internal(format!("a question is no JSON: {error}")))
    }

    pub(super) fn name(&self) -> &str {
        self.text("ask").unwrap_or_default()
    }

    /// Returns an argument that is a text; `None` if it was left out or is null.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Returns an argument that is a text, and must be there.
    pub(super) fn given(&self, name: &str) -> Result<&str> {
        let absent = || Error::InvalidArgument(format!("argument {name} is absent"));
        self.text(name).ok_or_else(absent)
    }

    /// Returns an argument that is an array of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let array = self.0.get(name).and_then(Json::as_array);
        array
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect()
    }

    pub(super) fn limit(&self) -> usize {
        let limit = self.0.get("limit").and_then(Json::as_u64);
        limit.map_or(USUAL, |limit| {
            usize::try_from(limit).map_or(MOST, |limit| limit.clamp(1, MOST))
        })
    }

    /// Returns the glob; that of everything if none is given.
    pub(super) fn glob(&self) -> Result<&str> {
        let glob = self.text("match").unwrap_or("*");
        if glob.len() > LONGEST_GLOB {
            return Err(Error::InvalidArgument(format!(
                "argument match has {} bytes; accepted are at most {LONGEST_GLOB}",
                glob.len()
            )));
        }
        Ok(glob)
    }

    /// Returns the position of the cursor, if one is given.
    pub(super) fn position(&self, seed: u64) -> Result<Option<Vec<u8>>> {
        let Some(text) = self.text("cursor") else {
            return Ok(None);
        };
        let refused = || {
            Error::InvalidArgument(
                "argument cursor is not that of a page of the same view with the same arguments"
                    .to_owned(),
            )
        };
        cursor::open(seed, text).map(Some).ok_or_else(refused)
    }
}
