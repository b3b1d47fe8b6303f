//! The cursor of a page as text: a version, a checksum and the position, in hexadecimal digits. The checksum is made with
//! a seed of what the scan is about ([`seed`]). So a cursor of another channel, another store or another kind of scan
//! is refused, and one that was changed too.

use std::fmt::Write as _;

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::command::PageOp;

/// The version of the form. Other versions of this package may have another.
const VERSION: u8 = 1;

/// Returns the seed of the cursors of a scan of a kind of store: of the members of a key, or of the channels whose
/// names match a glob.
#[must_use]
pub fn seed(store: &str, op: PageOp, about: &[&[u8]]) -> u64 {
    let mut hash = Xxh3::new();
    let parts = [store.as_bytes(), op.redis_name().as_bytes()];
    for part in parts.iter().chain(about) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.digest()
}

/// Makes a cursor.
#[must_use]
pub fn seal(seed: u64, position: &[u8]) -> String {
    let sum = xxh3_64_with_seed(position, seed).to_be_bytes();
    let mut text = String::with_capacity(2 * (1 + sum.len() + position.len()));
    for byte in [VERSION].iter().chain(&sum).chain(position) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads a cursor: its position, or `None` if it is no cursor of such a scan.
#[must_use]
pub fn open(seed: u64, text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    let (&[VERSION], bytes) = bytes.split_first_chunk()? else {
        return None;
    };
    let (sum, position) = bytes.split_first_chunk()?;
    let is_ours = u64::from_be_bytes(*sum) == xxh3_64_with_seed(position, seed);
    (rest.is_empty() && !position.is_empty() && is_ours).then(|| position.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// A cursor is read back, by its own scan only; and no other text is one.
        #[test]
        fn a_cursor_is_valid_for_its_scan_only(
            seeds: (u64, u64), position in vec(any::<u8>(), 1..60), at: prop::sample::Index, text: String,
        ) {
            let sealed = seal(seeds.0, &position);
            prop_assert_eq!(open(seeds.0, &sealed), Some(position));
            if seeds.0 != seeds.1 {
                prop_assert_eq!(open(seeds.1, &sealed), None);
            }
            let mut changed = sealed.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(open(seeds.0, &String::from_utf8(changed).expect("digits")), None);
            prop_assert_eq!(open(seeds.0, &sealed[1..]), None);
            prop_assert_eq!(open(seeds.0, &text), None);
        }
    }

    #[test]
    fn a_seed_is_of_all_that_a_scan_is_about() {
        let seeds = [
            seed("redis", PageOp::Members, &[b"a"]),
            seed("redis", PageOp::Channels, &[b"a"]),
            seed("embedded", PageOp::Members, &[b"a"]),
            seed("redis", PageOp::Members, &[b"a", b"b"]),
            seed("redis", PageOp::Members, &[b"ab"]),
        ];
        let different: std::collections::HashSet<_> = seeds.iter().collect();
        assert_eq!(different.len(), seeds.len());
    }
}
