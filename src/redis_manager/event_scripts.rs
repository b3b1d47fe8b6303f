//! The writes of option `events` on one Redis: scripts that change members and publish what they changed in one step
//! ([`crate::events`], [`crate::events::message`]). They answer what the command in their place answers, and are written
//! like the scripts of [`super::membership_scripts`] and [`super::lease_scripts`], which say why a script is safe on the
//! tracked connection.
//!
//! Members are changed one by one, because only so each script knows which ones it was.

use redis::Cmd;

use super::{
    fallbacks::Missing,
    kept_scripts::{clearing, keeping, marking, on_kept, put_back, with_times},
    lease_scripts::with_holder,
    membership_scripts::{on_index, purge_arguments, user_arguments},
};
use crate::{
    command::{Command, Op, WriteOp},
    events::{Publishing, message::put_head},
    keys::{Key, ended_of, gone_beside, gone_under, sid_of},
    membership::{OfUser, Place, Purge, field},
};

/// The most entries that one step of a purge takes here: it may have to look at as many channels on all frontends.
const STEP: usize = 100;

/// Defines what the scripts share. Their first arguments are the channel of publish and subscribe, the set of the frontends,
/// the frontend, and time and reason as a message has them. `edge` tells whether a channel has no members on any other frontend than `sid`; `tell` adds
/// a change to the message, and `publish` sends it and answers.
macro_rules! script {
    ($($rest:expr),+) => {
        concat!(
            "local message, sids, failed = {} ",
            "local function s(text) return #text .. ':' .. text end ",
            "local function edge(base, sid) ",
            "if not sids then sids = redis.pcall('SMEMBERS', ARGV[2]) if sids.err then failed = sids end end ",
            "if sids.err then return '.' end ",
            "local keys = {} for _, other in ipairs(sids) do ",
            "if other ~= sid then keys[#keys + 1] = base .. other end end ",
            "for i = 1, #keys, 1000 do ",
            "local n = redis.pcall('EXISTS', unpack(keys, i, math.min(i + 999, #keys))) ",
            "if type(n) == 'table' then failed = n end ",
            "if n ~= 0 then return '.' end end return 'e' end ",
            "local function tell(kind, mark, field, sid, count, uids) ",
            "message[#message + 1] = kind .. mark .. ARGV[4] .. s(field) .. s(sid) .. count .. ':' .. uids end ",
            "local function publish(answer) if #message > 0 then ",
            "local done = redis.pcall('PUBLISH', ARGV[1], table.concat(message)) ",
            "if type(done) == 'table' then failed = done end end ",
            "return failed or answer end ",
            $($rest),+
        )
    };
}

/// Adds or removes members. Keys: channel, and with an index that. Arguments: field, uids. `$left` is the size of the channel
/// if it was empty before, or is empty now.
macro_rules! each_member {
    ($command:literal, $before:literal, $after:literal, $kind:literal, $left:literal) => {
        script!(
            "local count, uids, wrong = 0, {} ",
            "for i = 6, #ARGV do local uid = ARGV[i] ",
            $before,
            "local done = redis.pcall('",
            $command,
            "', KEYS[1], uid) if type(done) == 'table' then wrong = done break end ",
            $after,
            "if done == 1 then count = count + 1 uids[count] = s(uid) end end ",
            "if count > 0 then local mark, key, sid = '.', KEYS[1], ARGV[3] ",
            "if redis.call('SCARD', key) == ",
            $left,
            " then mark = edge(string.sub(key, 1, #key - #sid), sid) end ",
            "tell('",
            $kind,
            "', mark, ARGV[5], sid, count, table.concat(uids)) end ",
            "return publish(wrong or count)"
        )
    };
}

const ADD: &str = each_member!("SADD", "", "", "+", "count");

const REMOVE: &str = each_member!("SREM", "", "", "-", "0");

/// The entry first, as without events.
const JOIN: &str = on_index!(each_member!(
    "SADD",
    "local entry = redis.pcall('SADD', KEYS[2], uid) \
     if type(entry) ~= 'table' then entry = redis.pcall('HSET', own(KEYS[2], uid), ARGV[5], '') end \
     if type(entry) == 'table' then wrong = entry break end ",
    "",
    "+",
    "count"
));

