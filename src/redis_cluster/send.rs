//! Sending commands to the nodes that have their keys, and again where a node says so, until all are answered. The
//! order of what is sent again is told in [`super`].

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::try_join_all;
use redis::{Cmd, Pipeline, Value};
use tokio::time::sleep;

use super::{
    link::Shared,
    plan::{Answer, Step},
    verdict::Verdict,
    witness::replaced,
};
use crate::{error::Error, manager::Lost, redis_manager::Address};

/// Redirections in a row that are followed at once; in a healthy cluster there are two at most.
const AT_ONCE: usize = 6;

/// The others, each after a pause: the nodes need time to agree.
const PAUSES: usize = 10;

/// Where a command goes.
#[derive(Debug, Clone, PartialEq)]
enum To {
    /// To who has its slot.
    Owner,
    /// To who is about to have it.
    Next(Address),
}

/// The commands of one round for one node.
struct Group {
    address: Address,
    steps: Vec<usize>,
    pipeline: Pipeline,
    /// Whether an `ASKING` stands before each command, by its place.
    asking: Vec<bool>,
    /// It has been given as an owner.
    owner: bool,
}

/// The answers to all steps, in their order.
pub(super) async fn send(shared: &Arc<Shared>, mut steps: Vec<Step>) -> Result<Vec<Answer>, Lost> {
    let mut answers: Vec<Option<Answer>> = steps.iter().map(|_| None).collect();
    let mut open: Vec<(usize, To)> = (0..steps.len()).map(|step| (step, To::Owner)).collect();
    let mut patience = Patience::new();
    while !open.is_empty() {
        let mut groups = group(shared, &mut steps, &open)?;
        let values = exchange(shared, &mut groups).await?;
        let mut round = Round::default();
        for (group, values) in groups.iter().zip(values) {
            for (&step, value) in group.steps.iter().zip(values) {
                round.values.insert(step, (&group.address, value));
            }
        }
        open = round.judge(shared, &steps, &open, &mut answers);
        if open.is_empty() {
            break;
        }
        let (later, pointed) = (round.later.take(), round.pointed.take());
        for group in groups {
            put_back(&mut steps, &group, &open);
        }
        match patience.after(later.is_some()) {
            Next::AtOnce => {}
            Next::After(pause) => {
                sleep(pause).await;
                shared.look_again().await;
            }
            // The driver looks for the cluster anew, and sends all of it again.
            Next::No if let Some(words) = later => return Err(Lost(words)),
            Next::No => {
                for (step, _) in open.drain(..) {
                    answers[step] = Some(Err(lost_its_way(pointed.as_ref())));
                }
            }
        }
    }
    let unanswered = || Err(Error::Internal("a command was not sent".to_owned()));
    Ok(answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect())
}

/// What came of one round.
#[derive(Default)]
struct Round<'a> {
    values: HashMap<usize, (&'a Address, Value)>,
    /// Why something has to wait.
    later: Option<Arc<str>>,
    /// Where something was last pointed to.
    pointed: Option<Address>,
}

impl Round<'_> {
    /// Takes the answers that count, and gives what is to be sent again: what a node did not execute, and what came
    /// after it of the same key.
    fn judge(
        &mut self,
        shared: &Shared,
        steps: &[Step],
        sent: &[(usize, To)],
        answers: &mut [Option<Answer>],
    ) -> Vec<(usize, To)> {
        let mut again: HashMap<usize, To> = HashMap::new();
        let mut open = Vec::new();
        for (step, _) in sent {
            let Step { key, slot, .. } = steps[*step];
            if let Some(to) = again.get(&key) {
                open.push((*step, to.clone()));
                continue;
            }
            let Some((asked, value)) = self.values.remove(step) else {
                let missing = Error::Internal("a node gave too few answers".to_owned());
                answers[*step] = Some(Err(missing));
                continue;
            };
            let to = match Verdict::of(value, asked) {
                Verdict::Answer(value) => {
                    answers[*step] = Some(Ok(value));
                    continue;
                }
                Verdict::Moved(to) => {
                    shared.moved(slot, &to);
                    self.pointed = Some(to);
                    To::Owner
                }
                Verdict::Ask(to) => {
                    self.pointed = Some(to.clone());
                    To::Next(to)
                }
                Verdict::Later(words) => {
                    self.later = Some(words);
                    To::Owner
                }
            };
            again.insert(key, to.clone());
            open.push((*step, to));
        }
        open
    }
}

