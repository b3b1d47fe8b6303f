//! Pages of the store in memory for unit tests, whose steps take long, find little and hang as a script says.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::{
    error::Result,
    keys::Key,
    pages::{Entered, KeyFilter, PageSource, Step, StepFuture},
    scripted_store::{Sets, Store},
};

/// How the steps of pages go.
#[derive(Debug, Default)]
pub(crate) struct PageScript {
    /// How long each step takes.
    pub(crate) pause: Duration,
    /// How many names it finds at most; 0 for no limit.
    pub(crate) width: usize,
    /// After how many more steps none is answered any more.
    pub(crate) hangs: Option<usize>,
    /// The number of pages that have begun.
    pub(crate) begun: usize,
}

/// Pages of the sets in memory, as they are when a page begins: names in their order, as a store of its own would do it.
pub(crate) struct StorePages {
    pub(crate) store: Store,
    pub(crate) sets: Sets,
}

impl StorePages {
    fn step(
        &self,
        names: impl Iterator<Item = Vec<u8>>,
        after: Option<&[u8]>,
        count: usize,
    ) -> StepFuture {
        let (pause, width) = {
            let pages = &self.store.0.lock().unwrap().pages;
            (pages.pause, pages.width)
        };
        let count = if width > 0 { count.min(width) } else { count };
        let after = after.map(|after| after[1..].to_vec());
        let mut names: Vec<_> = names.filter(|name| Some(name) > after.as_ref()).collect();
        names.sort_unstable();
        let next = names.get(count).is_some();
        names.truncate(count);
        let next = names.last().filter(|_| next);
        let next = next.map(|name| [&[1], name.as_slice()].concat());
        let step = Ok(Step { found: names, next });
        let store = self.store.clone();
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let hangs = match &mut store.0.lock().unwrap().pages.hangs {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            };
            if hangs {
                std::future::pending::<()>().await;
            }
            step
        }
        .boxed()
    }
}

impl PageSource for StorePages {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let set = self.sets.get(key).into_iter().flatten().cloned();
        self.step(set, position, count)
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        let keys = self.sets.keys().filter(|key| key.starts_with(&filter.stem));
        self.step(keys.cloned(), position, count)
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let count = |key| self.sets.get(key).map_or(0, BTreeSet::len) as u64;
        std::future::ready(Ok(keys.iter().map(count).collect())).boxed()
    }

    fn enter(
        &self,
        _: [Key; 2],
        _: Option<Vec<u8>>,
        _: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        std::future::pending().boxed()
    }
}