/// One more key: what is kept.
const PART: &str = on_index!(on_kept!(each_member!(
    "SREM",
    "",
    "wrong = drop(KEYS[2], uid, {ARGV[5]}) or unkeep(KEYS[3], uid, {ARGV[5]}) or wrong ",
    "-",
    "0"
)));

/// Removes channels. Only with the last of a channel's sets it is looked for others. Keys: theirs. Arguments: the
/// command that removes one, what the keys begin with, and for each key the length of its sid. `$each` is done with
/// each of them.
macro_rules! destroy {
    ($each:literal) => {
        concat!(
            "local removed, sizes, last, stem = 0, {}, {}, #ARGV[6] for i, key in ipairs(KEYS) do if not sizes[key] then ",
            "local size = redis.pcall('SCARD', key) sizes[key] = size ",
            "if type(size) == 'number' and size > 0 then last[string.sub(key, 1, #key - ARGV[6 + i])] = i end ",
            "end end ",
            "for i, key in ipairs(KEYS) do ",
            "local count, base = sizes[key], #key - ARGV[6 + i] ",
            "local done = redis.pcall(ARGV[5], key) ",
            "if type(done) == 'table' then return publish(done) end ",
            "removed = removed + done ",
            $each,
            "if done == 1 and type(count) == 'number' then ",
            "local head, sid, mark = string.sub(key, 1, base), string.sub(key, base + 1), '.' ",
            "if last[head] == i then mark = edge(head, sid) end ",
            "tell('x', mark, string.sub(key, stem + 1, base - 1), sid, count, '') ",
            "end end return publish(removed)"
        )
    };
}

const DESTROY: &str = script!(destroy!(""));

/// The same where members are kept, for which it is counted.
const DESTROY_KEPT: &str = script!(marking!(
    "string.sub(ARGV[6], 1, -2)",
    destroy!("failed = mark_ended(key) or failed ")
));

/// Removes a user from the channels of an index. Keys: index, what is kept. Arguments: uid, what the keys of channels
/// begin and end with.
const LEAVE_ALL: &str = on_index!(script!(
    "local found = redis.pcall('HKEYS', own(KEYS[1], ARGV[5])) if found.err then return found end \
     local fields = {} for _, field in ipairs(found) do \
     local key = ARGV[6] .. field .. ARGV[7] \
     local done = redis.pcall('SREM', key, ARGV[5]) \
     if done == 1 then fields[#fields + 1] = field local mark = '.' \
     if redis.call('SCARD', key) == 0 then mark = edge(ARGV[6] .. field .. ':', ARGV[3]) end \
     tell('-', mark, field, ARGV[3], 1, s(ARGV[5])) \
     elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) \
     then return publish(done) end end \
     local failed = drop(KEYS[1], ARGV[5], found) \
     if not failed then failed = redis.pcall('HDEL', KEYS[2], ARGV[5]) \
     failed = type(failed) == 'table' and failed end \
     return publish(failed or fields)"
));

