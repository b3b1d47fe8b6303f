//! Reads or removes the channels of users in a Redis Cluster, by their entries ([`super::membership`]).

use std::sync::Arc;

use redis::Cmd;

use super::{
    event_scripts::{self, CALL},
    rounds::{Refused, Sent, ask, is_member, is_no_set, items, unanswered, write},
    shared::Shared,
};
use crate::{
    command::{Command, Op, Reply, Value as Read, WriteOp},
    error::Result,
    keys::{Key, gone_under, of_user},
    list::List,
    membership::{OfUser, Place},
    redis_manager::{Entries, command, indexed, leaving, restored, wrote},
};

/// Makes the read of the fields of a user.
pub(super) fn fields_of(index: &Key, uid: &[u8]) -> Cmd {
    command("HKEYS", [of_user(index, uid)])
}

/// Makes the command that keeps a user no longer who leaves all channels.
fn unkeep_user(user: OfUser, index: &Key) -> Cmd {
    command("HDEL", [&gone_under(user.stem, index), user.uid])
}

/// A user whose entries in an index are looked at, and his fields.
struct User<'a> {
    index: &'a Key,
    asked: OfUser<'a>,
    found: Result<Vec<Vec<u8>>>,
}

impl User<'_> {
    /// Returns the field and the key of the channel of each entry.
    fn channels(&self) -> impl Iterator<Item = (Vec<u8>, Key)> {
        let place = Place::of(self.index, self.asked.stem);
        let found = self.found.iter().flatten();
        found.map(move |field| (field.clone(), place.key(field)))
    }
}

/// Executes calls that read or remove the channels of users.
pub(super) async fn of_users(
    shared: &Arc<Shared>,
    calls: &[Command],
    op: Op,
) -> Sent<Vec<Result<Reply>>> {
    let mut indexes: Vec<(&Command, &Key)> = Vec::new();
    for call in calls {
        indexes.extend(call.keys().iter().map(|index| (call, index)));
    }
    let removes = op == Op::Write(WriteOp::LeaveAll);
    // All in the slot of the index, so they are executed in this order.
    let mut asked = Vec::with_capacity(2 * indexes.len());
    for (call, index) in &indexes {
        let user = OfUser::of(call.members());
        if removes {
            asked.push((*index, unkeep_user(user, index)));
        }
        asked.push((*index, fields_of(index, user.uid)));
    }
    let mut answers = ask(shared, asked).await?.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err(unanswered()));
    let mut users: Vec<User> = Vec::with_capacity(indexes.len());
    for (call, index) in indexes {
        let unkept = if removes {
            next().and_then(wrote)
        } else {
            Ok(0)
        };
        let found = next().and_then(items);
        users.push(User {
            index,
            asked: OfUser::of(call.members()),
            found: unkept.and(found),
        });
    }
    let mut channels: Vec<Entry> = users
        .iter()
        .enumerate()
        .flat_map(|(at, user)| user.channels().map(move |(field, key)| (at, field, key)))
        .collect();
    let mut refused = Refused::new();
    if removes {
        // A purge that finds its lease lost is not to put them back.
        write(shared, changes(begun, &users, &channels), &mut refused).await?;
        channels.retain(|(at, ..)| !refused.contains_key(at));
    }
    let commands = if removes {
        leaves(shared, &users, &channels)
    } else {
        each("SISMEMBER", &users, &channels)
    };
    let answers = ask(shared, commands).await?;
    let mut fields: Vec<Result<Vec<Vec<u8>>>> = users
        .iter()
        .enumerate()
        .map(|(at, user)| {
            let error = user.found.as_ref().err().or_else(|| refused.get(&at));
            error.map_or_else(|| Ok(Vec::new()), |error| Err(error.clone()))
        })
        .collect();
    for ((at, field, _), answer) in channels.iter().zip(answers) {
        match event_scripts::explained(answer.and_then(wrote)) {
            Ok(0) => {}
            Ok(_) => {
                if let Ok(fields) = &mut fields[*at] {
                    fields.push(field.clone());
                }
            }
            Err(error) if is_no_set(&error) => {}
            Err(error) => fields[*at] = Err(error),
        }
    }
    if removes {
        // Of one that failed nothing is forgotten.
        let done: Vec<Entry> = channels
            .iter()
            .filter(|(at, ..)| fields[*at].is_ok())
            .cloned()
            .collect();
        let mut failed = Refused::new();
        forget(shared, &users, &done, &mut failed).await?;
        let unkept = users
            .iter()
            .enumerate()
            .map(|(at, user)| (at, user.index, unkeep_user(user.asked, user.index)))
            .collect();
        write(shared, unkept, &mut failed).await?;
        for (at, error) in failed {
            if fields[at].is_ok() {
                fields[at] = Err(error);
            }
        }
    }
    let mut lists = fields
        .into_iter()
        .map(|fields| Ok(Read::List(Arc::new(List::new(fields?)?))));
    let replies = calls.iter().map(|call| {
        let lists: Vec<Result<Read>> = lists.by_ref().take(call.keys().len()).collect();
        // A write is done or not.
        match lists.iter().find_map(|list| list.as_ref().err()) {
            Some(error) if removes => Err(error.clone()),
            _ => Ok(Reply::Values(lists)),
        }
    });
    Ok(replies.collect())
}

