//! The sids of packed calls that the driver hears of: the one that is marked in a key, and those that are told beside it.

/// Marks the sid of a call about one frontend, which is in the first key, and whether the index gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The length of the sid in bytes.
    pub len: usize,
    /// How many bytes of the key follow it.
    pub tail: usize,
    /// Whether members are added, so that the sid must be in the index first.
    pub adds: bool,
}

impl Mark {
    /// Returns the sid, given the first key of the call.
    pub(super) fn sid(&self, key: &[u8]) -> Option<MarkedSid> {
        let end = key.len().checked_sub(self.tail)?;
        let sid = key.get(end.checked_sub(self.len)?..end)?.to_vec();
        let (adds, others) = (self.adds, Vec::new());
        Some(MarkedSid { sid, adds, others })
    }
}

/// The sids of a call that the driver hears of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedSid {
    /// The sid that was marked, or one of those that were told.
    pub sid: Vec<u8>,
    /// See [`Mark::adds`].
    pub adds: bool,
    /// The others that were told ([`super::Packed::tell`]).
    pub others: Vec<Vec<u8>>,
}

impl MarkedSid {
    /// Iterates over all of them.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        [&self.sid]
            .into_iter()
            .chain(&self.others)
            .map(Vec::as_slice)
    }
}

/// Adds what was told to what was marked; `None` if there is neither.
pub(super) fn with_told(
    marked: Option<MarkedSid>,
    mut told: impl Iterator<Item = Vec<u8>>,
) -> Option<MarkedSid> {
    let marked = marked.or_else(|| {
        let (sid, adds, others) = (told.next()?, false, Vec::new());
        Some(MarkedSid { sid, adds, others })
    });
    marked.map(|marked| MarkedSid {
        others: told.collect(),
        ..marked
    })
}
