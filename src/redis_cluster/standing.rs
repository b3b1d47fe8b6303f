//! A subscription to the changes in a Redis Cluster while it stands: the nodes are asked what they know, channels are looked
//! at, and it ends when changes may have been missed ([`super::subscription`] says when).

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    ClusterManager,
    looks::{Marker, Node, TOGETHER, look},
    subscription::{Link, ask},
};
use crate::{
    events::{Gap, Publishing},
    heartbeat::LIMIT,
};

/// How long the end is put off when nothing is lost.
const SETTLE: Duration = Duration::from_secs(5);

/// The same for slots that stay half way.
const LONGEST: Duration = Duration::from_secs(60);

/// The pause before channels are looked at again that could not be, and how often that is done.
const AGAIN: Duration = Duration::from_millis(100);
const LOOKS: u32 = 50;

/// What the last subscription has found.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// The nodes.
    ids: BTreeSet<Vec<u8>>,
    /// What they said of themselves.
    claims: Vec<String>,
    /// How often it has ended and nothing had changed since.
    rounds: u32,
}

/// The time between two questions to a node: with many nodes it is longer, as their answers are.
pub(super) fn interval(nodes: usize) -> Duration {
    let tenths = u32::try_from(nodes).unwrap_or(u32::MAX);
    (Duration::from_millis(100) * tenths).max(Duration::from_secs(1))
}

impl Last {
    /// Notes what a new one has found. Returns how long it may stand; `None` if there is no limit.
    fn next(
        &mut self,
        ids: &BTreeSet<Vec<u8>>,
        claims: Vec<String>,
        is_moving: bool,
    ) -> Option<Duration> {
        let is_other = !self.ids.is_empty() && self.ids != *ids;
        self.rounds = if is_moving && self.claims == claims {
            self.rounds.saturating_add(1)
        } else {
            0
        };
        self.ids.clone_from(ids);
        self.claims = claims;
        let pause = SETTLE.saturating_mul(1 << self.rounds.min(8)).min(LONGEST);
        (is_moving || is_other).then_some(pause)
    }
}

/// Completes when the subscription is over, and says why changes may have been missed.
pub(super) async fn until_over(
    manager: Arc<ClusterManager>,
    mut links: Vec<Link>,
    ids: BTreeSet<Vec<u8>>,
    (marker, mut looks): (Marker, mpsc::UnboundedReceiver<Vec<u8>>),
) -> Gap {
    let claims = links.iter().map(|link| link.view.claim.clone()).collect();
    let is_moving = links.iter().any(|link| link.view.is_moving());
    let limit = {
        let mut last = manager.heard.lock().unwrap_or_else(PoisonError::into_inner);
        last.next(&ids, claims, is_moving)
    };
    let mut due = limit.map(|limit| Instant::now() + limit);
    let pause = interval(links.len());
    let again = |at: usize, link: &Link| {
        let connection = link.connection.connection();
        async move {
            sleep(pause).await;
            (at, timeout(LIMIT, ask(connection)).await)
        }
    };
    let mut asking: FuturesUnordered<_> = FuturesUnordered::new();
    asking.extend(links.iter().enumerate().map(|(at, link)| again(at, link)));
    let tasks = links.iter_mut().filter_map(|link| link.task.take());
    let mut closed: FuturesUnordered<_> = tasks.collect();
    let Some(publishing) = manager.options.node.publishing.clone() else {
        return Gap::Reconnect;
    };
    let mut fields = Vec::new();
    let mut looking = FuturesUnordered::new();
    let mut failures = 0;
    loop {
        let wake = due.unwrap_or_else(|| Instant::now() + LONGEST);
        tokio::select! {
            biased;
            _ = closed.next() => return Gap::Reconnect,
            Some((at, answer)) = asking.next() => {
                let (Ok(Ok(view)), Some(link)) = (answer, links.get_mut(at)) else {
                    return Gap::Reconnect;
                };
                if !view.needed.is_subset(&ids) {
                    return Gap::Reconnect;
                }
                let soon = Instant::now() + SETTLE;
                if link.view.claim != view.claim {
                    due = Some(due.map_or(soon, |due| due.min(soon)));
                } else if view.is_moving() {
                    due.get_or_insert(soon);
                }
                link.view = Arc::new(view);
                asking.push(again(at, link));
            }
            Some(found) = looking.next() => {
                let found: Option<Vec<Vec<Vec<u8>>>> = found;
                if let Some(found) = found {
                    for (field, sids) in fields.drain(..).zip(found) {
                        let field: Vec<u8> = field;
                        marker.looked(&field, sids);
                    }
                    failures = 0;
                } else {
                    failures += 1;
                    if failures >= LOOKS {
                        return Gap::Moved;
                    }
                    looking.push(look_after(AGAIN, &links, &publishing, &fields));
                }
            }
            count = looks.recv_many(&mut fields, TOGETHER), if looking.is_empty() => {
                if count > 0 {
                    looking.push(look_after(Duration::ZERO, &links, &publishing, &fields));
                }
            }
            () = sleep_until(wake) => if due.is_some() { return Gap::Moved },
        }
    }
}

/// Looks at channels, after a pause.
fn look_after(
    pause: Duration,
    links: &[Link],
    publishing: &Arc<Publishing>,
    fields: &[Vec<u8>],
) -> BoxFuture<'static, Option<Vec<Vec<Vec<u8>>>>> {
    let node = |link: &Link| (link.view.clone(), link.connection.connection());
    let nodes: Vec<Node> = links.iter().map(node).collect();
    let (publishing, fields) = (publishing.clone(), fields.to_vec());
    async move {
        sleep(pause).await;
        let looking = look(nodes, publishing, &fields);
        timeout(LIMIT, looking).await.ok().flatten()
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_nodes_are_asked_less_often() {
        assert_eq!(interval(3), Duration::from_secs(1));
        assert_eq!(interval(100), Duration::from_secs(10));
    }

    #[test]
    fn a_subscription_may_stand_unless_slots_move_or_the_nodes_are_others() {
        let ids = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut last = Last::default();
        let mut next = |names: &[&str], claim: &str, is_moving| {
            let limit = last.next(&ids(names), vec![claim.to_owned()], is_moving);
            limit.map(|limit| limit.as_secs())
        };
        assert_eq!(next(&["a", "b"], "1", false), None);
        assert_eq!(next(&["a", "b"], "2", false), None);
        assert_eq!(next(&["a", "c"], "2", false), Some(5));
        assert_eq!(next(&["a", "c"], "2", false), None);
        // Half way for ever, until something moves.
        let limits = [(); 6].map(|()| next(&["a", "c"], "3 [", true));
        assert_eq!(limits, [5, 10, 20, 40, 60, 60].map(Some));
        assert_eq!(next(&["a", "c"], "4 [", true), Some(5));
    }
}
