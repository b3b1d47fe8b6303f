//! The operations on the index of members ([`crate::membership`]) on one Redis: each is a script, so it is atomic, or a
//! plain read.
//!
//! The scripts run on the connection of the member cache, as those of leases do ([`super::lease_scripts`]). Those that
//! find channels in the index are about keys that the cache does not know when it sends them
//! ([`crate::command::Op::is_open`]). Hashes of users are never read through the cache, and so are no keys of a command.
//!
//! Joins and parts that follow one another share a script: [`super::member_groups`].
//!
//! A key that is no set, which another program has made, ends no script in the middle: it has no members of ours.
//!
//! The scripts take no command that Redis 2.6 lacks, and none whose answer is random: servers before Redis 5 repeat scripts
//! on their replicas.

use redis::{Cmd, Value as Answer};

use super::{
    codec::{self, command},
    event_scripts::{self, EventScripts},
    kept_scripts::{self, keeping, on_kept},
    lease_scripts::with_holder,
};
use crate::{
    command::{Command, Op, ReadOp, Texts, Value, WriteOp},
    error::{Error, Result},
    keys::{Key, ended_of, gone_beside, gone_under},
    membership::{OfUser, Place, Purge, field},
};

/// Defines the functions that scripts on an index share. `own` returns the key of the fields of a user
/// ([`crate::keys::of_user`]). `unlist` removes a user from the set of users if he has no fields any more. `drop` removes a
/// list of fields of a user, and him. The last two return the error of the server, if there is one.
macro_rules! on_index {
    ($($rest:expr),+) => {
        concat!(
            "local function own(index, uid) return index .. ':' .. uid .. ':' .. #uid end ",
            "local function unlist(index, uid) ",
            "local left = redis.pcall('HLEN', own(index, uid)) ",
            "if left == 0 then left = redis.pcall('SREM', index, uid) end ",
            "if type(left) == 'table' then return left end end ",
            "local function drop(index, uid, fields) for i = 1, #fields, 1000 do ",
            "local left = redis.pcall('HDEL', own(index, uid), unpack(fields, i, math.min(i + 999, #fields))) ",
            "if type(left) == 'table' then return left end end ",
            "return unlist(index, uid) end ",
            $($rest),+
        )
    };
}
pub(super) use on_index;

/// Adds or removes members and their entries, some at a time, because a call in a script takes a limited number of
/// arguments. Keys: channel, index. Arguments: field, uids.
macro_rules! each_member {
    ($rest:literal) => {
        on_index!(
            "local changed, uids = 0, {} ",
            "for i = 2, #ARGV do uids[#uids + 1] = ARGV[i] ",
            "if #uids == 1000 or i == #ARGV then ",
            $rest,
            " uids = {} end end return changed"
        )
    };
}

const JOIN: &str = each_member!(
    "local done = redis.pcall('SADD', KEYS[2], unpack(uids)) \
     if type(done) == 'table' then return done end \
     for _, uid in ipairs(uids) do done = redis.pcall('HSET', own(KEYS[2], uid), ARGV[1], '') \
     if type(done) == 'table' then return done end end \
     done = redis.pcall('SADD', KEYS[1], unpack(uids)) \
     if type(done) == 'table' then return done end changed = changed + done"
);

/// One more key: what is kept.
const PART: &str = on_kept!(each_member!(
    "local done = redis.pcall('SREM', KEYS[1], unpack(uids)) \
     if type(done) == 'table' then return done end changed = changed + done \
     for _, uid in ipairs(uids) do done = drop(KEYS[2], uid, {ARGV[1]}) \
     if done then return done end end \
     local kept = redis.pcall('HLEN', KEYS[3]) if type(kept) == 'table' then return kept end \
     if kept > 0 then for _, uid in ipairs(uids) do done = unkeep(KEYS[3], uid, {ARGV[1]}) \
     if done then return done end end end"
));

