//! The inventory of a cluster, for listing and copying it: the keys of all nodes, and each set from the node that has
//! it. Slots that move meanwhile are followed as in [`super::clean`].

use std::sync::Arc;

use futures_util::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use redis::{Value, aio::MultiplexedConnection};

use super::{
    clean::{Claims, ROUNDS, ask, sets_among},
    connection::ClusterConnection,
    shared::Shared,
};
use crate::{
    command::Member,
    error::{Error, Result},
    hash_slot::hash_slot,
    keys::Key,
    manager::{Connection as _, Inventory, Lost},
    redis_manager::{
        Address, Commands, ScanError, ScanResult, count, found, is_no_set, kind, list_members,
        member_scan, version,
    },
    steps::Steps,
};

impl Inventory for ClusterConnection {
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        scan_nodes(self.shared().clone(), stem.to_vec(), sets_of)
    }

    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>> {
        MEMBERS.stream(self.shared().clone(), key.to_vec())
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let (shared, keys) = (self.shared().clone(), keys.to_vec());
        async move {
            let answers = ask(&shared, "SCARD", &keys).await.map_err(Error::from)?;
            answers
                .into_iter()
                .map(|answer| answer.and_then(count))
                .collect()
        }
        .boxed()
    }

    fn kinds(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<Arc<str>>>> {
        let (shared, keys) = (self.shared().clone(), keys.to_vec());
        async move {
            let answers = ask(&shared, "TYPE", &keys).await.map_err(Error::from)?;
            answers
                .into_iter()
                .map(|answer| answer.and_then(kind))
                .collect()
        }
        .boxed()
    }

    /// Returns that of one node.
    fn version(&self) -> BoxFuture<'static, Option<String>> {
        let shared = self.shared().clone();
        async move {
            let node = shared.map().owners().into_iter().next()?;
            version(shared.connection(&node).await.ok()?).await
        }
        .boxed()
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.close()
    }
}

/// Streams keys of one node.
type KeysOf = fn(Arc<Shared>, Address, Key) -> BoxStream<'static, ScanResult<Vec<Key>>>;

/// Streams what `keys_of` finds on each node, and again as long as slots are moving, within a bound.
pub(super) fn scan_nodes(
    shared: Arc<Shared>,
    stem: Key,
    keys_of: KeysOf,
) -> BoxStream<'static, Result<Vec<Key>>> {
    let rounds = stream::try_unfold((0, None), move |(round, before)| {
        let (shared, stem) = (shared.clone(), stem.clone());
        async move {
            shared.refresh_map().await;
            let map = shared.map();
            let claims = Claims::of(&shared, &map.owners(), &Steps::default()).await?;
            let is_settled = before.is_some_and(|(before, claimed)| {
                before == map && claims.are_settled_since(&claimed)
            });
            if round == ROUNDS || is_settled {
                return Ok(None);
            }
            let nodes = stream::iter(map.owners());
            let keys = nodes
                .map(move |node| Ok(keys_of(shared.clone(), node, stem.clone())))
                .try_flatten();
            Ok::<_, ScanError>(Some((keys, (round + 1, Some((map, claims))))))
        }
    });
    rounds.try_flatten().map_err(Error::from).boxed()
}

/// Streams the keys of the sets of one node.
fn sets_of(
    shared: Arc<Shared>,
    node: Address,
    stem: Key,
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    let found = names_of(shared.clone(), node, stem);
    let sets = found.and_then(move |keys| {
        let shared = shared.clone();
        async move { sets_among(&shared, keys).await }
    });
    sets.boxed()
}

/// Streams all keys of one node.
pub(super) fn names_of(
    shared: Arc<Shared>,
    node: Address,
    stem: Key,
) -> BoxStream<'static, ScanResult<Vec<Key>>> {
    async move {
        let connection = shared.connection(&node).await.map_err(ScanError::Lost)?;
        Ok(found(connection, shared.commands().clone(), &stem))
    }
    .try_flatten_stream()
    .boxed()
}

/// How the contents of one key are read.
pub(super) struct Contents<T> {
    /// In steps.
    pub(super) scan:
        fn(MultiplexedConnection, Commands, Key) -> BoxStream<'static, ScanResult<Vec<T>>>,
    /// At once, and how the reply is understood.
    pub(super) command: &'static str,
    pub(super) list: fn(Value) -> Result<Vec<T>>,
}

static MEMBERS: Contents<Member> = Contents {
    scan: member_scan,
    command: "SMEMBERS",
    list: list_members,
};

impl<T: Send + 'static> Contents<T> {
    /// Streams them from the node that has the key; nothing if it has another type by now.
    pub(super) fn stream(
        &'static self,
        shared: Arc<Shared>,
        key: Key,
    ) -> BoxStream<'static, Result<Vec<T>>> {
        let (of, at) = (shared.clone(), key.clone());
        let steps = async move {
            let connection = owner(&of, &at).await?;
            Ok((self.scan)(connection, of.commands().clone(), at))
        };
        let contents = steps.try_flatten_stream().then(move |step| {
            let (shared, key) = (shared.clone(), key.clone());
            async move {
                match step {
                    Err(ScanError::Refused(error)) if is_no_set(&error) => Ok(Vec::new()),
                    // A cursor means nothing at the next node.
                    Err(ScanError::Refused(error)) if has_moved(&error) => {
                        self.all(&shared, key).await
                    }
                    step => step.map_err(Error::from),
                }
            }
        });
        contents.boxed()
    }

    /// Reads them at once, wherever the key is.
    async fn all(&self, shared: &Arc<Shared>, key: Key) -> Result<Vec<T>> {
        let answers = ask(shared, self.command, &[key])
            .await
            .map_err(Error::from)?;
        let Some(answer) = answers.into_iter().next() else {
            return Ok(Vec::new());
        };
        match (self.list)(answer?) {
            Err(error) if is_no_set(&error) => Ok(Vec::new()),
            contents => contents,
        }
    }
}

/// Returns a connection to the node that has a key.
async fn owner(shared: &Arc<Shared>, key: &Key) -> ScanResult<MultiplexedConnection> {
    let slot = hash_slot(key);
    let lost = || ScanError::Lost(Lost(format!("no node has slot {slot}").into()));
    let node = shared.owner(slot).ok_or_else(lost)?;
    shared.connection(&node).await.map_err(ScanError::Lost)
}

/// Reads all members at once, wherever the key is.
pub(super) async fn all(shared: &Arc<Shared>, key: Key) -> Result<Vec<Member>> {
    MEMBERS.all(shared, key).await
}

pub(super) fn has_moved(error: &Error) -> bool {
    let redirects = ["MOVED ", "ASK ", "TRYAGAIN ", "CLUSTERDOWN "];
    matches!(error, Error::Store(words) if redirects.iter().any(|code| words.starts_with(code)))
}
