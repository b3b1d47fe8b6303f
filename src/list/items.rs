//! Reads the text of a list: an iterator over its members as JSON strings, quotes included. All lists are written by one
//! writer, so equal members have equal text.

use super::List;
use crate::error::Result;

/// The members of a list, as JSON strings.
pub(super) struct Items<'a> {
    /// What follows the bracket or comma before the next member.
    rest: &'a str,
}

impl List {
    /// Returns whether a member is in the list.
    pub fn has(&self, member: &[u8]) -> Result<bool> {
        let member = Self::new([member])?;
        let item = member.items().next();
        Ok(item.is_some_and(|item| self.items().any(|other| other == item)))
    }

    /// Returns the members as text, in order.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.items()
            .filter_map(|item| serde_json::from_str(item).ok())
    }

    /// Returns the members as JSON strings, in order.
    pub(super) fn items(&self) -> Items<'_> {
        Items {
            rest: self.json.get(1..).unwrap_or_default(),
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let mut end = 1;
        loop {
            let rest = bytes.get(end..)?;
            end += rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if bytes[end] == b'"' {
                break;
            }
            // The escaped character, and in case of \u its digits, which are neither.
            end += 2;
        }
        let item = self.rest.get(..=end)?;
        // After the closing quote there is a comma or the closing bracket.
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn the_members_come_out_as_they_went_in(members in vec(prop_oneof![".{0,6}", "[a\"]{0,1}"], 0..20)) {
            let list = List::new(&members).expect("a list");
            let items: Vec<String> = list.texts().collect();
            for member in ["a", "\"", ""] {
                let expected = members.iter().any(|each| each == member);
                prop_assert_eq!(list.has(member.as_bytes()), Ok(expected));
            }
            prop_assert_eq!(items, members);
        }
    }
}
