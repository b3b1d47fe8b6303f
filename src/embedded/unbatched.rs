//! What an executor does beside the batches, on a blocking thread: `clean`, steps of scans, and adding members to an index.

use super::{
    budget::Budget,
    entering::Missing,
    executor::{Executor, Replies},
    lmdb::{self, RoTxn},
    messages::Failure,
    rows::Rows,
    store::Thread,
    write_lock::WriteGuard,
    write_txn::WriteTxn,
};
use crate::{command::Reply, error::Result, manager::Lost, removal::Removal, steps::Steps};

/// The number of members that one step of a `clean` removes.
const STEP: u64 = 16 << 10;

impl Executor {
    /// Does a step of a scan, in a read transaction of its own beside the batches; blocks the thread.
    pub(super) fn look<T>(
        &self,
        mut work: impl FnMut(&RoTxn, &Rows) -> std::result::Result<T, lmdb::Error>,
    ) -> Result<T> {
        // The thread may have begun long after the call.
        self.wanted()?;
        self.store.check()?;
        let read = self.counted(|| {
            let rows = self.store.rows();
            self.store.read(Thread::Blocking, |txn| work(txn, rows))
        });
        read.map_err(|failure| match failure {
            Failure::Store(words) => Lost(words).into(),
            failure => failure.error(),
        })
    }

    /// Executes `clean`; blocks the thread.
    pub(super) fn clean(&self, removal: &Removal, mut guard: WriteGuard, steps: &Steps) -> Replies {
        // The process that writes may have been stopped for a long time.
        self.wanted()?;
        let mut after = None;
        self.at_work(|| {
            loop {
                steps.next();
                let mut reading = self.reading();
                let cleaned = self.store_write(Budget::ANY, &guard, |txn, recorder| {
                    reading.budget = Budget::ANY;
                    let writing = WriteTxn::new(
                        self.store.rows(),
                        txn,
                        &mut reading,
                        (recorder, self.kept()),
                    );
                    writing.clean(removal, after.as_ref(), STEP)
                });
                drop(reading);
                match cleaned {
                    Ok((removed, rest)) => {
                        steps.count(removed);
                        after = rest;
                        if after.is_none() {
                            return Ok(vec![Ok(Reply::Removed(steps.removed()))]);
                        }
                        self.give_way(Some(&mut guard))?;
                    }
                    Err(Failure::Store(words)) => return Err(Lost(words)),
                    Err(failure) => return Ok(vec![Err(failure.error())]),
                }
            }
        })
    }

    /// Adds members to an index; blocks the thread. Returns how many were not in it.
    pub(super) fn enter(&self, missing: &Missing, guard: &WriteGuard) -> Result<u64> {
        // The process that writes may have been stopped for a long time.
        self.wanted()?;
        let written = self.counted(|| {
            let mut reading = self.reading();
            self.store_write(Budget::ANY, guard, |txn, recorder| {
                reading.budget = Budget::ANY;
                let mut writing = WriteTxn::new(
                    self.store.rows(),
                    txn,
                    &mut reading,
                    (recorder, self.kept()),
                );
                let count = writing.enter(missing)?;
                writing.commit()?;
                Ok(count)
            })
        });
        written.map_err(|failure| match failure {
            Failure::Store(words) => Lost(words).into(),
            failure => failure.error(),
        })
    }
}
