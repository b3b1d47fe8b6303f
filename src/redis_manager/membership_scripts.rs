//! The operations on the index of members ([`crate::membership`]) on one Redis: each is a script, so it is atomic, or a
//! plain read. The index is a sorted set in which all entries have the score 0, and so the order of their bytes.
//!
//! The scripts run on the connection of the member cache, as those of leases do ([`super::lease_scripts`]). Those that
//! find channels in the index are about keys that the cache does not know when it sends them
//! ([`crate::command::Op::is_open`]).
//!
//! Joins and parts that follow one another share a script: [`super::member_groups`].
//!
//! A key that is no set, which another program has made, ends no script in the middle: it has no members of ours.

use redis::{Cmd, Value as Answer};

use super::{
    codec::{self, command},
    event_scripts,
    lease_scripts::with_holder,
};
use crate::{
    command::{Command, Member, Op, ReadOp, Value, WriteOp},
    error::{Error, Result},
    keys::Key,
    membership::{OfUser, Page, Place, Purge, begin, field},
};

/// Adds members and their entries, some at a time, because a call in a script takes a limited number of arguments. Keys:
/// channel, index. Arguments: field, uids.
macro_rules! each_member {
    ($first:literal, $second:literal) => {
        concat!(
            "local changed, uids, items = 0, {}, {} ",
            "for i = 2, #ARGV do local uid = ARGV[i] uids[#uids + 1] = uid ",
            $first,
            " if #uids == 1000 or i == #ARGV then ",
            $second,
            " uids, items = {}, {} end end return changed"
        )
    };
}

const JOIN: &str = each_member!(
    "items[#items + 1] = 0 items[#items + 1] = #uid .. ':' .. uid .. ARGV[1]",
    "local done = redis.pcall('ZADD', KEYS[2], unpack(items)) \
     if type(done) == 'table' then return done end \
     done = redis.pcall('SADD', KEYS[1], unpack(uids)) \
     if type(done) == 'table' then return done end changed = changed + done"
);

const PART: &str = each_member!(
    "items[#items + 1] = #uid .. ':' .. uid .. ARGV[1]",
    "local done = redis.pcall('SREM', KEYS[1], unpack(uids)) \
     if type(done) == 'table' then return done end changed = changed + done \
     done = redis.pcall('ZREM', KEYS[2], unpack(items)) \
     if type(done) == 'table' then return done end"
);

/// Goes through the entries of a user. Key: index. Arguments: what they begin with, uid, what the keys of channels begin
/// and end with. An answer is the fields of those for which the command changed or found something.
macro_rules! of_user {
    ($command:literal, $rest:literal) => {
        concat!(
            "local found = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '(' .. ARGV[1] .. '\\255') ",
            "local fields = {} for _, item in ipairs(found) do ",
            "local field = string.sub(item, #ARGV[1] + 1) local done = redis.pcall('",
            $command,
            "', ARGV[3] .. field .. ARGV[4], ARGV[2]) ",
            "if done == 1 then fields[#fields + 1] = field ",
            "elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) ",
            "then return done end end ",
            $rest,
            " return fields"
        )
    };
}

const JOINED: &str = of_user!("SISMEMBER", "");

const LEAVE_ALL: &str = of_user!(
    "SREM",
    "for i = 1, #found, 1000 do \
     local done = redis.pcall('ZREM', KEYS[1], unpack(found, i, math.min(i + 999, #found))) \
     if type(done) == 'table' then return done end end"
);

/// Keys: index, lease, kept entries. Arguments: epoch, for how long they are kept, the number of entries, what the keys
/// of channels begin and end with. The answer is that of a lease: the members that were removed are counted, and in the
/// place of the time is the number of entries that are left.
const PURGE: &str = with_holder!(
    "KEYS[2]",
    "if epoch ~= ARGV[1] then return {3, 0, epoch, redis.call('ZCARD', KEYS[1])} end \
     local found = redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1) \
     local removed, kept = 0, {} \
     for _, item in ipairs(found) do \
     local colon = string.find(item, ':', 1, true) \
     local size = colon and tonumber(string.sub(item, 1, colon - 1)) \
     if size then \
     local uid = string.sub(item, colon + 1, colon + size) \
     local done = redis.pcall('SREM', ARGV[4] .. string.sub(item, colon + size + 1) .. ARGV[5], uid) \
     if done == 1 then removed = removed + 1 kept[#kept + 1] = 0 kept[#kept + 1] = item \
     elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) \
     then return done end end end \
     if #found > 0 then \
     if removed > 0 and tonumber(ARGV[2]) > 0 then \
     local done = redis.pcall('ZADD', KEYS[3], unpack(kept)) \
     if type(done) == 'table' then return done end \
     redis.call('PEXPIRE', KEYS[3], ARGV[2]) end \
     local done = redis.pcall('ZREM', KEYS[1], unpack(found)) \
     if type(done) == 'table' then return done end end \
     return {value and 1 or 0, removed, epoch, redis.call('ZCARD', KEYS[1])}"
);

