//! The scripts of option `events` on one Redis: they change members and publish what they changed in one step. They answer what
//! the command in their place answers, and are written like the scripts of [`super::membership_scripts`] and
//! [`super::lease_scripts`], which say why a script is safe on the tracked connection.
//!
//! Members are changed one by one, because only so each script knows which ones it was.

use super::{
    kept_scripts::{clearing, keeping, marking, on_kept, put_back, with_times},
    lease_scripts::with_holder,
    membership_scripts::on_index,
};

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

pub(super) const ADD: &str = each_member!("SADD", "", "", "+", "count");

pub(super) const REMOVE: &str = each_member!("SREM", "", "", "-", "0");

/// The entry first, as without events.
pub(super) const JOIN: &str = on_index!(each_member!(
    "SADD",
    "local entry = redis.pcall('SADD', KEYS[2], uid) \
     if type(entry) ~= 'table' then entry = redis.pcall('HSET', own(KEYS[2], uid), ARGV[5], '') end \
     if type(entry) == 'table' then wrong = entry break end ",
    "",
    "+",
    "count"
));

/// One more key: what is kept.
pub(super) const PART: &str = on_index!(on_kept!(each_member!(
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

pub(super) const DESTROY: &str = script!(destroy!(""));

/// The same where members are kept, for which it is counted.
pub(super) const DESTROY_KEPT: &str = script!(marking!(
    "string.sub(ARGV[6], 1, -2)",
    destroy!("failed = mark_ended(key) or failed ")
));

/// Removes a user from the channels of an index. Keys: index, what is kept. Arguments: uid, what the keys of channels
/// begin and end with.
pub(super) const LEAVE_ALL: &str = on_index!(script!(
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
pub(super) const PURGE: &str = on_index!(script!(keeping!(
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
pub(super) const PUT_BACK: &str = script!(
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
