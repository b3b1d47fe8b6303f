//! Writes the text of a list, a JSON array of strings, and finds where to cut it into pieces.

use std::sync::OnceLock;

use super::{List, NEXT_ID};
use crate::error::{Error, Result};

/// The bytes of JSON in one piece: JavaScript parses it in a few milliseconds.
pub(super) const PIECE: usize = 1 << 18;

/// The maximum length of a piece: V8's longest string on 64-bit systems, 2^29 - 24 (bytes, even if these are fewer
/// characters), without the brackets that JavaScript puts around a piece.
pub(super) const LONGEST_PIECE: usize = (1 << 29) - 26;

/// A list that is being written.
pub(super) struct Writer {
    json: Vec<u8>,
    cuts: Vec<usize>,
    len: usize,
    /// Where the last piece begins.
    piece: usize,
    longest: usize,
    /// The longest member that need not be checked before it is written.
    unchecked: usize,
}

impl Writer {
    /// Begins a list whose pieces may have up to `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        let mut json = Vec::with_capacity(64);
        json.push(b'[');
        Self {
            json,
            cuts: Vec::new(),
            len: 0,
            piece: 0,
            longest,
            unchecked: longest / 6,
        }
    }

    /// Adds a member.
    pub(super) fn member(&mut self, member: &[u8]) -> Result<()> {
        if member.len() > self.unchecked || !are_plain(member) {
            return self.special(member);
        }
        self.separate();
        self.json.push(b'"');
        self.json.extend_from_slice(member);
        self.json.push(b'"');
        self.end(member.len())
    }

    /// Adds a member that is not written as it is, or very long.
    #[inline(never)]
    fn special(&mut self, member: &[u8]) -> Result<()> {
        // Checked before gigabytes of it are written.
        if member.len() > self.unchecked && escaped(member) > self.longest {
            return Err(no_string(member.len()));
        }
        self.separate();
        let json = &mut self.json;
        let written = match std::str::from_utf8(member) {
            Ok(text) => serde_json::to_writer(json, text),
            Err(_) => serde_json::to_writer(json, &String::from_utf8_lossy(member)),
        };
        written.map_err(|error| internal(&error))?;
        self.end(member.len())
    }

    /// Adds a member that is a JSON string already.
    pub(super) fn item(&mut self, item: &str) -> Result<()> {
        self.separate();
        self.json.extend_from_slice(item.as_bytes());
        self.end(item.len())
    }

    fn separate(&mut self) {
        if self.len > 0 {
            if self.json.len() - self.piece >= PIECE {
                self.piece = self.json.len();
                self.cuts.push(self.piece);
            }
            self.json.push(b',');
        }
    }

    fn end(&mut self, bytes: usize) -> Result<()> {
        self.len += 1;
        if self.json.len() - self.piece > self.longest {
            return Err(no_string(bytes));
        }
        Ok(())
    }

    /// Returns the number of members.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Ends the list; returns its text, the cuts and the number of members.
    pub(super) fn into_parts(mut self) -> (Vec<u8>, Vec<usize>, usize) {
        self.json.push(b']');
        (self.json, self.cuts, self.len)
    }

    /// Ends the list.
    pub(super) fn finish(mut self) -> Result<List> {
        self.json.push(b']');
        Ok(List {
            id: NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            ascii: self.json.is_ascii(),
            // Boxed, because a String would keep its spare capacity.
            json: String::from_utf8(self.json)
                .map_err(|error| internal(&error))?
                .into_boxed_str(),
            cuts: self.cuts.into_boxed_slice(),
            len: self.len,
            kept: OnceLock::new(),
        })
    }
}

/// Returns the length of a member in JSON, in bytes, if it is UTF-8.
fn escaped(member: &[u8]) -> usize {
    let bytes = |&byte: &u8| match byte {
        b'"' | b'\\' | 0x08..=0x0a | 0x0c | 0x0d => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    member.iter().map(bytes).sum()
}

fn no_string(bytes: usize) -> Error {
    let words = "which in JSON is longer than a string in JavaScript can be";
    Error::Store(format!("the list has a member of {bytes} bytes, {words}").into())
}

/// Returns whether JSON contains these bytes unescaped: printable ASCII. Eight at a time, because most members are short:
/// a loop over bytes, also a vectorised one, takes twice the instructions for 16.
fn are_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    if words.iter().any(|word| !is_plain_word(*word)) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    match bytes.last_chunk() {
        // Some bytes are looked at again.
        Some(last) => is_plain_word(*last),
        None => bytes.iter().all(|&byte| is_plain(byte)),
    }
}

/// The same for eight bytes. Each term has the high bit of a byte set if that byte is not plain; behind such a byte the
/// others may be wrong, which then makes no difference.
fn is_plain_word(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let word = u64::from_le_bytes(bytes);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20);
    let beyond = word | word.wrapping_add(ONES);
    let quote = zeros(word ^ (ONES * u64::from(b'"')));
    let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
    (control | beyond | quote | backslash) & (ONES << 7) == 0
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn internal(error: &impl ToString) -> Error {
    Error::Internal(error.to_string())
}
