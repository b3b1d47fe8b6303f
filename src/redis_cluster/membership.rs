//! The operations on the index of members ([`crate::membership`]) in a Redis Cluster. Channel and index are in different
//! slots, so no script can change both; each operation takes several rounds of plain commands.
//!
//! **What the order keeps.** An index has an entry for each member that was added with it, whatever stops in between:
//!
//! - A join writes the entry, with the user in the set of users in one step, then the member, then the entry again. If another process removed the first entry,
//!   because the user was no member yet, the second one is there.
//! - A part removes the member, then the entry, and looks whether someone has added the member meanwhile, whose entry it
//!   writes again. A batch writes all entries of its joins first, and makes all changes of
//!   the index again in call order at the end, so that the last call about a member decides.
//! - Leave all keeps the user no longer and reads his entries, in this order, so that what is being put back has its entry by then or is not put back;
//!   then it does the same with each.
//!
//! A process that dies after the first round of a join leaves an entry without a member. One that dies before the last
//! round, while another one removes the entry, leaves a member without an entry.
//!
//! A part and leave all begin with a step that makes the entries uncertain: a purge that finds its lease lost does not put
//! these members back. What is kept of members that were removed with their sessions is in the slot of the index: a leave, or the removal
//! of a channel, removes it before it removes members, and again after that.
//!
//! A purge is in [`super::purge`], what puts members back in [`super::put_back`].
//!
//! **Call order.** The rounds of an operation that reads the index run alone; those of other calls before and after it
//! are rounds of their own.

use std::{collections::HashMap, sync::Arc};

use redis::{Cmd, Value};

use super::{
    event_scripts::{self, CALL},
    purge::purges,
    routing::{Plan, replies},
    send::send,
    shared::Shared,
};
use crate::{
    command::{Command, Member, Op, Reply, Value as Read, WriteOp},
    error::{Error, Result},
    keys::{Key, gone_beside, gone_under, of_user},
    list::List,
    manager::Lost,
    membership::{OfUser, Place, field},
    redis_manager::{Entries, command, indexed, leaving, marks, restored, unkeep, wrote},
};

pub(super) type Sent<T> = std::result::Result<T, Lost>;

/// Returns whether an operation is executed here.
pub(super) fn concerns(op: Op, shared: &Shared) -> bool {
    let is_removal = op == Op::Write(WriteOp::Delete);
    matches!(op, Op::Write(WriteOp::Join | WriteOp::Part))
        || op.is_open()
        || is_removal && shared.kept().is_some()
}

/// Executes a batch with such operations.
pub(super) async fn execute(shared: Arc<Shared>, batch: Vec<Command>) -> Sent<Vec<Result<Reply>>> {
    shared.refresh_if_stale().await;
    let mut done = Vec::with_capacity(batch.len());
    let kind = |call: &Command| call.op().is_open().then_some(call.op());
    for calls in batch.chunk_by(|a, b| kind(a) == kind(b)) {
        done.extend(match calls.first().and_then(kind) {
            None => plain(&shared, calls).await?,
            Some(Op::Write(WriteOp::Purge | WriteOp::PutBack)) => purges(&shared, calls).await?,
            Some(op) => of_users(&shared, calls, op).await?,
        });
    }
    Ok(done)
}