/// Goes through the fields of a user. Key: index. Arguments: uid, what the keys of channels begin and end with. An answer is
/// the fields of those for which the command changed or found something.
macro_rules! of_user {
    ($command:literal, $rest:literal) => {
        on_index!(
            "local found = redis.pcall('HKEYS', own(KEYS[1], ARGV[1])) ",
            "if found.err then return found end ",
            "local fields = {} for _, field in ipairs(found) do ",
            "local done = redis.pcall('",
            $command,
            "', ARGV[2] .. field .. ARGV[3], ARGV[1]) ",
            "if done == 1 then fields[#fields + 1] = field ",
            "elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) ",
            "then return done end end ",
            $rest,
            " return fields"
        )
    };
}

const JOINED: &str = of_user!("SISMEMBER", "");

/// One more key: what is kept.
const LEAVE_ALL: &str = of_user!(
    "SREM",
    "local failed = drop(KEYS[1], ARGV[1], found) if failed then return failed end \
     failed = redis.pcall('HDEL', KEYS[2], ARGV[1]) \
     if type(failed) == 'table' then return failed end"
);

/// Keys: index, lease, what is kept, removed channels. Arguments: epoch, for how long it is kept, the number of
/// entries, what the keys of channels begin and end with, uids. The answer is that of a lease: the members that were
/// removed are counted.
const PURGE: &str = on_index!(keeping!(
    "KEYS[3]",
    "KEYS[4]",
    with_holder!(
        "KEYS[2]",
        "if epoch ~= ARGV[1] then return {3, 0, epoch, #ARGV - 5} end ",
        "local removed, room, last, keeps = 0, tonumber(ARGV[3]), 5, tonumber(ARGV[2]) > 0 ",
        "while last < #ARGV and room > 0 do local uid = ARGV[last + 1] ",
        "local found = redis.pcall('HKEYS', own(KEYS[1], uid)) if found.err then return found end ",
        "local taken, kept, refused = {}, {} ",
        "for i = 1, math.min(room, #found) do taken[i] = found[i] ",
        "local done = redis.pcall('SREM', ARGV[4] .. found[i] .. ARGV[5], uid) ",
        "if done == 1 then kept[#kept + 1] = found[i] ",
        "elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) ",
        "then refused = done break end end ",
        "removed = removed + #kept ",
        "local failed = keeps and #kept > 0 and keep(uid, kept, ARGV[2]) if failed then return failed end ",
        "if refused then return refused end ",
        "failed = drop(KEYS[1], uid, taken) if failed then return failed end ",
        "if #taken < #found then break end ",
        "room = room - #taken last = last + 1 end ",
        "return {value and 1 or 0, removed, epoch, #ARGV - last}"
    )
));

/// Returns the script of an operation, if it is one on an index of members.
pub(super) const fn of(op: Op) -> Option<&'static str> {
    match op {
        Op::Read(ReadOp::Joined) => Some(JOINED),
        Op::Write(WriteOp::Join) => Some(JOIN),
        Op::Write(WriteOp::Part) => Some(PART),
        Op::Write(WriteOp::LeaveAll) => Some(LEAVE_ALL),
        Op::Write(WriteOp::Purge) => Some(PURGE),
        Op::Write(op) => kept_scripts::of(op),
        Op::Read(_) => None,
    }
}

