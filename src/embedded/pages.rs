//! Pages of long lists, from the rows: [`crate::pages`] in the order of their bytes. A position is the last name of the
//! page before, so that it stays valid whatever happens to the store. Each step is a read transaction of its own.

use futures_util::{FutureExt as _, TryFutureExt as _, future::BoxFuture};

use super::{entering::enter, scan::Walked};
use crate::{
    error::Result,
    keys::Key,
    pages::{Entered, KeyFilter, PageSource, Step, StepFuture},
};

/// What comes before the name in a position, which is so never empty.
const MARK: u8 = 1;

pub(super) fn after(position: Option<&[u8]>) -> Option<&[u8]> {
    position.and_then(<[u8]>::split_first).map(|(_, name)| name)
}

/// Makes a step of the names that were found, of `count` that were looked for.
pub(super) fn step(found: Vec<Vec<u8>>, count: usize) -> Step {
    let last = found.last().filter(|_| found.len() == count);
    let next = last.map(|last| [&[MARK], last.as_slice()].concat());
    Step { found, next }
}

impl PageSource for Walked {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let (key, position) = (key.to_vec(), position.map(<[u8]>::to_vec));
        let found = self
            .clone()
            .read(move |txn, rows| match rows.channel(txn, &key)? {
                Some(channel) => rows.members(txn, channel, after(position.as_deref()), count),
                None => Ok(Vec::new()),
            });
        found.map_ok(move |found| step(found, count)).boxed()
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        let (stem, position) = (filter.stem.clone(), position.map(<[u8]>::to_vec));
        let found = self.clone().read(move |txn, rows| {
            let found = rows.channels(txn, &stem, after(position.as_deref()), count)?;
            Ok(found.into_iter().map(|(key, _)| key.to_vec()).collect())
        });
        found.map_ok(move |found| step(found, count)).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        self.clone().counts(keys)
    }

    fn enter(
        &self,
        keys: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        enter(self.clone(), keys, position, count)
    }
}
