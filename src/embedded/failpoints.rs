//! Fail points of the embedded store (see [`crate::failpoints`]) whose wrong behaviour is more than a constant. Not
//! compiled into a release.

use super::{
    lmdb::{self, RoTxn},
    read_txn::{ReadTxn, ReadVersion},
};
use crate::{command::Value, error::Result as CallResult, keys::Key};

type Answered = Result<CallResult<Value>, lmdb::Error>;

impl ReadTxn {
    /// Keeps lists with the transaction's own changes as if they were committed.
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