/// Encodes a command on an index of members, about these keys; `None` if it is another one.
pub(super) fn encode(call: &Command, keys: &[Key]) -> Option<Cmd> {
    let script = of(call.op())?;
    let first = keys.first()?;
    let members = call.members();
    let made = match call.op() {
        Op::Write(op @ (WriteOp::Join | WriteOp::Part)) => {
            let [channel, index] = keys else { return None };
            change(op, [channel, index], members)
        }
        Op::Write(WriteOp::Purge) => {
            let purge = Purge::of(members);
            let rest = purge_arguments(&purge, Place::of(first, purge.stem));
            let ended = keys.last().map(|gone| ended_of(gone));
            let keys: Vec<_> = keys.iter().chain(&ended).collect();
            eval(
                script,
                &keys,
                rest.iter().map(Vec::as_slice).chain(purge.uids),
            )
        }
        Op::Write(op @ (WriteOp::PutBack | WriteOp::Forget)) => {
            return kept_scripts::encode(op, keys, Purge::of(members));
        }
        op => {
            let user = OfUser::of(members);
            let rest = user_arguments(user, Place::of(first, user.stem));
            let gone = op.is_write().then(|| gone_under(user.stem, first));
            let keys: Vec<_> = [first].into_iter().chain(&gone).collect();
            eval(script, &keys, rest.iter().map(Vec::as_slice))
        }
    };
    Some(made)
}

fn eval<'a>(script: &str, keys: &[&Key], rest: impl Iterator<Item = &'a [u8]>) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(keys.len()).arg(keys);
    for item in rest {
        cmd.arg(item);
    }
    cmd
}

/// Returns the arguments that a script for a purge takes before the uids.
pub(super) fn purge_arguments(purge: &Purge, place: Place) -> [Vec<u8>; 5] {
    [
        purge.epoch.to_vec(),
        purge.keep.to_string().into_bytes(),
        purge.most.to_string().into_bytes(),
        place.head.to_vec(),
        place.tail(),
    ]
}

/// Returns the arguments that a script about the channels of a user takes.
pub(super) fn user_arguments(OfUser { uid, .. }: OfUser, place: Place) -> [Vec<u8>; 3] {
    [uid.to_vec(), place.head.to_vec(), place.tail()]
}

/// Makes a join or a part of members of a channel.
pub(super) fn change(op: WriteOp, [channel, index]: [&Key; 2], members: &Texts) -> Cmd {
    let script = of(Op::Write(op)).unwrap_or_default().as_bytes();
    let field = field(channel, index).unwrap_or_default();
    let gone = gone_beside(channel, index);
    let head: &[&[u8]] = if op == WriteOp::Part {
        &[script, b"3", channel, index, &gone, field]
    } else {
        &[script, b"2", channel, index, field]
    };
    command("EVAL", head.iter().copied().chain(members))
}

/// The commands that the scripts take, for error messages.
const NEEDS: &str =
    "EVAL, SADD, SREM, SISMEMBER, HSET, HDEL, HLEN, HKEYS, HGET, HINCRBY, GET and PEXPIRE";

/// What servers say of a command that they lack or that the user may not run; in a script they do not name it.
const REFUSALS: [&str; 5] = [
    "NOPERM",
    "can't run",
    "can't access",
    "can't publish",
    "nknown",
];

/// Adds to the error of an operation that is a script what it needs, if the server refuses a command.
pub(super) fn explained<T>(op: Op, scripts: &EventScripts, done: Result<T>) -> Result<T> {
    done.map_err(|error| match error {
        Error::Store(words) if REFUSALS.iter().any(|refusal| words.contains(refusal)) => {
            let needs = if of(op).is_some() {
                format!(
                    "option membership takes the commands {NEEDS}; {}",
                    scripts.needs
                )
            } else if event_scripts::refuses_script(op, &words) {
                match op {
                    Op::Write(WriteOp::Delete) => {
                        format!("{}; {}", kept_scripts::NEEDS, scripts.needs)
                    }
                    _ => scripts.needs.to_owned(),
                }
            } else {
                return Error::Store(words);
            };
            Error::Store(format!("{words} ({needs})").into())
        }
        error => error,
    })
}

/// Decodes the answer to [`WriteOp::LeaveAll`].
pub(super) fn left(answer: Answer, scripts: &EventScripts) -> Result<Value> {
    let list = codec::list(answer).map(std::sync::Arc::new);
    let list = list.map(Value::List);
    explained(Op::Write(WriteOp::LeaveAll), scripts, list)
}
