//! A purge of the members in an index ([`crate::membership`]) in a Redis Cluster, where lease, index and channels are in
//! different slots: so no step can check the lease and remove members at once.
//!
//! A step looks at the lease, keeps what it is about to remove, removes it, keeps no longer what was no member any more (a
//! call may have removed it before it was kept), and **looks at the lease again**:
//!
//! - The frontend has taken its lease in between: what the step has removed is put back, as far as the index has it still
//!   ([`undo`]). Those members are missing for a few round trips, whatever the frontend has found in what is kept by then.
//! - The look is refused: the same, since it may have been taken.
//! - It takes the lease later: then all that was removed is kept, where its first renewal finds it. What it puts back
//!   while the step removes the entries gets its entry again.
//!
//! A process that dies between removing and looking, in the very moment in which the frontend takes its lease, leaves the
//! members of one step removed: so a step has at most [`STEP`].

use std::{collections::HashSet, sync::Arc};

use redis::{Cmd, Value as Answer};

use super::{
    event_scripts::{self, CALL},
    put_back,
    rounds::{Sent, ask, is_member, is_no_set, items, unanswered},
    shared::Shared,
    users::fields_of,
};
use crate::{
    command::{Command, Op, ReadOp, Reply, WriteOp},
    error::{Error, Result},
    keys::{Key, of_user},
    lease::{Lease, LeaseState},
    manager::Lost,
    membership::{Place, Purge},
    redis_manager::{
        self, Entries, SideEffects, UNCERTAIN, command, encode_one, indexed, lease, restored,
        unkeep, unkeep_last, wrote,
    },
};

/// The maximum number of members that one step removes.
const STEP: usize = 100;

/// Executes steps of purges, or of what puts members back, one after the other.
pub(super) async fn purges(shared: &Arc<Shared>, calls: &[Command]) -> Sent<Vec<Result<Reply>>> {
    let mut done = Vec::with_capacity(calls.len());
    for call in calls {
        let step = if call.op() == Op::Write(WriteOp::PutBack) {
            put_back::put_back(shared, call).await
        } else {
            purge(shared, call).await
        };
        done.push(match step {
            Ok(lease) => Ok(lease.into()),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Lost(lost)) => return Err(lost),
        });
    }
    Ok(done)
}

/// Why a step was not done.
pub(super) enum Stop {
    Refused(Error),
    Lost(Lost),
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

pub(super) type Step<T> = std::result::Result<T, Stop>;

/// A member that an index names.
pub(super) struct Named {
    pub(super) channel: Key,
    pub(super) uid: Vec<u8>,
    pub(super) field: Vec<u8>,
}

impl Named {
    /// Returns what no two members of one index have in common.
    fn place(&self) -> (&[u8], &[u8]) {
        (&self.uid, &self.field)
    }
}

/// Returns the entries of members, by their users.
fn entries<'a>(named: impl IntoIterator<Item = &'a Named>) -> Entries<'a> {
    let mut entries = Entries::new();
    for member in named {
        let fields = entries.entry(&member.uid).or_default();
        fields.push(&member.field);
    }
    entries
}

