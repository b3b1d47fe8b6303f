//! Option `fanOut`: how a frontend sends one message to many sessions. The sending itself is in `lib/fanOut/`.

use super::read::{Raw, Reader, invalid, show};
use crate::error::Result;

/// What `ws` 8 has for its own threshold: smaller messages are not worth compressing.
const DEFLATE_THRESHOLD: u64 = 1024;

/// The largest number of bytes that can be given.
const MOST_BYTES: u64 = 1 << 40;

const FORMS: &str = "true, false or {deflateThreshold, maxBuffered, onSlow, lists}";

/// How a frontend sends one message to many sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOut {
    /// Messages of fewer bytes are sent uncompressed, also where permessage-deflate was negotiated.
    pub deflate_threshold: u64,
    /// Bytes that may be queued for a client before it counts as slow; `None` = no limit.
    pub max_buffered: Option<u64>,
    /// What is done about a slow client.
    pub on_slow: OnSlow,
    /// Whether lists of members are sent to a frontend once, and named from then on.
    pub lists: bool,
}

/// What is done about a client that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSlow {
    /// It does not get the message.
    Drop,
    /// Its session is closed.
    Close,
}

impl OnSlow {
    /// As the option has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Close => "close",
        }
    }
}

/// Reads option `fanOut`; `None` = `false`.
pub(super) fn fan_out(read: &Reader) -> Result<Option<FanOut>> {
    match (read.0)("fanOut") {
        Raw::Bool(false) => return Ok(None),
        Raw::Absent | Raw::Bool(true) | Raw::Object => {}
        other => return Err(invalid("fanOut", &show(&other), FORMS)),
    }
    let words = [("drop", OnSlow::Drop), ("close", OnSlow::Close)];
    Ok(Some(FanOut {
        deflate_threshold: read
            .integer("fanOut.deflateThreshold", 0, MOST_BYTES)?
            .unwrap_or(DEFLATE_THRESHOLD),
        max_buffered: read
            .integer("fanOut.maxBuffered", 0, MOST_BYTES)?
            .filter(|&bytes| bytes > 0),
        on_slow: read.word("fanOut.onSlow", &words)?.unwrap_or(OnSlow::Drop),
        lists: read.flag("fanOut.lists")?.unwrap_or(true),
    }))
}
