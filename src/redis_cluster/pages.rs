//! Pages of long lists in a cluster: [`crate::pages`] over the nodes. The members of a channel are on one node; the keys
//! are looked for on one node after the other. Slots that move meanwhile are followed as in [`super::clean`]: if the
//! cluster at the end is not as it was at the beginning, the scan goes on with another round over all nodes, within a
//! bound. A channel that was given is not given again.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    clean::{Claims, ROUNDS, ask},
    entering::enter,
    inventory::{all, has_moved},
    shared::Shared,
};
use crate::{
    error::{Error, Result},
    hash_slot::hash_slot,
    keys::Key,
    manager::Lost,
    pages::{Entered, KeyFilter, PageSource, Step, StepFuture},
    redis_manager::{Address, count},
    steps::Steps,
};

/// How often a key is looked for at the node that the map names, which may have changed.
const TRIES: u32 = 3;

/// What a page is read from. Its first step has a turn among the batches.
#[derive(Debug)]
pub(super) struct ClusterPages {
    shared: Arc<Shared>,
    is_begun: AtomicBool,
}

impl ClusterPages {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            is_begun: AtomicBool::new(false),
        }
    }

    /// Those of steps beside the calls: none is alone.
    pub(super) fn beside(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            is_begun: AtomicBool::new(true),
        }
    }

    /// Does a step, the first one alone.
    fn step<T: Send + 'static>(
        &self,
        step: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        if self.is_begun.swap(true, Ordering::Relaxed) {
            return step.boxed();
        }
        let turn = self.shared.turn();
        async move {
            turn.alone().await;
            step.await
        }
        .boxed()
    }
}

/// Where a scan of all keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Round {
    number: u8,
    /// See [`mark`], at the beginning of the round.
    mark: u64,
    /// The node that is scanned, as text: the order of the nodes.
    node: String,
    /// The position at that node.
    at: Option<Vec<u8>>,
}

impl Round {
    fn read(position: &[u8]) -> Option<Self> {
        let (&[number], rest) = position.split_first_chunk()?;
        let (mark, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (node, at) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(Self {
            number,
            mark: u64::from_be_bytes(*mark),
            node: String::from_utf8(node.to_vec()).ok()?,
            at: Some(at.to_vec()).filter(|at| !at.is_empty()),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.node.len()).unwrap_or(u16::MAX);
        let at = self.at.as_deref().unwrap_or_default();
        let (mark, length) = (self.mark.to_be_bytes(), length.to_be_bytes());
        [&[self.number], &mark[..], &length, self.node.as_bytes(), at].concat()
    }
}

/// Returns the nodes in the order of a scan.
fn in_order(shared: &Shared) -> Vec<(String, Address)> {
    let owners = shared.map().owners().into_iter();
    let mut nodes: Vec<_> = owners.map(|node| (node.to_string(), node)).collect();
    nodes.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    nodes
}

/// Returns a number of which node has which slots, and whether none of them is moving.
async fn mark(shared: &Arc<Shared>) -> Result<(u64, bool)> {
    shared.refresh_map().await;
    let map = shared.map();
    let nodes = in_order(shared);
    let addresses: Vec<_> = nodes.iter().map(|(_, node)| node.clone()).collect();
    let claims = Claims::of(shared, &addresses, &Steps::default()).await;
    let (claims, is_settled) = claims.map_err(Error::from)?.mark();
    let mut text = claims.to_string();
    for (name, node) in &nodes {
        // Writing to a String does not fail.
        let _ = write!(text, "\n{name} {}", map.ranges(Some(node)));
    }
    Ok((xxh3_64(text.as_bytes()), is_settled))
}

/// Does one step of a scan of all keys.
async fn keys(
    shared: &Arc<Shared>,
    filter: &KeyFilter,
    position: Option<Round>,
    count: usize,
) -> Result<Step> {
    let mut round = match position {
        Some(round) => round,
        None => Round {
            number: 0,
            mark: mark(shared).await?.0,
            node: String::new(),
            at: None,
        },
    };
    let nodes = in_order(shared);
    let mut found = Vec::new();
    // One that has lost its slots has no position, and the next one follows.
    if let Some((name, node)) = nodes.iter().find(|(name, _)| *name >= round.node) {
        let at = round.at.take().filter(|_| *name == round.node);
        let pages = shared.pages_of(node).await.map_err(Error::from)?;
        let step = pages.keys(filter, at.as_deref(), count).await?;
        found = step.found;
        round.node.clone_from(name);
        round.at = step.next;
    }
    if round.at.is_none() {
        // The text that follows on that of the node.
        round.node.push('\0');
        if !nodes.iter().any(|(name, _)| *name >= round.node) {
            let (mark, is_settled) = mark(shared).await?;
            round.number += 1;
            if (is_settled && mark == round.mark) || usize::from(round.number) >= ROUNDS {
                return Ok(Step { found, next: None });
            }
            round.mark = mark;
            round.node.clear();
        }
    }
    let next = Some(round.bytes());
    Ok(Step { found, next })
}

pub(super) async fn members(
    shared: &Arc<Shared>,
    key: Key,
    position: Option<Vec<u8>>,
    count: usize,
) -> Result<Step> {
    let slot = hash_slot(&key);
    for attempt in 0..TRIES {
        let lost = || Error::from(Lost(format!("no node has slot {slot}").into()));
        let node = shared.owner(slot).ok_or_else(lost)?;
        let pages = shared.pages_of(&node).await.map_err(Error::from)?;
        match pages.members(&key, position.as_deref(), count).await {
            Err(error) if has_moved(&error) => {
                sleep(Duration::from_millis(50) * attempt).await;
                shared.refresh_map().await;
            }
            step => return step,
        }
    }
    // It is on its way from one node to another.
    let found = all(shared, key).await?;
    Ok(Step { found, next: None })
}

impl PageSource for ClusterPages {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        let (shared, key) = (self.shared.clone(), key.to_vec());
        let position = position.map(<[u8]>::to_vec);
        self.step(async move { members(&shared, key, position, count).await })
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        let (shared, filter) = (self.shared.clone(), filter.clone());
        let position = position.and_then(Round::read);
        self.step(async move { keys(&shared, &filter, position, count).await })
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        let (shared, keys) = (self.shared.clone(), keys.to_vec());
        self.step(async move {
            let answers = ask(&shared, "SCARD", &keys).await.map_err(Error::from)?;
            answers
                .into_iter()
                .map(|answer| answer.and_then(count))
                .collect()
        })
    }

    fn enter(
        &self,
        keys: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        let shared = self.shared.clone();
        self.step(async move { enter(&shared, keys, position, count).await })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn a_round_is_read_back(
            number: u8, mark: u64, node in "[a-z0-9:.]{0,30}", at in option::of(vec(any::<u8>(), 1..20)),
            bytes in vec(any::<u8>(), 0..40),
        ) {
            let round = Round { number, mark, node, at };
            prop_assert_eq!(Round::read(&round.bytes()), Some(round));
            // Anything else is no round, or one.
            Round::read(&bytes);
        }
    }
}