/// An entry that was found: the number of its user, the field, and the key of the channel.
type Entry = (usize, Vec<u8>, Key);

/// Makes a command about the user of each entry, to its channel.
fn each<'a>(name: &str, users: &[User], found: &'a [Entry]) -> Vec<(&'a Key, Cmd)> {
    let of = |(at, _, key): &'a Entry| {
        let uid = users[*at].asked.uid;
        (key, command(name, [key.as_slice(), uid]))
    };
    found.iter().map(of).collect()
}

/// Makes the commands that remove the user of each entry from its channel.
fn leaves<'a>(shared: &Shared, users: &[User], found: &'a [Entry]) -> Vec<(&'a Key, Cmd)> {
    let Some(publishing) = shared.publishing() else {
        return each("SREM", users, found);
    };
    let of = |(at, _, key): &'a Entry| {
        let uids = std::iter::once(users[*at].asked.uid);
        (
            key,
            event_scripts::change(publishing, false, key, CALL, uids),
        )
    };
    found.iter().map(of).collect()
}

/// Removes entries, and writes those again whose users are members by now.
async fn forget(
    shared: &Arc<Shared>,
    users: &[User<'_>],
    found: &[Entry],
    failed: &mut Refused,
) -> Sent<()> {
    write(shared, changes(removed, users, found), failed).await?;
    let there = ask(shared, each("SISMEMBER", users, found)).await?;
    let back: Vec<Entry> = found
        .iter()
        .zip(there)
        .filter(|(_, is)| is_member(is.clone()))
        .map(|(entry, _)| entry.clone())
        .collect();
    write(shared, changes(found_again, users, &back), failed).await
}

/// Makes the commands that write or remove entries, one for each user, with his number.
fn changes<'a>(
    make: fn(&User, &Entries) -> Cmd,
    users: &[User<'a>],
    found: &[Entry],
) -> Vec<(usize, &'a Key, Cmd)> {
    let mut fields: Vec<Vec<&[u8]>> = vec![Vec::new(); users.len()];
    for (at, field, _) in found {
        fields[*at].push(field);
    }
    let users = users.iter().zip(fields).enumerate();
    let some = users.filter(|(_, (_, fields))| !fields.is_empty());
    let of = |(at, (user, fields)): (usize, (&User<'a>, _))| {
        let entries = Entries::from([(user.asked.uid, fields)]);
        (at, user.index, make(user, &entries))
    };
    some.map(of).collect()
}

fn begun(user: &User, entries: &Entries) -> Cmd {
    let gone = gone_under(user.asked.stem, user.index);
    leaving(user.index, &gone, entries)
}

fn removed(user: &User, entries: &Entries) -> Cmd {
    indexed(user.index, false, entries)
}

fn found_again(user: &User, entries: &Entries) -> Cmd {
    restored(user.index, entries)
}
