//! Transactions of LMDB.

use std::{
    fmt,
    marker::PhantomData,
    ops::Deref,
    ptr::{self, NonNull},
    sync::Arc,
};

use lmdb_master_sys as ffi;

use super::{
    Result, check,
    env::{Env, Handle},
};

/// What can be done in every transaction: reading.
#[derive(Debug)]
pub(in crate::embedded) struct RoTxn(NonNull<ffi::MDB_txn>);

/// A write transaction. Dropping it discards its changes.
pub(in crate::embedded) struct RwTxn<'env> {
    txn: RoTxn,
    _env: PhantomData<&'env Env>,
}

/// A slot in the table of readers, which belongs to this process until it is dropped. A read transaction in it takes no
/// lock and waits for nothing.
#[derive(Debug)]
pub(in crate::embedded) struct ReadSlot {
    /// A read transaction that is reset, except while it is [`Reading`].
    txn: RoTxn,
    _env: Arc<Handle>,
}

/// A read transaction, in a slot.
pub(in crate::embedded) struct Reading<'slot>(&'slot mut ReadSlot);

// SAFETY: with MDB_NOTLS a read transaction may be used by any thread, one at a time.
unsafe impl Send for ReadSlot {}

impl RoTxn {
    fn begin(env: *mut ffi::MDB_env, flags: u32) -> Result<Self> {
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open, and `txn` is a place for the pointer.
        check(unsafe { ffi::mdb_txn_begin(env, ptr::null_mut(), flags, &raw mut txn) })?;
        let txn = NonNull::new(txn);
        txn.map(Self)
            .ok_or(super::Error::Lmdb(super::code::PROBLEM))
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::MDB_txn {
        self.0.as_ptr()
    }

    /// Returns the number of the commit that is read, or that of the commit that a write transaction will make.
    pub(in crate::embedded) fn id(&self) -> usize {
        // SAFETY: the transaction is under way.
        unsafe { ffi::mdb_txn_id(self.as_ptr()) }
    }
}

/// Runs `work` in a read transaction that takes a slot for once. If it returns something, the tables that it has opened
/// may be used by other transactions from then on.
pub(super) fn read_once<T>(
    env: &Env,
    work: impl FnOnce(&RoTxn) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let txn = RoTxn::begin(env.as_ptr(), ffi::MDB_RDONLY)?;
    let worked = work(&txn);
    if matches!(worked, Ok(Some(_))) {
        // SAFETY: it is under way, nothing borrows it, and it is not used any more.
        check(unsafe { ffi::mdb_txn_commit(txn.as_ptr()) })?;
    } else {
        // SAFETY: as above.
        unsafe { ffi::mdb_txn_abort(txn.as_ptr()) };
    }
    worked
}

impl ReadSlot {
    /// Takes a slot; waits for other processes that do so at the same time.
    pub(in crate::embedded) fn begin(env: &Env) -> Result<Self> {
        let share = env.share();
        let txn = RoTxn::begin(share.as_ptr(), ffi::MDB_RDONLY)?;
        // SAFETY: it is a read transaction under way.
        unsafe { ffi::mdb_txn_reset(txn.as_ptr()) };
        Ok(Self { txn, _env: share })
    }

    /// Begins a read transaction, which sees everything that was committed before. Waits for nothing.
    pub(in crate::embedded) fn renew(&mut self) -> Result<Reading<'_>> {
        // SAFETY: it is reset: `Reading` borrows it. If this fails, it is still reset.
        check(unsafe { ffi::mdb_txn_renew(self.txn.as_ptr()) })?;
        Ok(Reading(self))
    }
}

impl Drop for ReadSlot {
    fn drop(&mut self) {
        // SAFETY: nothing borrows it.
        unsafe { ffi::mdb_txn_abort(self.txn.as_ptr()) };
    }
}

impl Deref for Reading<'_> {
    type Target = RoTxn;

    fn deref(&self) -> &RoTxn {
        &self.0.txn
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // SAFETY: it is under way, and what was read borrows it.
        unsafe { ffi::mdb_txn_reset(self.0.txn.as_ptr()) };
    }
}

impl<'env> RwTxn<'env> {
    pub(super) fn begin(env: &'env Env) -> Result<Self> {
        Ok(Self {
            txn: RoTxn::begin(env.as_ptr(), 0)?,
            _env: PhantomData,
        })
    }

    /// Commits the changes.
    pub(in crate::embedded) fn commit(self) -> Result<()> {
        let txn = self.txn.as_ptr();
        std::mem::forget(self);
        // SAFETY: it is under way; this frees it, also if it fails, and it is not dropped.
        check(unsafe { ffi::mdb_txn_commit(txn) })
    }
}

impl Drop for RwTxn<'_> {
    fn drop(&mut self) {
        // SAFETY: it is under way, and nothing borrows it.
        unsafe { ffi::mdb_txn_abort(self.txn.as_ptr()) };
    }
}

impl Deref for RwTxn<'_> {
    type Target = RoTxn;

    fn deref(&self) -> &RoTxn {
        &self.txn
    }
}

impl fmt::Debug for RwTxn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwTxn").field(&self.txn).finish()
    }
}
