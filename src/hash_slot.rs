//! The hash slot of a key in a Redis Cluster.

use crc::{CRC_16_XMODEM, Crc, Table};

/// The number of slots.
pub const SLOTS: u16 = 16384;

static CRC: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// Computes the slot of a key. If there is a non-empty hash tag, the part within the first braces, only that counts.
#[must_use]
pub fn hash_slot(key: &[u8]) -> u16 {
    let tag = || {
        let open = key.iter().position(|&byte| byte == b'{')? + 1;
        let length = key[open..].iter().position(|&byte| byte == b'}')?;
        (length > 0).then(|| &key[open..open + length])
    };
    CRC.checksum(tag().unwrap_or(key)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are a server's (`CLUSTER KEYSLOT`).
    #[test]
    fn a_key_is_in_the_slot_that_redis_says() {
        for (key, expected) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}.bar", 12182),
            ("POMELO:CHANNEL:{foo}:connector-1", 12182),
        ] {
            assert_eq!(hash_slot(key.as_bytes()), expected, "{key}");
        }
        // The whole key counts: neither empty braces nor an open one are a tag.
        assert_ne!(hash_slot(b"{}foo"), hash_slot(b"{}bar"));
        assert_ne!(hash_slot(b"{foo"), hash_slot(b"{foo}"));
        assert_eq!(hash_slot(b"{a}{b}"), hash_slot(b"a"));
    }
}
