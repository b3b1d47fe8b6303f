//! Texts in one allocation: the members of a command, and what else a call has beside its keys. A vector for each of them
//! would cost more than all else that is done with a short uid on its way to the store.

use std::{fmt, iter::FusedIterator};

/// How many bytes the length before each text takes.
const LENGTH: usize = size_of::<usize>();

/// Texts of any bytes, in order: for each its length and its bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Vec<u8>,
    count: usize,
}

impl Texts {
    /// Makes room for so many texts that have so many bytes together.
    #[must_use]
    pub fn with_capacity(count: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(count * LENGTH + bytes),
            count: 0,
        }
    }

    /// Appends a text.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.reserve(LENGTH + text.len());
        self.bytes.extend_from_slice(&text.len().to_ne_bytes());
        self.bytes.extend_from_slice(text);
        self.count += 1;
    }

    /// Returns how many texts there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns a text by its number. Those before it are skipped one by one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    /// Iterates over the texts.
    #[must_use]
    pub fn iter(&self) -> EachText<'_> {
        EachText {
            bytes: &self.bytes,
            left: self.count,
        }
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<T: AsRef<[u8]>> Extend<T> for Texts {
    fn extend<I: IntoIterator<Item = T>>(&mut self, texts: I) {
        texts.into_iter().for_each(|text| self.push(text.as_ref()));
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        all.extend(texts);
        all
    }
}

impl<'a> IntoIterator for &'a Texts {
    type Item = &'a [u8];
    type IntoIter = EachText<'a>;

    fn into_iter(self) -> EachText<'a> {
        self.iter()
    }
}

/// Iterates over [`Texts`].
#[derive(Debug, Clone, Default)]
pub struct EachText<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Iterator for EachText<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.bytes.split_first_chunk::<LENGTH>()?;
        let (text, rest) = rest.split_at_checked(usize::from_ne_bytes(*length))?;
        self.bytes = rest;
        self.left -= 1;
        Some(text)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for EachText<'_> {}

impl FusedIterator for EachText<'_> {}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// They are what vectors of the same bytes are, however many and however short.
        #[test]
        fn texts_are_what_vectors_are(
            all in vec(vec(any::<u8>(), 0..20), 0..6),
            other in vec(vec(any::<u8>(), 0..2), 0..3),
            skipped in 0..8_usize,
        ) {
            let texts: Texts = all.iter().collect();
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), all.iter().collect::<Vec<_>>());
            prop_assert_eq!((texts.len(), texts.is_empty()), (all.len(), all.is_empty()));
            prop_assert_eq!(texts.get(skipped), all.get(skipped).map(Vec::as_slice));
            let rest = texts.iter().skip(skipped);
            prop_assert_eq!(rest.len(), all.len().saturating_sub(skipped));

            let others: Texts = other.iter().collect();
            prop_assert_eq!(texts == others, all == other);
            let mut both = texts.clone();
            both.extend(&others);
            let expected = [all, other].concat();
            prop_assert_eq!(both.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn one_text_is_one_allocation_of_its_size() {
        let texts = Texts::from_iter(["uid"]);
        assert_eq!(texts.bytes.capacity(), LENGTH + 3);
        let mut two = Texts::with_capacity(2, 5);
        let before = two.bytes.capacity();
        two.extend(["abc", "de"]);
        assert_eq!(two.bytes.capacity(), before);
    }
}