/// Executes calls that know their keys.
async fn plain(shared: &Arc<Shared>, calls: &[Command]) -> Sent<Vec<Result<Reply>>> {
    let first: Vec<_> = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| is(call, WriteOp::Join))
        .collect();
    let unkept: Vec<_> = calls
        .iter()
        .enumerate()
        .flat_map(|(at, call)| {
            let unkept = unkept(shared, call).into_iter();
            unkept.map(move |it| (at, it))
        })
        .collect();
    let written = first
        .iter()
        .flat_map(|(at, call)| index_commands(call).map(|(key, cmd)| (*at, key, cmd)));
    let unkept_now = unkept
        .iter()
        .map(|(at, (key, [first, _]))| (*at, key, first.clone()));
    let (places, commands): (Vec<_>, Vec<_>) = written
        .chain(unkept_now)
        .map(|(at, key, cmd)| (at, (key, cmd)))
        .unzip();
    let mut refused: HashMap<usize, Error> = HashMap::new();
    for (at, answer) in places.into_iter().zip(ask(shared, commands).await?) {
        if let Err(error) = answer.and_then(wrote) {
            refused.entry(at).or_insert(error);
        }
    }
    let taken: Vec<(usize, Command)> = calls
        .iter()
        .enumerate()
        .filter(|(at, _)| !refused.contains_key(at))
        .map(|(at, call)| (at, of_channels(call)))
        .collect();
    let batch: Vec<&Command> = taken.iter().map(|(_, call)| call).collect();
    let (steps, parts) = Plan::of(&batch);
    let answers = send(shared, steps).await?;
    shared.loaded(calls.len());
    let answers = answers.into_iter().map(Result::flatten).collect();
    let done = replies(&parts, answers);

    // A refusal now is of an entry that is there already, or is harmless if it stays; but what is kept still would be put back.
    let again = taken
        .iter()
        .filter_map(|(at, _)| calls.get(*at))
        .flat_map(index_commands)
        .map(|command| (None, command));
    let unkept = unkept
        .iter()
        .filter(|(at, _)| taken.iter().any(|(taken, _)| taken == at))
        .map(|(at, (key, [_, last]))| (Some(*at), (key, last.clone())));
    let (places, commands): (Vec<_>, Vec<_>) = again.chain(unkept).unzip();
    let mut failed: HashMap<usize, Error> = HashMap::new();
    for (at, answer) in places.into_iter().zip(ask(shared, commands).await?) {
        if let (Some(at), Err(error)) = (at, answer.and_then(wrote)) {
            failed.entry(at).or_insert(error);
        }
    }
    let parts: Vec<_> = taken
        .iter()
        .filter_map(|(at, _)| calls.get(*at).filter(|call| is(call, WriteOp::Part)))
        .collect();
    restore(shared, &parts).await?;
    let mut done = done.into_iter();
    let all = (0..calls.len()).map(|at| {
        if let Some(error) = refused.remove(&at) {
            return Err(error);
        }
        let done = done.next().unwrap_or_else(|| Err(unanswered()));
        failed.remove(&at).map_or(done, Err)
    });
    Ok(all.collect())
}

/// Writes the entries again of those who were removed by these parts and are members by now.
async fn restore(shared: &Arc<Shared>, parts: &[&Command]) -> Sent<()> {
    let mut removed: Vec<(&Key, &Key, &Member)> = Vec::new();
    for part in parts {
        for pair in part.targets() {
            if let [channel, index] = pair {
                removed.extend(part.members().iter().map(|uid| (channel, index, uid)));
            }
        }
    }
    let asked = removed
        .iter()
        .map(|&(channel, _, uid)| (channel, command("SISMEMBER", [channel, uid])));
    let there = ask(shared, asked.collect()).await?;
    let back = removed
        .iter()
        .zip(there)
        .filter_map(|(&(channel, index, uid), is)| {
            if matches!(is.and_then(wrote), Ok(0)) {
                return None;
            }
            let entries = Entries::from([(uid.as_slice(), vec![field(channel, index)?])]);
            Some((index, restored(index, &entries)))
        });
    ask(shared, back.collect()).await?;
    Ok(())
}

