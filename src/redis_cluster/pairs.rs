//! Changes members of channels and their entries in a Redis Cluster: joins and parts, and the removal of channels
//! ([`super::membership`]).

use std::sync::Arc;

use redis::Cmd;

use super::{
    rounds::{Refused, Sent, ask, is_member, unanswered, write},
    routing::{Plan, replies},
    send::send,
    shared::Shared,
};
use crate::{
    command::{Command, Op, Reply, WriteOp},
    error::Result,
    keys::{Key, gone_beside, has_tag},
    membership::Parts,
    redis_manager::{Entries, command, indexed, leaving, marks, restored, unkeep},
};

/// Executes calls that know their keys. A call of which any round was refused answers that error, also if its members were
/// changed: it may be made again, which does all of it again.
pub(super) async fn plain(shared: &Arc<Shared>, calls: &[Command]) -> Sent<Vec<Result<Reply>>> {
    let mut refused = Refused::new();
    let numbered: Vec<(usize, &Command)> = calls.iter().enumerate().collect();
    let joins = numbered.iter().filter(|(_, call)| is(call, WriteOp::Join));
    let unkept: Vec<_> = numbered
        .iter()
        .flat_map(|&(at, call)| {
            let unkept = unkept(shared, call).into_iter();
            unkept.map(move |it| (at, it))
        })
        .collect();
    let unkept_now = unkept
        .iter()
        .map(|(at, (key, [first, _]))| (*at, key, first.clone()));
    let first = joins.flat_map(entries).chain(unkept_now).collect();
    write(shared, first, &mut refused).await?;

    let mut taken = numbered;
    taken.retain(|(at, _)| !refused.contains_key(at));
    let batch: Vec<Command> = taken.iter().map(|(_, call)| of_channels(call)).collect();
    let batch: Vec<&Command> = batch.iter().collect();
    let (steps, parts) = Plan::of(&batch);
    let answers = send(shared, steps).await?;
    shared.loaded(calls.len());
    let answers = answers.into_iter().map(Result::flatten).collect();
    let mut done = replies(&parts, answers).into_iter();

    let again = taken.iter().flat_map(entries);
    let unkept = unkept
        .iter()
        .filter(|(at, _)| !refused.contains_key(at))
        .map(|(at, (key, [_, last]))| (*at, key, last.clone()));
    let last = again.chain(unkept).collect();
    let mut failed = Refused::new();
    write(shared, last, &mut failed).await?;
    restore(shared, &taken, &mut failed).await?;
    let all = (0..calls.len()).map(|at| {
        if let Some(error) = refused.remove(&at) {
            return Err(error);
        }
        let reply = done.next().unwrap_or_else(|| Err(unanswered()))?;
        failed.remove(&at).map_or(Ok(reply), Err)
    });
    Ok(all.collect())
}

/// Writes the entries again of those who were removed by parts among these calls and are members by now.
async fn restore(
    shared: &Arc<Shared>,
    calls: &[(usize, &Command)],
    failed: &mut Refused,
) -> Sent<()> {
    let mut removed: Vec<(usize, &Key, &Key, &[u8])> = Vec::new();
    for (at, part) in calls.iter().filter(|(_, call)| is(call, WriteOp::Part)) {
        for pair in part.targets() {
            if let [channel, index] = pair {
                removed.extend(part.members().iter().map(|uid| (*at, channel, index, uid)));
            }
        }
    }
    let asked = removed
        .iter()
        .map(|&(_, channel, _, uid)| (channel, command("SISMEMBER", [channel.as_slice(), uid])));
    let there = ask(shared, asked.collect()).await?;
    let back: Vec<_> = removed
        .iter()
        .zip(there)
        .filter(|(_, is)| is_member(is.clone()))
        .filter_map(|(&(at, channel, index, uid), _)| {
            let entries = Entries::from([(uid, vec![field(channel, index)?])]);
            Some((at, index, restored(index, &entries)))
        })
        .collect();
    write(shared, back, failed).await
}

/// Returns the same call without the index.
fn of_channels(call: &Command) -> Command {
    let op = match call.op() {
        Op::Write(WriteOp::Join) => WriteOp::Add,
        Op::Write(WriteOp::Part) => WriteOp::Remove,
        _ => return call.clone(),
    };
    let channels = call.keys().iter().step_by(2).cloned().collect();
    Command::new(Op::Write(op), channels, call.members().clone())
}

/// Makes the commands that change the index for a join or a part; none for other calls.
fn index_commands(call: &Command) -> impl Iterator<Item = (&Key, Cmd)> {
    let is_join = is(call, WriteOp::Join);
    let concerns = is_join || is(call, WriteOp::Part);
    let pairs = call.targets().filter(move |_| concerns);
    pairs.filter_map(move |pair| {
        let [channel, index] = pair else { return None };
        let field = field(channel, index)?;
        let uids = call.members().iter();
        let entries = uids.map(|uid| (uid, vec![field])).collect();
        Some((index, indexed(index, is_join, &entries)))
    })
}

/// Makes the same commands with the number of the call.
fn entries<'a>(&(at, call): &(usize, &'a Command)) -> impl Iterator<Item = (usize, &'a Key, Cmd)> {
    index_commands(call).map(move |(key, cmd)| (at, key, cmd))
}

/// Makes the commands that keep no longer what a part or the removal of a channel removes: those before it does, and
/// those after. In between members may be put back, or be removed with a session and kept.
fn unkept(shared: &Shared, call: &Command) -> Vec<(Key, [Cmd; 2])> {
    let (Op::Write(op), Some(stem)) = (call.op(), shared.kept()) else {
        return Vec::new();
    };
    let of_pair = |pair: &[Key]| {
        let [channel, index] = pair else { return None };
        let field = field(channel, index)?;
        let uids = call.members().iter();
        let entries = uids.map(|uid| (uid, vec![field])).collect();
        let gone = gone_beside(channel, index);
        let cmds = [leaving(index, &gone, &entries), unkeep(&gone, &entries)];
        Some((gone, cmds))
    };
    match op {
        WriteOp::Part => call.targets().filter_map(of_pair).collect(),
        WriteOp::Delete => {
            let marks = call.keys().iter().flat_map(|key| marks(stem, key));
            let twice = |(gone, mark): (Key, Cmd)| (gone, [mark.clone(), mark]);
            marks.map(twice).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the field of a channel in the index, by their keys; `None` on a frontend that has no index ([`has_tag`]), whose keys
/// are in different slots.
fn field<'a>(channel: &'a [u8], index: &[u8]) -> Option<&'a [u8]> {
    let parts = Parts::of(channel, index)?;
    has_tag(parts.prefix, parts.sid).then_some(parts.field)
}

fn is(call: &Command, op: WriteOp) -> bool {
    call.op() == Op::Write(op)
}