/// Returns the script of an operation, if it is one on an index of members.
pub(super) const fn of(op: Op) -> Option<&'static str> {
    match op {
        Op::Read(ReadOp::Joined) => Some(JOINED),
        Op::Write(WriteOp::Join) => Some(JOIN),
        Op::Write(WriteOp::Part) => Some(PART),
        Op::Write(WriteOp::LeaveAll) => Some(LEAVE_ALL),
        Op::Write(WriteOp::Purge) => Some(PURGE),
        _ => None,
    }
}

/// Encodes a command on an index of members, about these keys; `None` if it is another one.
pub(super) fn encode(call: &Command, keys: &[Key]) -> Option<Cmd> {
    let first = keys.first().map(Vec::as_slice).unwrap_or_default();
    if call.op() == Op::Read(ReadOp::Entries) {
        return Some(entries(first, Page::of(call.members())));
    }
    let script = of(call.op())?.as_bytes();
    let count = keys.len().to_string();
    let head = [script, count.as_bytes()];
    let items = head.into_iter().chain(keys.iter().map(Vec::as_slice));
    let made = match call.op() {
        Op::Write(op @ (WriteOp::Join | WriteOp::Part)) => {
            let [channel, index] = keys else { return None };
            change(op, [channel, index], call.members())
        }
        Op::Write(WriteOp::Purge) => {
            let purge = Purge::of(call.members());
            let rest = purge_arguments(purge, Place::of(first, purge.stem));
            command("EVAL", items.chain(rest.iter().map(Vec::as_slice)))
        }
        _ => {
            let user = OfUser::of(call.members());
            let rest = user_arguments(user, Place::of(first, user.stem));
            command("EVAL", items.chain(rest.iter().map(Vec::as_slice)))
        }
    };
    Some(made)
}

/// Returns the arguments that a script for a purge takes.
pub(super) fn purge_arguments(purge: Purge, place: Place) -> [Vec<u8>; 5] {
    [
        purge.epoch.to_vec(),
        purge.keep.to_string().into_bytes(),
        purge.most.to_string().into_bytes(),
        place.head.to_vec(),
        place.tail(),
    ]
}

/// Returns the arguments that a script about the channels of a user takes.
pub(super) fn user_arguments(OfUser { uid, .. }: OfUser, place: Place) -> [Vec<u8>; 4] {
    [begin(uid), uid.to_vec(), place.head.to_vec(), place.tail()]
}

/// Makes a join or a part of members of a channel.
pub(super) fn change(op: WriteOp, [channel, index]: [&Key; 2], members: &[Member]) -> Cmd {
    let script = of(Op::Write(op)).unwrap_or_default().as_bytes();
    let field = field(channel, index).unwrap_or_default();
    let head = [script, b"2", channel, index, field];
    let members = members.iter().map(Vec::as_slice);
    command("EVAL", head.into_iter().chain(members))
}

/// Makes the read of a page of entries.
pub(crate) fn entries(index: &[u8], page: Page) -> Cmd {
    let from = [b"[", page.from].concat();
    let to = match page.to {
        [] => b"+".to_vec(),
        to => [b"(", to].concat(),
    };
    let most = page.most.to_string();
    let name = ReadOp::Entries.redis_name();
    let items: [&[u8]; 6] = [index, &from, &to, b"LIMIT", b"0", most.as_bytes()];
    command(name, items)
}

/// The commands that the scripts take, for error messages.
const NEEDS: &str =
    "EVAL, SADD, SREM, SISMEMBER, ZADD, ZREM, ZCARD, ZRANGE, ZRANGEBYLEX, GET and PEXPIRE";

/// What servers say of a command that they lack or that the user may not run; in a script they do not name it.
const REFUSALS: [&str; 5] = [
    "NOPERM",
    "can't run",
    "can't access",
    "can't publish",
    "nknown",
];

/// Adds to the error of an operation that is a script what it needs, if the server refuses a command.
pub(super) fn explained<T>(op: Op, done: Result<T>) -> Result<T> {
    done.map_err(|error| match error {
        Error::Store(words) if REFUSALS.iter().any(|refusal| words.contains(refusal)) => {
            let needs = if of(op).is_some() {
                format!(
                    "option membership takes the commands {NEEDS}; {}",
                    event_scripts::NEEDS
                )
            } else if event_scripts::refuses_script(op, &words) {
                event_scripts::NEEDS.to_owned()
            } else {
                return Error::Store(words);
            };
            Error::Store(format!("{words} ({needs})").into())
        }
        error => error,
    })
}

/// Decodes the answer to [`WriteOp::LeaveAll`].
pub(super) fn left(answer: Answer) -> Result<Value> {
    let list = codec::list(answer).map(std::sync::Arc::new);
    explained(Op::Write(WriteOp::LeaveAll), list.map(Value::List))
}
