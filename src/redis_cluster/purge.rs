//! A purge of the members in an index ([`crate::membership`]) in a Redis Cluster, where lease, index and channels are in
//! different slots: so no step can check the lease and remove members at once.
//!
//! A step looks at the lease, keeps what it is about to remove, removes it, and **looks at the lease again**:
//!
//! - The frontend has taken its lease in between: what the step has removed is put back. Those members are missing for two
//!   round trips, whatever the frontend has found in what is kept by then.
//! - It takes the lease later: then all that was removed is kept, where its first renewal finds it. What it puts back
//!   while the step removes the entries gets its entry again.
//!
//! A process that dies between removing and looking, in the very moment in which the frontend takes its lease, leaves the
//! members of one step removed: so a step has at most [`STEP`].

use std::sync::Arc;

use redis::{Cmd, Value as Answer};

use super::{
    membership::{Sent, ask, change, is_no_set, items, unanswered},
    shared::Shared,
};
use crate::{
    command::{Command, ReadOp, Reply},
    error::{Error, Result},
    keys::Key,
    lease::{Lease, LeaseState},
    manager::Lost,
    membership::{Page, Place, Purge, split},
    redis_manager::{command, encode_for, entries, lease, wrote},
};

/// The maximum number of members that one step removes.
const STEP: usize = 100;

/// Executes steps of purges, one after the other.
pub(super) async fn purges(shared: &Arc<Shared>, calls: &[Command]) -> Sent<Vec<Result<Reply>>> {
    let mut done = Vec::with_capacity(calls.len());
    for call in calls {
        done.push(match purge(shared, call).await {
            Ok(lease) => Ok(lease.into()),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Lost(lost)) => return Err(lost),
        });
    }
    Ok(done)
}

/// Why a step was not done.
enum Stop {
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

type Step<T> = std::result::Result<T, Stop>;

/// A member that an index names.
struct Named {
    channel: Key,
    uid: Vec<u8>,
    entry: Vec<u8>,
}

async fn purge(shared: &Arc<Shared>, call: &Command) -> Step<Lease> {
    let [index, key, gone] = call.keys() else {
        return Err(unanswered().into());
    };
    let purge = Purge::of(call.members());
    let page = Page {
        from: b"",
        to: b"",
        most: purge.most.min(STEP),
    };
    let asked = vec![
        (key, holder(shared, key)),
        (index, entries(index, page)),
        (index, command("ZCARD", [index])),
    ];
    let mut answers = ask(shared, asked).await?.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(unanswered()));
    let mut held = lease(next()?)?;
    let found = items(next()?)?;
    let left = wrote(next()?)?;
    if held.epoch.as_bytes() != purge.epoch {
        return Ok(lost(held, left));
    }
    let place = Place::of(index, purge.stem);
    let named: Vec<Named> = found
        .iter()
        .filter_map(|entry| {
            let (uid, field) = split(entry)?;
            Some(Named {
                channel: place.key(field),
                uid: uid.to_vec(),
                entry: entry.clone(),
            })
        })
        .collect();
    if purge.keep > 0 {
        keep(shared, &named, gone, purge.keep).await?;
    }
    let (removed, refused) = remove(shared, &named).await?;
    let asked = vec![(key, holder(shared, key))];
    let again = ask(shared, asked).await?.pop();
    let again = lease(again.unwrap_or_else(|| Err(unanswered()))?)?;
    if again.epoch.as_bytes() != purge.epoch {
        put_back(shared, &removed, index).await?;
        return Ok(lost(again, left));
    }
    if let Some(error) = refused {
        return Err(error.into());
    }
    let count = found.len() as u64;
    if count > 0 {
        forget(shared, found, &named, index).await?;
    }
    held.count = removed.len() as u64;
    held.ttl = left.saturating_sub(count);
    Ok(held)
}

fn lost(holder: Lease, left: u64) -> Lease {
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
    encode_for(&read, &missing, std::slice::from_ref(key))
}

/// Makes a command about each member, to its channel.
fn each<'a>(name: &str, named: impl IntoIterator<Item = &'a Named>) -> Vec<(&'a Key, Cmd)> {
    let of = |member: &'a Named| {
        let items = [member.channel.as_slice(), &member.uid];
        (&member.channel, command(name, items))
    };
    named.into_iter().map(of).collect()
}

/// Returns the entries of those who are members, as far as the answers to `SISMEMBER` tell: an error counts as one, unless
/// the key is no set.
fn entries_of_members(named: &[Named], answers: Vec<Result<Answer>>) -> Vec<Vec<u8>> {
    let is_member = |answer: Result<Answer>| match answer.and_then(wrote) {
        Ok(count) => count > 0,
        Err(error) => !is_no_set(&error),
    };
    let members = named.iter().zip(answers);
    members
        .filter_map(|(member, answer)| is_member(answer).then(|| member.entry.clone()))
        .collect()
}

/// Keeps the entries of those who are members.
async fn keep(shared: &Arc<Shared>, named: &[Named], gone: &Key, millis: u64) -> Step<()> {
    let there = ask(shared, each("SISMEMBER", named)).await?;
    let kept = entries_of_members(named, there);
    if kept.is_empty() {
        return Ok(());
    }
    let millis = millis.to_string();
    let expiry = command("PEXPIRE", [gone.as_slice(), millis.as_bytes()]);
    let both = vec![(gone, change(gone, true, kept.into_iter())), (gone, expiry)];
    for answer in ask(shared, both).await? {
        wrote(answer?)?;
    }
    Ok(())
}

/// Removes members. Returns those who were, and an error if a removal was refused.
async fn remove<'a>(
    shared: &Arc<Shared>,
    named: &'a [Named],
) -> Step<(Vec<&'a Named>, Option<Error>)> {
    let answers = ask(shared, each("SREM", named)).await?;
    let mut removed = Vec::with_capacity(named.len());
    let mut refused = None;
    for (member, answer) in named.iter().zip(answers) {
        match answer.and_then(wrote) {
            Ok(0) => {}
            Ok(_) => removed.push(member),
            Err(error) if is_no_set(&error) => {}
            Err(error) => refused = Some(error),
        }
    }
    Ok((removed, refused))
}

/// Adds members again, in the order of a join.
async fn put_back(shared: &Arc<Shared>, removed: &[&Named], index: &Key) -> Step<()> {
    if removed.is_empty() {
        return Ok(());
    }
    let entries = || removed.iter().map(|member| member.entry.clone());
    let write = || vec![(index, change(index, true, entries()))];
    for asked in [write(), each("SADD", removed.iter().copied()), write()] {
        for answer in ask(shared, asked).await? {
            wrote(answer?)?;
        }
    }
    Ok(())
}

/// Removes entries, and writes those again whose members are there: put back by their frontend, or added meanwhile.
async fn forget(
    shared: &Arc<Shared>,
    found: Vec<Vec<u8>>,
    named: &[Named],
    index: &Key,
) -> Step<()> {
    let gone = vec![(index, change(index, false, found.into_iter()))];
    for answer in ask(shared, gone).await? {
        wrote(answer?)?;
    }
    let there = ask(shared, each("SISMEMBER", named)).await?;
    let back = entries_of_members(named, there);
    if !back.is_empty() {
        let again = vec![(index, change(index, true, back.into_iter()))];
        for answer in ask(shared, again).await? {
            wrote(answer?)?;
        }
    }
    Ok(())
}