async fn purge(shared: &Arc<Shared>, call: &Command) -> Step<Lease> {
    let [index, key, gone] = call.keys() else {
        return Err(unanswered().into());
    };
    let purge = Purge::of(call.members());
    let most = purge.most.min(STEP);
    // Each user takes a read.
    let uids = purge.uids.clone().take(most);
    let mut asked = vec![(key, holder(shared, key))];
    asked.extend(uids.clone().map(|uid| (index, fields_of(index, uid))));
    let mut answers = ask(shared, asked).await?.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(unanswered()));
    let mut held = lease(next()?)?;
    let place = Place::of(index, purge.stem);
    let mut named: Vec<Named> = Vec::new();
    let mut users: Vec<&[u8]> = Vec::new();
    for uid in uids {
        let mut fields = items(next()?)?;
        let room = most - named.len();
        let is_whole = fields.len() <= room;
        fields.truncate(room);
        named.extend(fields.into_iter().map(|field| Named {
            channel: place.key(&field),
            uid: uid.to_vec(),
            field,
        }));
        if !is_whole {
            break;
        }
        users.push(uid);
    }
    let left = (purge.uids.len() - users.len()) as u64;
    if held.epoch.as_bytes() != purge.epoch {
        return Ok(lost(held, purge.uids.len() as u64));
    }
    let kept = if purge.keep > 0 {
        keep(shared, &named, gone, purge.keep).await?
    } else {
        HashSet::new()
    };
    let Removed {
        members: removed,
        missing,
        refused,
    } = remove(shared, &named, purge.reason).await?;
    // Both are in one slot.
    let mut asked = vec![(key, holder(shared, key))];
    let unkept = entries(missing.into_iter().filter(|it| kept.contains(&it.place())));
    if !unkept.is_empty() {
        asked.push((gone, unkeep_last(gone, &unkept)));
    }
    let mut answers = ask(shared, asked).await?.into_iter();
    let again = answers.next().unwrap_or_else(|| Err(unanswered()));
    let again = again.and_then(lease);
    // A look that is refused tells nothing, so the members are put back as if the lease was taken: the purge is made again.
    let is_allowed = matches!(&again, Ok(again) if again.epoch.as_bytes() == purge.epoch);
    if !is_allowed {
        undo(shared, &removed, [index, gone]).await?;
        done(answers.collect())?;
        return Ok(lost(again?, purge.uids.len() as u64));
    }
    done(answers.collect())?;
    if let Some(error) = refused {
        return Err(error.into());
    }
    forget(shared, &users, &named, index).await?;
    held.count = removed.len() as u64;
    held.ttl = left;
    Ok(held)
}

pub(super) fn lost(holder: Lease, left: u64) -> Lease {
    Lease {
        state: LeaseState::Lost,
        count: 0,
        ttl: left,
        ..holder
    }
}

fn holder(shared: &Shared, key: &Key) -> Cmd {
    let read = Command::read(ReadOp::Lease, vec![key.clone()]);
    let missing = shared.commands().missing();
    encode_one(&read, &missing, SideEffects::default())
}

/// Makes a command about each member, to its channel.
fn each<'a>(name: &str, named: impl IntoIterator<Item = &'a Named>) -> Vec<(&'a Key, Cmd)> {
    let of = |member: &'a Named| {
        let items = [member.channel.as_slice(), &member.uid];
        (&member.channel, command(name, items))
    };
    named.into_iter().map(of).collect()
}

/// Makes the commands that add or remove each member. With option `events` each is published.
pub(super) fn changes<'a>(
    shared: &Shared,
    adds: bool,
    named: impl IntoIterator<Item = &'a Named>,
    reason: &[u8],
) -> Vec<(&'a Key, Cmd)> {
    let Some(publishing) = shared.publishing() else {
        return each(if adds { "SADD" } else { "SREM" }, named);
    };
    let of = |Named { channel, uid, .. }: &'a Named| {
        let uids = std::iter::once(uid.as_slice());
        let cmd = event_scripts::change(publishing, adds, channel, reason, uids);
        (channel, cmd)
    };
    named.into_iter().map(of).collect()
}

/// Returns those who are members, as far as the answers to `SISMEMBER` tell.
fn members(named: &[Named], answers: Vec<Result<Answer>>) -> impl Iterator<Item = &Named> {
    let members = named.iter().zip(answers);
    members.filter_map(|(member, answer)| is_member(answer).then_some(member))
}

/// Keeps the entries of those who are members, and returns them.
async fn keep<'a>(
    shared: &Arc<Shared>,
    named: &'a [Named],
    gone: &Key,
    millis: u64,
) -> Step<HashSet<(&'a [u8], &'a [u8])>> {
    let there = ask(shared, each("SISMEMBER", named)).await?;
    let kept: Vec<&Named> = members(named, there).collect();
    if !kept.is_empty() {
        let kept = entries(kept.iter().copied());
        let asked = vec![(gone, redis_manager::keep(gone, millis, &kept))];
        done(ask(shared, asked).await?)?;
    }
    Ok(kept.into_iter().map(Named::place).collect())
}

