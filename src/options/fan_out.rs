//! Option `fanOut`: how a frontend sends one message to many sessions. The sending is in `lib/fanOut/`.

use super::{
    read::Reader,
    table::{FAN_OUT, FAN_OUT_BUFFERED, FAN_OUT_DEFLATE, FAN_OUT_LISTS, FAN_OUT_ON_SLOW, OnSlow},
};
use crate::error::Result;

/// The value of option `fanOut`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOut {
    /// Messages of fewer bytes are sent uncompressed, even if permessage-deflate was negotiated.
    pub deflate_threshold: u64,
    /// The bytes that may be queued for a client before it counts as slow; `None` means no limit.
    pub max_buffered: Option<u64>,
    /// What is done about a slow client.
    pub on_slow: OnSlow,
    /// Whether long lists of uids are sent to a frontend once, and referred to by number from then on.
    pub lists: bool,
}

/// Reads option `fanOut`; `None` means `false`.
pub(super) fn fan_out(read: &Reader) -> Result<Option<FanOut>> {
    if read.switch(&FAN_OUT)? == Some(false) {
        return Ok(None);
    }
    let max_buffered = read.integer(&FAN_OUT_BUFFERED)?;
    Ok(Some(FanOut {
        deflate_threshold: read.integer(&FAN_OUT_DEFLATE)?,
        max_buffered: (max_buffered > 0).then_some(max_buffered),
        on_slow: read.word(&FAN_OUT_ON_SLOW)?,
        lists: read.flag(&FAN_OUT_LISTS)?,
    }))
}
