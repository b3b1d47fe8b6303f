//! The limits for the length of keys and members, and the errors for longer ones. The limits of a store are those of
//! [`crate::options::Store::sizes`].

use std::fmt::Display;

use crate::{
    error::{Error, Result},
    keys::KeyLayout,
};

/// The longest string that Redis accepts by default (`proto-max-bulk-len`). A longer one closes the connection, for all
/// calls on it.
pub const LONGEST: usize = 512 << 20;

/// The maximum length of all members of one call together: they are copied, and copied again with those of other calls.
pub const MOST_MEMBERS: usize = 1 << 30;

/// The longest key and the longest member that a store accepts, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The longest key: prefix, name, sid and two colons.
    pub key: usize,
    /// The longest member: a uid.
    pub member: usize,
}

impl Sizes {
    /// The limits of Redis.
    pub const REDIS: Self = Self {
        key: LONGEST,
        member: LONGEST,
    };

    /// Checks that option `prefix` leaves room for the shortest key.
    pub fn check_prefix(&self, keys: &KeyLayout) -> Result<()> {
        let (prefix, shortest) = (keys.prefix().len(), keys.key("", "").len());
        if shortest <= self.key {
            return Ok(());
        }
        let most = self.key.saturating_sub(shortest - prefix);
        Err(Error::InvalidOption(format!(
            "option prefix has {prefix} bytes; accepted are at most {most}, because a key (prefix, name and sid) \
             may have {} in this store",
            self.key
        )))
    }

    /// Checks the key of channel `name` on frontend `sid`; `given` names these arguments in the error.
    pub fn check_key(&self, keys: &KeyLayout, given: &str, name: &str, sid: &str) -> Result<()> {
        let length = keys.len_of(name, sid);
        if length <= self.key {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "{given}: the key has {length} bytes (prefix {}, name {}, sid {}, and colons); accepted are at most {}",
            keys.prefix().len(),
            name.len(),
            sid.len(),
            self.key
        )))
    }

    /// Checks the member that `argument` gives.
    pub fn check_member(&self, argument: impl Display, member: &[u8]) -> Result<()> {
        let length = member.len();
        if length <= self.member {
            return Ok(());
        }
        Err(too_long(argument, length, self.member))
    }
}

/// Makes the error for an argument of more than `most` bytes.
pub fn too_long(argument: impl Display, length: usize, most: usize) -> Error {
    Error::InvalidArgument(format!(
        "argument {argument} has {length} bytes; accepted are at most {most}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { key: 8, member: 3 };

    /// A length that is allowed is accepted up to the last byte, one more is not, and the error has both
    /// figures. Bytes count, not characters.
    #[test]
    fn the_longest_passes_and_one_byte_more_does_not() {
        let keys = KeyLayout::new("P");
        let key = |name, sid| SIZES.check_key(&keys, "arguments name and sid", name, sid);
        assert_eq!(key("abc", "de"), Ok(()));
        assert_eq!(
            key("ää", "de").unwrap_err().to_string(),
            "arguments name and sid: the key has 9 bytes (prefix 1, name 4, sid 2, and colons); \
             accepted are at most 8"
        );
        assert_eq!(SIZES.check_member("uid", b"123"), Ok(()));
        assert_eq!(
            SIZES.check_member("uid[1]", b"1234").unwrap_err(),
            Error::InvalidArgument(
                "argument uid[1] has 4 bytes; accepted are at most 3".to_owned()
            )
        );
    }

    #[test]
    fn a_prefix_has_to_leave_room_for_the_colons() {
        assert_eq!(SIZES.check_prefix(&KeyLayout::new("123456")), Ok(()));
        let error = SIZES.check_prefix(&KeyLayout::new("1234567")).unwrap_err();
        assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_OPTION");
        let words = "option prefix has 7 bytes; accepted are at most 6, because a key (prefix, name and sid) \
                     may have 8 in this store";
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn redis_takes_what_is_not_longer_than_its_strings() {
        let (keys, long) = (KeyLayout::new(""), "x".repeat(1 << 20));
        assert_eq!(Sizes::REDIS.check_key(&keys, "", &long, &long), Ok(()));
        // Zeroed by the system, and never touched.
        let longer = vec![0; LONGEST + 1];
        assert_eq!(Sizes::REDIS.check_member("uid", &longer[1..]), Ok(()));
        assert_eq!(
            Sizes::REDIS
                .check_member("uid", &longer)
                .unwrap_err()
                .to_string(),
            "argument uid has 536870913 bytes; accepted are at most 536870912"
        );
    }
}
