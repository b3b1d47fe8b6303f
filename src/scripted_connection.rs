//! The connections of the store in memory ([`crate::scripted_store`]): each batch has the fate that the script says.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};

use crate::{
    command::{Command, Member, Reply, Request},
    error::{Error, Result},
    keys::Key,
    manager::{Connection, Field, Inventory, Keyspace, Lost, Queue},
    pages::PageSource,
    removal::Removal,
    scripted_pages::StorePages,
    scripted_store::{Fate, READONLY, Store},
    steps::Steps,
};

/// A connection, and what is left of its script.
pub(crate) struct StoreConnection {
    pub(crate) store: Store,
    pub(crate) fates: Mutex<VecDeque<Fate>>,
    /// The number of pings that are still answered; `None` for a connection without heartbeat.
    pub(crate) signs: Mutex<Option<usize>>,
    pub(crate) demoted: Mutex<Option<Arc<str>>>,
}

impl Connection for StoreConnection {
    fn pages(&self) -> Arc<dyn PageSource> {
        let mut script = self.store.0.lock().unwrap();
        script.pages.begun += 1;
        Arc::new(StorePages {
            store: self.store.clone(),
            sets: script.sets.clone(),
        })
    }

    fn depth(&self) -> usize {
        match self.store.0.lock().unwrap().depth {
            0 => 32,
            depth => depth,
        }
    }

    fn batch_size(&self) -> usize {
        match self.store.0.lock().unwrap().batch_size {
            0 => usize::MAX,
            size => size,
        }
    }

    fn demoted(&self) -> Option<Arc<str>> {
        self.demoted.lock().unwrap().clone()
    }

    fn ping(&self) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        let mut signs = self.signs.lock().unwrap();
        let left = signs.as_mut()?;
        self.store.0.lock().unwrap().asked += 1;
        if *left == 0 {
            return Some(std::future::pending().boxed());
        }
        *left -= 1;
        Some(std::future::ready(Ok(())).boxed())
    }

    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let script = self.store.0.lock().unwrap();
        let pause = script.scan_pause;
        let slowly = move |found| async move {
            tokio::time::sleep(pause).await;
            found
        };
        let keys = script.sets.keys().chain(script.hashes.keys());
        let keys = keys.filter(|key| key.starts_with(stem)).cloned().collect();
        pages(keys).then(slowly).boxed()
    }

    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let (count, ms) = match self.fates.lock().unwrap().front() {
            Some(Fate::Steps(count, ms) | Fate::StepsThenHangs(count, ms)) => (*count, *ms),
            _ => (0, 0),
        };
        let done = self.run(&[Request::Clean(Box::new(removal.clone()))]);
        async move {
            for _ in 0..count {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                steps.next();
            }
            done.await
        }
        .boxed()
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let batch = batch.iter().map(|&command| command.clone().into());
        self.run(&batch.collect::<Vec<_>>())
    }

    fn execute_from(
        &self,
        batch: &[&Command],
        queue: Queue,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.store.0.lock().unwrap().queues.push(queue);
        self.execute(batch)
    }
}

impl StoreConnection {
    fn run(
        &self,
        batch: &[Request],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let mut fates = self.fates.lock().unwrap();
        let mut fate = fates.front().cloned().unwrap_or(Fate::Good(1));
        let poison = self.store.0.lock().unwrap().poison.clone();
        let is_poison = |request: &Request| {
            let members = request.command().map(Command::members);
            poison.as_ref().is_some_and(|poison| {
                members.is_some_and(|all| all.iter().any(|member| member == poison))
            })
        };
        if let (Fate::Good(_), Some(at)) = (&fate, batch.iter().position(is_poison)) {
            fate = Fate::Breaks(at);
        }
        // After a break or a hang nothing sent on this connection arrives any more.
        if matches!(fate, Fate::Good(_) | Fate::Refuses | Fate::Steps(..)) {
            fates.pop_front();
        } else {
            fates.truncate(1);
        }
        let executed = match fate {
            Fate::Good(_) | Fate::Refuses | Fate::Steps(..) => batch.len(),
            Fate::Breaks(count) => count.min(batch.len()),
            Fate::Hangs | Fate::StepsThenHangs(..) => 0,
        };
        let refuses = matches!(fate, Fate::Refuses);
        let takes = |request: &&Request| !refuses || !request.is_write();
        let reply = |request| {
            let no = || Error::Store(READONLY.into());
            let request = Some(request).filter(takes).ok_or_else(no)?;
            Ok(self.store.apply(request))
        };
        let replies: Vec<_> = batch[..executed].iter().map(reply).collect();
        let done = batch[..executed].iter().filter(takes).cloned().collect();
        *self.demoted.lock().unwrap() = refuses.then(|| READONLY.into());
        self.store.0.lock().unwrap().batches.push(done);
        if let Fate::Breaks(_) = fate {
            // The rest of the commands on this connection is lost with it.
            *fates = [Fate::Breaks(0)].into();
        }
        async move {
            match fate {
                Fate::Good(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    Ok(replies)
                }
                Fate::Refuses | Fate::Steps(..) => Ok(replies),
                Fate::Breaks(_) => Err(Lost("broken".into())),
                Fate::Hangs | Fate::StepsThenHangs(..) => std::future::pending().await,
            }
        }
        .boxed()
    }
}

/// Streams names two at a time, and one of them twice, as SCAN, SSCAN and HSCAN may.
fn pages<T: Ord + Clone + Send + 'static>(mut names: Vec<T>) -> BoxStream<'static, Result<Vec<T>>> {
    names.sort_unstable();
    names.extend(names.first().cloned());
    let pages: Vec<_> = names.chunks(2).map(|page| Ok(page.to_vec())).collect();
    stream::iter(pages).boxed()
}

impl Inventory for StoreConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        let keys = sets.keys().filter(|key| key.starts_with(stem));
        pages(keys.cloned().collect())
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        pages(sets.get(key).into_iter().flatten().cloned().collect())
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let sets = &self.store.0.lock().unwrap().sets;
        let count = |key| sets.get(key).map_or(0, BTreeSet::len) as u64;
        let counts = keys.iter().map(count).collect();
        std::future::ready(Ok(counts)).boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

impl Keyspace for StoreConnection {
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>> {
        let hashes = &self.store.0.lock().unwrap().hashes;
        pages(hashes.get(key).cloned().into_iter().flatten().collect())
    }
}
