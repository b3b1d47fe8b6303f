//! Pages of long lists, from the rows: [`crate::pages`] in the order of their bytes. A position is the last name of the
//! page before, so that it stays valid whatever happens to the store. Each step is a read transaction of its own.

use futures_util::{FutureExt as _, future::BoxFuture};

use super::scan::Walked;
use crate::{
    error::Result,
    keys::Key,
    pages::{KeyFilter, PageSource, Step, StepFuture},
};

/// What comes before the name in a position, which is so never empty.
const MARK: u8 = 1;

fn after(position: Option<&[u8]>) -> Option<&[u8]> {
    position.and_then(<[u8]>::split_first).map(|(_, name)| name)
}

/// Makes a step of the names that were found, of `count` that were looked for.
fn step(found: Vec<Vec<u8>>, count: usize) -> Step {
    let last = found.last().filter(|_| found.len() == count);
    let next = last.map(|last| [&[MARK], last.as_slice()].concat());
    Step { found, next }
}

impl PageSource for Walked {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let found = self.read(|txn, rows| match rows.channel(txn, key)? {
            Some(channel) => rows.members(txn, channel, after(position), count),
            None => Ok(Vec::new()),
        });
        std::future::ready(found.map(|found| step(found, count))).boxed()
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        let found = self.read(|txn, rows| {
            let found = rows.channels(txn, &filter.stem, after(position), count)?;
            Ok(found.into_iter().map(|(key, _)| key.to_vec()).collect())
        });
        std::future::ready(found.map(|found| step(found, count))).boxed()
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        std::future::ready(Walked::counts(self, keys)).boxed()
    }
}