/// Makes a pipeline for each node, in the order of the steps.
fn group(shared: &Shared, steps: &mut [Step], open: &[(usize, To)]) -> Result<Vec<Group>, Lost> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Address, usize> = HashMap::new();
    for (step, to) in open {
        let Step { slot, cmd, .. } = &mut steps[*step];
        let address = match to {
            To::Next(address) => address.clone(),
            To::Owner => shared
                .owner(*slot)
                .ok_or_else(|| Lost(format!("no node has slot {slot}").into()))?,
        };
        let place = *places.entry(address.clone()).or_insert_with(|| {
            groups.push(Group {
                address,
                steps: Vec::new(),
                pipeline: Pipeline::new(),
                asking: Vec::new(),
                owner: false,
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        let asking = *to != To::Owner;
        if asking {
            group.pipeline.cmd("ASKING");
        }
        group.owner |= !asking;
        group.asking.push(asking);
        group.steps.push(*step);
        group
            .pipeline
            .add_command(std::mem::replace(cmd, Cmd::new()));
    }
    Ok(groups)
}

/// Sends a pipeline to each node, at the same time, and gives the answers to the steps.
async fn exchange(shared: &Arc<Shared>, groups: &mut [Group]) -> Result<Vec<Vec<Value>>, Lost> {
    let answered: Vec<_> = groups.iter().map(|_| AtomicBool::new(false)).collect();
    let groups = &*groups;
    let sending = groups.iter().zip(&answered).map(|(group, answered)| async {
        let mut connection = shared.connection(&group.address).await?;
        let count = group.pipeline.len();
        let values = connection
            .send_packed_commands(&group.pipeline, 0, count)
            .await;
        answered.store(true, Ordering::Relaxed);
        let lost = |error| Lost(format!("node {}: {error}", group.address).into());
        values
            .map_err(lost)
            .map(|values| without_asking(group, values))
    });
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
        gone = replaced(silent, |silent| shared.witness(silent)) => {
            Err(Lost(format!("node {gone} does not answer, and has no slots any more").into()))
        }
    }
}

fn without_asking(group: &Group, values: Vec<Value>) -> Vec<Value> {
    let mut values = values.into_iter();
    let own = group.asking.iter().map_while(|&asking| {
        if asking {
            values.next();
        }
        values.next()
    });
    own.collect()
}

/// Takes what is to be sent again out of a pipeline.
fn put_back(steps: &mut [Step], group: &Group, open: &[(usize, To)]) {
    let is_asking = |cmd: &&Cmd| cmd.args_iter().next() != Some(redis::Arg::Simple(b"ASKING"));
    let commands = group.pipeline.cmd_iter().filter(is_asking);
    for (&step, cmd) in group.steps.iter().zip(commands) {
        if open.binary_search_by_key(&step, |(step, _)| *step).is_ok() {
            steps[step].cmd = cmd.clone();
        }
    }
}

fn lost_its_way(pointed: Option<&Address>) -> Error {
    let last = pointed
        .map(|to| format!(", last to {to}"))
        .unwrap_or_default();
    let count = AT_ONCE + PAUSES;
    Error::Store(
        format!("the nodes of the cluster pointed to one another {count} times{last}").into(),
    )
}

/// How often it is tried, and how fast.
struct Patience {
    at_once: usize,
    pauses: ExponentialBackoff,
}

enum Next {
    AtOnce,
    After(Duration),
    No,
}

impl Patience {
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