/// What a step has done with members.
struct Removed<'a> {
    members: Vec<&'a Named>,
    /// Those who were none. One whose removal was refused may still be one.
    missing: Vec<&'a Named>,
    refused: Option<Error>,
}

/// Removes members.
async fn remove<'a>(shared: &Arc<Shared>, named: &'a [Named], reason: &[u8]) -> Step<Removed<'a>> {
    let answers = ask(shared, changes(shared, false, named, reason)).await?;
    let (mut removed, mut missing) = (Vec::with_capacity(named.len()), Vec::new());
    let mut refused = None;
    for (member, answer) in named.iter().zip(answers) {
        match event_scripts::explained(answer.and_then(wrote)) {
            Ok(0) => missing.push(member),
            Ok(_) => removed.push(member),
            Err(error) if is_no_set(&error) => missing.push(member),
            Err(error) => refused = Some(error),
        }
    }
    Ok(Removed {
        members: removed,
        missing,
        refused,
    })
}

/// Adds members again whose entries are in the index still. An entry that is gone was removed by a `leave`, or by the purge of
/// a process that has replaced the frontend: then the member stays removed. It is looked for before and after, since
/// that may be happening in this moment. What is kept is forgotten: a process that replaces the frontend may have removed it
/// before this step has written it.
async fn undo(shared: &Arc<Shared>, removed: &[&Named], [index, gone]: [&Key; 2]) -> Step<()> {
    if removed.is_empty() {
        return Ok(());
    }
    let (there, _) = by_index(shared, removed, index).await?;
    done(ask(shared, changes(shared, true, there.iter().copied(), CALL)).await?)?;
    let (_, left) = by_index(shared, &there, index).await?;
    done(ask(shared, changes(shared, false, left.iter().copied(), CALL)).await?)?;
    // One that was added again meanwhile.
    let (back, _) = by_index(shared, &left, index).await?;
    done(ask(shared, changes(shared, true, back.iter().copied(), CALL)).await?)?;
    let kept = entries(removed.iter().copied());
    done(ask(shared, vec![(gone, unkeep(gone, &kept))]).await?)
}

pub(super) fn done(answers: Vec<Result<Answer>>) -> Step<()> {
    for answer in answers {
        wrote(answer?)?;
    }
    Ok(())
}

/// Splits members into those that the index has for certain and the others.
pub(super) async fn by_index<'a>(
    shared: &Arc<Shared>,
    named: &[&'a Named],
    index: &Key,
) -> Step<(Vec<&'a Named>, Vec<&'a Named>)> {
    let asked = named.iter().map(|member| {
        let fields = of_user(index, &member.uid);
        (index, command("HGET", [&fields, &member.field]))
    });
    let answers = ask(shared, asked.collect()).await?;
    let (mut there, mut left) = (Vec::new(), Vec::new());
    for (member, answer) in named.iter().zip(answers) {
        match answer? {
            Answer::Nil => left.push(*member),
            Answer::BulkString(value) if value == UNCERTAIN => left.push(*member),
            _ => there.push(*member),
        }
    }
    Ok((there, left))
}

/// Removes entries, and users without any; writes those again whose members are there: put back by their frontend, or added
/// meanwhile.
async fn forget(shared: &Arc<Shared>, users: &[&[u8]], named: &[Named], index: &Key) -> Step<()> {
    let mut gone = entries(named);
    for uid in users {
        gone.entry(uid).or_default();
    }
    if gone.is_empty() {
        return Ok(());
    }
    for answer in ask(shared, vec![(index, indexed(index, false, &gone))]).await? {
        wrote(answer?)?;
    }
    let there = ask(shared, each("SISMEMBER", named)).await?;
    let back = entries(members(named, there));
    if !back.is_empty() {
        for answer in ask(shared, vec![(index, restored(index, &back))]).await? {
            wrote(answer?)?;
        }
    }
    Ok(())
}
