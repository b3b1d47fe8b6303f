//! Sends requests to the nodes that have their keys, in rounds, until all are answered; those of a batch in its turn
//! ([`super::turns`]).

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::{
    announced::map_redirects,
    dispatch::{Group, Open, Outcome, To, group, judge},
    replacement_check::replaced,
    request::Request,
    routing::Step,
    shared::Shared,
    turns::{Slots, Turn},
};
use crate::{
    error::{Error, Result},
    manager::Lost,
    redis_manager::Address,
};

/// The number of redirections in a row that are followed at once; in a healthy cluster there are at most two.
const AT_ONCE: usize = 6;

/// The number of further redirections, each after a pause: the nodes need time to agree.
const PAUSES: usize = 10;

type Sent<T> = std::result::Result<T, Lost>;

/// Sends all steps, of what is alone or beside the batches; returns the answers in their order.
pub(super) async fn send<R: Request>(
    shared: &Arc<Shared>,
    steps: Vec<Step<R>>,
) -> Sent<Vec<Result<R::Answer>>> {
    rounds(shared, steps, None).await
}

/// Sends the steps of a batch when it is its turn.
pub(super) async fn send_in_turn<R: Request>(
    shared: &Arc<Shared>,
    steps: Vec<Step<R>>,
    turn: &Turn,
) -> Sent<Vec<Result<R::Answer>>> {
    turn.to_send().await;
    if shared.is_ready(steps.iter().map(|step| step.slot)) {
        return rounds(shared, steps, Some(turn)).await;
    }
    // It cannot be sent at once, and later ones must not overtake it.
    turn.alone().await;
    shared.refresh_if_stale().await;
    rounds(shared, steps, None).await
}

async fn rounds<R: Request>(
    shared: &Arc<Shared>,
    steps: Vec<Step<R>>,
    mut turn: Option<&Turn>,
) -> Sent<Vec<Result<R::Answer>>> {
    let mut answers: Vec<Option<Result<R::Answer>>> = steps.iter().map(|_| None).collect();
    let mut sent: Vec<Open> = (0..steps.len()).map(|step| (step, To::Owner)).collect();
    let mut backoff = RedirectBackoff::new();
    while !sent.is_empty() {
        let groups = group(&steps, &sent, |slot| shared.owner(slot));
        let groups = groups.map_err(|slot| Lost(format!("no node has slot {slot}").into()))?;
        let exchange = exchange(shared, &groups, &steps);
        let first = turn.take();
        let (values, stale) = match first {
            Some(turn) => in_turn(turn, exchange).await?,
            None => (exchange.await?, Slots::new()),
        };
        let mut outcome = judge(&steps, &sent, (&groups, values), &stale, &mut answers);
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
        if let Some(turn) = first {
            turn.resends(sent.iter().map(|(step, _)| steps[*step].slot).collect());
        }
        for (slot, to) in moved {
            shared.moved(slot, &to);
        }
        // After earlier batches that were sent again the answers are old.
        match (backoff.after(later.is_some() && stale.is_empty()), later) {
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

/// Sends the first round of a batch, which is then under way, and waits until it can be judged. Returns its answers, and
/// the slots whose commands are to be sent again because of earlier batches.
async fn in_turn<T>(turn: &Turn, exchange: impl Future<Output = Sent<T>>) -> Sent<(T, Slots)> {
    let mut exchange = std::pin::pin!(exchange);
    let answered = poll_fn(|cx| Poll::Ready(exchange.as_mut().poll(cx))).await;
    turn.sent();
    let values = match answered {
        Poll::Ready(values) => values?,
        Poll::Pending => exchange.await?,
    };
    turn.first().await;
    Ok((values, turn.stale()))
}

/// Sends the requests of each node, at the same time, and returns the answers of each.
async fn exchange<R: Request>(
    shared: &Arc<Shared>,
    groups: &[Group],
    steps: &[Step<R>],
) -> Sent<Vec<Vec<R::Answer>>> {
    let answered: Vec<_> = groups.iter().map(|_| AtomicBool::new(false)).collect();
    let sending = groups.iter().zip(&answered).map(|(group, answered)| async {
        let values = R::exchange(shared, group, steps).await;
        answered.store(true, Ordering::Relaxed);
        values
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