/// Removes the members of users in an index, as without events. Keys: index, lease, what is kept, removed channels.
/// Arguments: epoch, for how long entries are kept, the number of entries, what the keys of channels begin and end
/// with, uids.
const PURGE: &str = on_index!(script!(keeping!(
    "KEYS[3]",
    "KEYS[4]",
    with_holder!(
        "KEYS[2]",
        "if epoch ~= ARGV[5] then return {3, 0, epoch, #ARGV - 9} end ",
        "local removed, room, last, keeps = 0, tonumber(ARGV[7]), 9, tonumber(ARGV[6]) > 0 ",
        "local order, gone, wrong = {}, {} ",
        "local function of(uid) ",
        "local found = redis.pcall('HKEYS', own(KEYS[1], uid)) if found.err then return found end ",
        "local taken, kept, refused = {}, {} ",
        "for i = 1, math.min(room, #found) do local field = found[i] taken[i] = field ",
        "local done = redis.pcall('SREM', ARGV[8] .. field .. ARGV[9], uid) ",
        "if done == 1 then kept[#kept + 1] = field ",
        "if not gone[field] then gone[field] = {} order[#order + 1] = field end ",
        "table.insert(gone[field], s(uid)) ",
        "elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) ",
        "then refused = done break end end ",
        "removed = removed + #kept ",
        "local failed = keeps and #kept > 0 and keep(uid, kept, ARGV[6]) if failed then return failed end ",
        "if refused then return refused end ",
        "failed = drop(KEYS[1], uid, taken) if failed then return failed end ",
        "room = room - #taken if #taken == #found then last = last + 1 end end ",
        "while last < #ARGV and room > 0 and not wrong do wrong = of(ARGV[last + 1]) end ",
        "for _, field in ipairs(order) do local mark = '.' ",
        "if redis.call('SCARD', ARGV[8] .. field .. ARGV[9]) == 0 then ",
        "mark = edge(ARGV[8] .. field .. ':', ARGV[3]) end ",
        "tell('-', mark, field, ARGV[3], #gone[field], table.concat(gone[field])) end ",
        "return publish(wrong or {value and 1 or 0, removed, epoch, #ARGV - last})"
    )
)));

/// Adds members that are kept again, as without events, with the same keys and arguments.
const PUT_BACK: &str = script!(
    "local order, back = {}, {} ",
    put_back!(
        "ARGV[5]",
        "ARGV[6]",
        "ARGV[7]",
        "8",
        "if not back[field] then back[field] = {} order[#order + 1] = field end table.insert(back[field], s(uid))",
        concat!(
            "for _, field in ipairs(order) do local mark = '.' ",
            "if redis.call('SCARD', ARGV[6] .. field .. ARGV[7]) == #back[field] then ",
            "mark = edge(ARGV[6] .. field .. ':', ARGV[3]) end ",
            "tell('+', mark, field, ARGV[3], #back[field], table.concat(back[field])) end ",
            "return publish(wrong or {value and 1 or 0, added, epoch, 0})"
        )
    )
);

type Encode = fn(&Command, &Missing, (&Publishing, bool), &mut dyn FnMut(Cmd)) -> bool;

/// The scripts that are sent in the place of writes that change channels: each server has its own kind.
#[derive(Debug)]
pub(crate) struct EventScripts {
    /// Encodes a command whose changes are published, with one command for each of its keys. Returns `false`, and encodes
    /// nothing, if it changes no channel. Beside where it publishes is whether removed members are kept.
    pub(crate) encode: Encode,
    /// What they take, for error messages.
    pub(crate) needs: &'static str,
}

impl EventScripts {
    /// Those for a server that has all keys.
    pub(crate) const ONE_REDIS: Self = Self {
        encode,
        needs: "option events takes EVAL, EXISTS and PUBLISH, and the channels PREFIX@events:*",
    };
}

/// Returns whether the server's refusal of an operation is about the script in the place of its command.
pub(super) fn refuses_script(op: Op, words: &str) -> bool {
    let signs = [
        "executing the script",
        "'eval'",
        "'exists'",
        "'publish'",
        "'cluster",
    ];
    matches!(
        op,
        Op::Write(WriteOp::Add | WriteOp::Remove | WriteOp::Delete)
    ) && signs.iter().any(|sign| words.contains(sign))
}

/// The reason of what the app has called for.
const CALL: &[u8] = b"call";

