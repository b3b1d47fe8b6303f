//! A published message: changes, one after the other. Each is
//!
//! ```text
//! KIND MARK @TIME: REASON FIELD SID COUNT: UIDS
//! ```
//!
//! without the spaces. KIND is `+` (members were added), `-` (they were removed) or `x` (the channel was removed on
//! this frontend, and all members with it). MARK is `e` if the channel had no members anywhere before, or has none now,
//! and `.` otherwise. TIME is [`clock`] of the process that makes the change, when it sends it; it is not there, with
//! its `@`, in what versions before it have published. Texts are preceded by their length in bytes and a colon, so that
//! any byte may be in them: the reason, the field (what is between `PREFIX:` and `:SID` in the key), the frontend, and
//! COUNT uids. With `x` the uids are left out.
//!
//! `redis_manager/event_scripts.rs` writes messages, in Lua; [`Change::write`] does it for the embedded store.

use std::str::FromStr;

use super::clock;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Members were added.
    Join,
    /// Members were removed.
    Leave,
    /// The channel was removed on this frontend.
    Destroy,
}

impl Kind {
    /// Returns its name in JavaScript.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Destroy => "destroy",
        }
    }
}

/// A change of a channel on one frontend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// What has happened.
    pub kind: Kind,
    /// Whether the channel had no members anywhere before (a join), or has none any more.
    pub is_edge: bool,
    /// When the process that made it has sent it, by its [`clock`].
    pub time: Option<u64>,
    /// Why.
    pub reason: &'a [u8],
    /// What the key has between prefix and frontend.
    pub field: &'a [u8],
    /// The frontend.
    pub sid: &'a [u8],
    /// How many members were added or removed.
    pub count: usize,
    /// Their uids, each written by [`put_text`]; empty for [`Kind::Destroy`].
    pub uids: &'a [u8],
}

impl<'a> Change<'a> {
    /// Iterates over the uids.
    pub fn uids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.uids;
        std::iter::from_fn(move || text(&mut rest))
    }

    /// Adds it to a message.
    pub fn write(&self, message: &mut Vec<u8>) {
        let kind = match self.kind {
            Kind::Join => b'+',
            Kind::Leave => b'-',
            Kind::Destroy => b'x',
        };
        message.extend([kind, if self.is_edge { b'e' } else { b'.' }]);
        if let Some(time) = self.time {
            put_time(message, time);
        }
        for text in [self.reason, self.field, self.sid] {
            put_text(message, text);
        }
        message.extend(self.count.to_string().as_bytes());
        message.push(b':');
        message.extend(self.uids);
    }
}

/// Writes what comes before FIELD in a change that is made now.
pub fn put_head(message: &mut Vec<u8>, reason: &[u8]) {
    put_time(message, clock());
    put_text(message, reason);
}

fn put_time(message: &mut Vec<u8>, time: u64) {
    message.push(b'@');
    message.extend(time.to_string().as_bytes());
    message.push(b':');
}

/// Adds a text to a message, preceded by its length.
pub fn put_text(message: &mut Vec<u8>, text: &[u8]) {
    message.extend(text.len().to_string().as_bytes());
    message.push(b':');
    message.extend(text);
}

/// Reads a message; `None` if it is none of ours.
#[must_use]
pub fn read(message: &[u8]) -> Option<Vec<Change<'_>>> {
    let mut rest = message;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        changes.push(change(&mut rest)?);
    }
    Some(changes)
}

fn change<'a>(rest: &mut &'a [u8]) -> Option<Change<'a>> {
    let kind = match byte(rest)? {
        b'+' => Kind::Join,
        b'-' => Kind::Leave,
        b'x' => Kind::Destroy,
        _ => return None,
    };
    let is_edge = match byte(rest)? {
        b'e' => true,
        b'.' => false,
        _ => return None,
    };
    let time = match rest.strip_prefix(b"@") {
        Some(tail) => {
            *rest = tail;
            Some(number(rest)?)
        }
        None => None,
    };
    let (reason, field, sid) = (text(rest)?, text(rest)?, text(rest)?);
    let count = number(rest)?;
    let begin = *rest;
    if kind != Kind::Destroy {
        for _ in 0..count {
            text(rest)?;
        }
    }
    Some(Change {
        kind,
        is_edge,
        time,
        reason,
        field,
        sid,
        count,
        uids: &begin[..begin.len() - rest.len()],
    })
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (&first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first)
}

fn number<N: FromStr>(rest: &mut &[u8]) -> Option<N> {
    let colon = rest.iter().position(|&byte| byte == b':')?;
    let number = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    *rest = &rest[colon + 1..];
    Some(number)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    let (text, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    type Written = (char, bool, Option<u64>, [Vec<u8>; 3], Vec<Vec<u8>>);

    fn told(text: &[u8]) -> Vec<u8> {
        [text.len().to_string().as_bytes(), b":", text].concat()
    }

    /// Writes a change as the scripts do.
    pub(in crate::events) fn written((kind, is_edge, time, texts, uids): &Written) -> Vec<u8> {
        let mark = if *is_edge { 'e' } else { '.' };
        let time = time.map(|time| format!("@{time}:")).unwrap_or_default();
        let mut message = format!("{kind}{mark}{time}").into_bytes();
        message.extend(texts.iter().flat_map(|text| told(text)));
        message.extend(format!("{}:", uids.len()).into_bytes());
        if *kind != 'x' {
            message.extend(uids.iter().flat_map(|uid| told(uid)));
        }
        message
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        vec(any::<u8>(), 0..8)
    }

    proptest! {
        /// Whatever bytes are in it.
        #[test]
        fn a_message_says_what_was_written(
            all in vec((prop_oneof![Just('+'), Just('-'), Just('x')], any::<bool>(), any::<Option<u64>>(), [text(), text(), text()], vec(text(), 0..4)), 0..4),
        ) {
            let message: Vec<u8> = all.iter().flat_map(written).collect();
            let changes = read(&message).expect("it is one of ours");
            prop_assert_eq!(changes.len(), all.len());
            for (change, (kind, is_edge, time, texts, uids)) in changes.iter().zip(&all) {
                let expected = match kind { '+' => Kind::Join, '-' => Kind::Leave, _ => Kind::Destroy };
                prop_assert_eq!((change.kind, change.is_edge, change.time), (expected, *is_edge, *time));
                prop_assert_eq!(change.count, uids.len());
                prop_assert_eq!([change.reason, change.field, change.sid], [&*texts[0], &*texts[1], &*texts[2]]);
                let told: Vec<_> = change.uids().collect();
                let expected = if *kind == 'x' { Vec::new() } else { uids.iter().map(Vec::as_slice).collect() };
                prop_assert_eq!(told, expected);
            }
            // The store in Rust writes as the scripts do.
            let mut again = Vec::new();
            for change in &changes {
                change.write(&mut again);
            }
            prop_assert_eq!(again, message);
        }

        /// What others publish there is no message, not a panic.
        #[test]
        fn any_bytes_are_a_message_or_not(bytes in vec(any::<u8>(), 0..40), like in "[+x.e@0-9:a-]{0,30}") {
            let _ = (read(&bytes), read(like.as_bytes()));
        }
    }
}
