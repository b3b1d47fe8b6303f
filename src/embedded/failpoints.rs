//! What the embedded store does while a rule is broken (see [`crate::failpoints`]), where that is more than a
//! constant. Not compiled into a release.

use std::sync::Arc;

use heed::RoTxn;

use super::read_txn::{ReadTxn, ReadVersion};
use crate::{error::Result as CallResult, keys::Key, list::List};

type Listed = Result<CallResult<Arc<List>>, heed::Error>;

impl ReadTxn {
    /// Keeps what a transaction reads of its own changes, as if they were its last.
    pub(super) fn keep_own(
        &mut self,
        txn: &RoTxn,
        key: &Key,
        list: &CallResult<Arc<List>>,
    ) -> Option<Listed> {
        let version = txn.id() as u64;
        let seen = None;
        self.keep(key, ReadVersion { version, seen }, list);
        None
    }
}
