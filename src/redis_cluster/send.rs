//! Sends commands to the nodes that have their keys, in rounds, until all are answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::sleep;

use super::{
    announced::map_redirects,
    dispatch::{Group, Open, Outcome, To, group, judge},
    replacement_check::replaced,
    routing::{Answer, Step},
    shared::Shared,
};
use crate::{error::Error, manager::Lost, redis_manager::Address};

/// The number of redirections in a row that are followed at once; in a healthy cluster there are at most two.
const AT_ONCE: usize = 6;

/// The number of further redirections, each after a pause: the nodes need time to agree.
const PAUSES: usize = 10;

/// Sends all steps; returns the answers in their order.
pub(super) async fn send(shared: &Arc<Shared>, mut steps: Vec<Step>) -> Result<Vec<Answer>, Lost> {
    let mut answers: Vec<Option<Answer>> = steps.iter().map(|_| None).collect();
    let mut sent: Vec<Open> = (0..steps.len()).map(|step| (step, To::Owner)).collect();
    let mut backoff = RedirectBackoff::new();
    while !sent.is_empty() {
        let groups = group(&mut steps, &sent, |slot| shared.owner(slot));
        let groups = groups.map_err(|slot| Lost(format!("no node has slot {slot}").into()))?;
        let values = exchange(shared, &groups).await?;
        let mut outcome = judge(&steps, &sent, &groups, values, &mut answers);
        // The driver then connects again, and reports why it cannot.
        let mapped = map_redirects(shared.node_options(), &mut outcome).await;
        mapped.map_err(|error| Lost(error.words().clone()))?;
        let Outcome {
            open,
            moved,
            later,
            pointed,
        } = outcome;
        sent = open;
        if sent.is_empty() {
            break;
        }
        for (slot, to) in moved {
            shared.moved(slot, &to);
        }
        for group in &groups {
            group.put_back(&mut steps, &sent);
        }
        match (backoff.after(later.is_some()), later) {
            (Next::AtOnce, _) => {}
            (Next::After(pause), _) => {
                sleep(pause).await;
                shared.refresh_map().await;
            }
            // The driver then discovers the cluster again, and sends everything again.
            (Next::No, Some(words)) => return Err(Lost(words)),
            (Next::No, None) => {
                for (step, _) in sent.drain(..) {
                    answers[step] = Some(Err(too_many_redirects(pointed.as_ref())));
                }
            }
        }
    }
    let unanswered = || Err(Error::Internal("a command was not sent".to_owned()));
    let answers = answers.into_iter();
    Ok(answers
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect())
}

/// Sends a pipeline to each node, at the same time, and returns the answers of each.
async fn exchange(shared: &Arc<Shared>, groups: &[Group]) -> Result<Vec<Vec<Value>>, Lost> {
    let answered: Vec<_> = groups.iter().map(|_| AtomicBool::new(false)).collect();
    let sending = groups.iter().zip(&answered).map(|(group, answered)| async {
        let mut connection = shared.connection(&group.address).await?;
        let (pipeline, count) = (&group.pipeline, group.pipeline.len());
        let values = connection.send_packed_commands(pipeline, 0, count).await;
        answered.store(true, Ordering::Relaxed);
        values.map_err(|error| Lost(format!("node {}: {error}", group.address).into()))
    });
    // A node that is about to get its first slot is not in the maps of the others yet.
    let silent = || {
        let silent = |(group, answered): &(&Group, &AtomicBool)| {
            group.owner && !answered.load(Ordering::Relaxed)
        };
        let silent = groups.iter().zip(&answered).filter(silent);
        silent.map(|(group, _)| group.address.clone()).collect()
    };
    tokio::select! {
        biased;
        values = try_join_all(sending) => values,
        gone = replaced(shared.node_options(), silent, |silent| shared.peer(silent)) => {
            Err(Lost(format!("node {gone} does not answer, and has no slots any more").into()))
        }
    }
}

fn too_many_redirects(pointed: Option<&Address>) -> Error {
    let last = pointed.map(|to| format!(", last to {to}"));
    let count = AT_ONCE + PAUSES;
    let last = last.unwrap_or_default();
    Error::Store(
        format!("the nodes of the cluster pointed to one another {count} times{last}").into(),
    )
}

/// How many redirections are followed, and the pauses between them.
struct RedirectBackoff {
    at_once: usize,
    pauses: ExponentialBackoff,
}

enum Next {
    AtOnce,
    After(Duration),
    No,
}

impl RedirectBackoff {
    fn new() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_millis(250))
            .with_max_times(PAUSES);
        Self {
            at_once: AT_ONCE,
            pauses: pauses.build(),
        }
    }

    fn after(&mut self, wait: bool) -> Next {
        if !wait && self.at_once > 0 {
            self.at_once -= 1;
            return Next::AtOnce;
        }
        self.pauses.next().map_or(Next::No, Next::After)
    }
}
