//! What the embedded store does while a rule is broken (see [`crate::failpoints`]), where that is more than a
//! constant. Not compiled into a release.

use heed::RoTxn;

use super::read_txn::{ReadTxn, ReadVersion};
use crate::{command::Value, error::Result as CallResult, keys::Key};

type Answered = Result<CallResult<Value>, heed::Error>;

impl ReadTxn {
    /// Keeps what a transaction reads of its own changes, as if they were its last.
    pub(super) fn keep_own(
        &mut self,
        txn: &RoTxn,
        key: &Key,
        value: &CallResult<Value>,
    ) -> Option<Answered> {
        let version = txn.id() as u64;
        let seen = None;
        if let Ok(Value::List(list)) = value {
            self.keep(key, ReadVersion { version, seen }, &Ok(list.clone()));
        }
        None
    }
}