/// See [`EventScripts::encode`].
fn encode(
    call: &Command,
    missing: &Missing,
    (publishing, keeps): (&Publishing, bool),
    each: &mut dyn FnMut(Cmd),
) -> bool {
    let Op::Write(op) = call.op() else {
        return false;
    };
    let keys = call.keys();
    let is_channel = keys.first().is_some_and(|key| publishing.has(key));
    match op {
        WriteOp::Add | WriteOp::Remove if is_channel => {
            let script = if op == WriteOp::Add { ADD } else { REMOVE };
            for key in keys {
                each(of_members(
                    publishing,
                    script,
                    (key, sid_of(key)),
                    &[key],
                    call,
                ));
            }
        }
        WriteOp::Join | WriteOp::Part => {
            let script = if op == WriteOp::Join { JOIN } else { PART };
            for pair in call.targets() {
                let [key, index] = pair else { continue };
                let sid = Place::of(index, &publishing.stem).sid;
                let gone = (op == WriteOp::Part).then(|| gone_beside(key, index));
                let keys: Vec<_> = [key, index].into_iter().chain(&gone).collect();
                each(of_members(publishing, script, (key, sid), &keys, call));
            }
        }
        WriteOp::Delete if is_channel => each(destroy((publishing, keeps), missing, keys)),
        WriteOp::LeaveAll => {
            let user = OfUser::of(call.members());
            for index in keys {
                let place = Place::of(index, user.stem);
                let rest = user_arguments(user, place);
                let head = (LEAVE_ALL, place.sid, CALL);
                let rest = rest.iter().map(Vec::as_slice);
                let gone = gone_under(user.stem, index);
                each(eval(publishing, head, &[index, &gone], rest));
            }
        }
        WriteOp::Purge => {
            let purge = Purge::of(call.members()).within(STEP);
            let index = keys.first().map(Vec::as_slice).unwrap_or_default();
            let place = Place::of(index, purge.stem);
            let ended = keys.last().map(|gone| ended_of(gone));
            let keys: Vec<_> = keys.iter().chain(&ended).collect();
            let rest = purge_arguments(purge, place);
            let head = (PURGE, place.sid, purge.reason);
            let rest = rest.iter().chain(purge.uids).map(Vec::as_slice);
            each(eval(publishing, head, &keys, rest));
        }
        WriteOp::PutBack => {
            let purge = Purge::of(call.members());
            let index = keys.first().map(Vec::as_slice).unwrap_or_default();
            let place = Place::of(index, purge.stem);
            let ended = keys.last().map(|gone| ended_of(gone));
            let keys: Vec<_> = keys.iter().chain(&ended).collect();
            let rest = [purge.epoch.to_vec(), place.head.to_vec(), place.tail()];
            let rest = rest.iter().chain(purge.uids).map(Vec::as_slice);
            each(eval(publishing, (PUT_BACK, place.sid, CALL), &keys, rest));
        }
        _ => return false,
    }
    true
}

/// Makes the removal of channels.
pub(super) fn destroy(
    (publishing, keeps): (&Publishing, bool),
    missing: &Missing,
    keys: &[Key],
) -> Cmd {
    let name = missing.instead_of(WriteOp::Delete.redis_name());
    let sids = keys.iter().map(|key| sid_of(key).len().to_string());
    let sids: Vec<String> = sids.collect();
    let rest = [name.as_bytes(), &publishing.stem].into_iter();
    let rest = rest.chain(sids.iter().map(String::as_bytes));
    let keys: Vec<_> = keys.iter().collect();
    let script = if keeps { DESTROY_KEPT } else { DESTROY };
    let head: (_, &[u8], &[u8]) = (script, b"", b"destroy");
    eval(publishing, head, &keys, rest)
}

/// Makes a change of the members of a channel on a frontend; `keys` are those of the script.
fn of_members(
    publishing: &Publishing,
    script: &str,
    (key, sid): (&Key, &[u8]),
    keys: &[&Key],
    call: &Command,
) -> Cmd {
    let field = match keys {
        [key, index, ..] => field(key, index),
        _ => key.get(publishing.stem.len()..key.len().saturating_sub(sid.len() + 1)),
    };
    let uids = call.members().iter().map(Vec::as_slice);
    let rest = std::iter::once(field.unwrap_or_default()).chain(uids);
    eval(publishing, (script, sid, CALL), keys, rest)
}

fn eval<'a>(
    publishing: &Publishing,
    (script, sid, reason): (&str, &[u8], &[u8]),
    keys: &[&Key],
    rest: impl Iterator<Item = &'a [u8]>,
) -> Cmd {
    let mut head = Vec::new();
    put_head(&mut head, reason);
    let shared = [&*publishing.channel, &*publishing.sids, sid, &head];
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(keys.len()).arg(keys).arg(&shared);
    for item in rest {
        cmd.arg(item);
    }
    cmd
}