/// Returns the same call without the index.
fn of_channels(call: &Command) -> Command {
    let op = match call.op() {
        Op::Write(WriteOp::Join) => WriteOp::Add,
        Op::Write(WriteOp::Part) => WriteOp::Remove,
        _ => return call.clone(),
    };
    let channels = call.keys().iter().step_by(2).cloned().collect();
    Command::write_each(op, channels, call.members().iter().cloned())
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
        let entries = uids.map(|uid| (uid.as_slice(), vec![field])).collect();
        Some((index, indexed(index, is_join, &entries)))
    })
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
        let entries = uids.map(|uid| (uid.as_slice(), vec![field])).collect();
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
async fn of_users(shared: &Arc<Shared>, calls: &[Command], op: Op) -> Sent<Vec<Result<Reply>>> {
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
    let mut refused: HashMap<usize, Error> = HashMap::new();
    if removes {
        refused = begin(shared, &users, &channels).await?;
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
        forget(shared, &users, &done).await?;
        let unkept = users
            .iter()
            .map(|user| (user.index, unkeep_user(user.asked, user.index)));
        for (fields, answer) in fields.iter_mut().zip(ask(shared, unkept.collect()).await?) {
            if let (Ok(_), Err(error)) = (&fields, answer.and_then(wrote)) {
                *fields = Err(error);
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

/// Begins the removal of users from these channels. Returns the errors of those who are not to be removed, by their numbers.
async fn begin(
    shared: &Arc<Shared>,
    users: &[User<'_>],
    found: &[Entry],
) -> Sent<HashMap<usize, Error>> {
    let mut numbers: Vec<usize> = found.iter().map(|(at, ..)| *at).collect();
    numbers.dedup();
    let answers = ask(shared, changes(begun, users, found)).await?;
    let answers = numbers.into_iter().zip(answers);
    let errors = answers.filter_map(|(at, answer)| Some((at, answer.and_then(wrote).err()?)));
    Ok(errors.collect())
}

/// Removes entries, and writes those again whose users are members by now.
async fn forget(shared: &Arc<Shared>, users: &[User<'_>], found: &[Entry]) -> Sent<()> {
    ask(shared, changes(removed, users, found)).await?;
    let there = ask(shared, each("SISMEMBER", users, found)).await?;
    let back: Vec<Entry> = found
        .iter()
        .zip(there)
        .filter(|(_, is)| !matches!(is.clone().and_then(wrote), Ok(0)))
        .map(|(entry, _)| entry.clone())
        .collect();
    ask(shared, changes(found_again, users, &back)).await?;
    Ok(())
}

/// Makes the commands that write or remove entries, one for each user.
fn changes<'a>(
    make: fn(&User, &Entries) -> Cmd,
    users: &[User<'a>],
    found: &[Entry],
) -> Vec<(&'a Key, Cmd)> {
    let mut fields: Vec<Vec<&[u8]>> = vec![Vec::new(); users.len()];
    for (at, field, _) in found {
        fields[*at].push(field);
    }
    let some = users
        .iter()
        .zip(fields)
        .filter(|(_, fields)| !fields.is_empty());
    let of = |(user, fields): (&User<'a>, _)| {
        let entries = Entries::from([(user.asked.uid, fields)]);
        (user.index, make(user, &entries))
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

pub(super) async fn ask(
    shared: &Arc<Shared>,
    commands: Vec<(&Key, Cmd)>,
) -> Sent<Vec<Result<Value>>> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    send(shared, Plan::commands(commands)).await
}

fn is(call: &Command, op: WriteOp) -> bool {
    call.op() == Op::Write(op)
}

pub(super) fn items(answer: Value) -> Result<Vec<Vec<u8>>> {
    match answer {
        Value::Array(items) => Ok(items
            .into_iter()
            .filter_map(|item| match item {
                Value::BulkString(bytes) => Some(bytes),
                _ => None,
            })
            .collect()),
        other => wrote(other).map(|_| Vec::new()),
    }
}

pub(super) fn is_no_set(error: &Error) -> bool {
    matches!(error, Error::Store(words) if words.starts_with("WRONGTYPE"))
}

pub(super) fn unanswered() -> Error {
    Error::Internal("a command of the batch was not answered".to_owned())
}
