//! What a purge keeps of the members that it removed ([`crate::membership`]), on one Redis and for a Redis Cluster: a
//! hash of users, each with his fields, one after the other, each with its length before it
//! ([`crate::membership::kept`]). Beside it is a hash of the channels that were removed meanwhile
//! ([`crate::keys::ended_of`]), each with how often.
//!
//! As long as nothing is kept, which is usual, a script that removes a member asks for the size of the hash, and no more.

use redis::Cmd;

use super::{fallbacks::Missing, lease_scripts::with_holder, membership_scripts::on_index};
use crate::{
    command::WriteOp,
    keys::{Key, ended_of, gone_with},
    membership::{Place, Purge},
};

/// Defines what the scripts share; `gone` is the key of what is kept. `items` goes through the fields of a user, and `unkeep`
/// removes some of them. It returns the error of the server, if there is one.
macro_rules! on_kept {
    ($($rest:expr),+) => {
        concat!(
            "local function items(all, call) local at = 1 ",
            "while at <= #all do local colon = string.find(all, ':', at, true) ",
            "local size = colon and tonumber(string.sub(all, at, colon - 1)) if not size then break end ",
            "local text = string.sub(all, colon + 1, colon + size) ",
            "local mark = string.find(text, '#', 1, true) or 0 ",
            "call(string.sub(text, mark + 1), string.sub(text, 1, mark - 1), string.sub(all, at, colon + size)) ",
            "at = colon + size + 1 end end ",
            "local function unkeep(gone, uid, fields) ",
            "local all = redis.pcall('HGET', gone, uid) if type(all) == 'table' then return all end ",
            "if not all then return end local out, left = {}, {} ",
            "for _, field in ipairs(fields) do out[field] = true end ",
            "items(all, function(field, _, item) if not out[field] then left[#left + 1] = item end end) ",
            "local done if #left > 0 then done = redis.pcall('HSET', gone, uid, table.concat(left)) ",
            "else done = redis.pcall('HDEL', gone, uid) end ",
            "if type(done) == 'table' then return done end end ",
            $($rest),+
        )
    };
}
pub(super) use on_kept;

/// Defines `times`, which tells how often a channel was removed since something is kept: as text, empty for never.
macro_rules! with_times {
    ($ended:literal, $($rest:expr),+) => {
        concat!(
            "local some local function times(field) ",
            "if some == nil then some = redis.call('HLEN', ", $ended, ") > 0 end ",
            "return some and redis.call('HGET', ", $ended, ", field) or '' end ",
            $($rest),+
        )
    };
}
pub(super) use with_times;

/// Defines `keep`, which adds fields of a user to what is kept for some milliseconds.
macro_rules! keeping {
    ($gone:literal, $ended:literal, $($rest:expr),+) => {
        super::kept_scripts::with_times!(
            $ended,
            "local function keep(uid, fields, ms) ",
            "local all = redis.pcall('HGET', ", $gone, ", uid) if type(all) == 'table' then return all end ",
            "local parts = {all or ''} for _, field in ipairs(fields) do ",
            "local text = times(field) .. '#' .. field parts[#parts + 1] = #text .. ':' .. text end ",
            "local done = redis.pcall('HSET', ", $gone, ", uid, table.concat(parts)) ",
            "if type(done) == 'table' then return done end ",
            "redis.call('PEXPIRE', ", $gone, ", ms) redis.call('PEXPIRE', ", $ended, ", ms) end ",
            $($rest),+
        )
    };
}
pub(super) use keeping;

/// Defines `clear`, to be called when something is kept no longer: of nothing no removal has to be known. `PEXPIRE`
/// with 0 removes a key, and is a command that is needed anyway.
macro_rules! clearing {
    ($gone:literal, $ended:literal, $($rest:expr),+) => {
        concat!(
            "local function clear() if redis.call('HLEN', ", $gone, ") == 0 then ",
            "redis.call('PEXPIRE', ", $ended, ", 0) end end ",
            $($rest),+
        )
    };
}

pub(super) use clearing;

/// Adds members that are kept again. Keys: index, lease, what is kept, removed channels. Arguments: epoch, what the
/// keys of channels begin and end with, uids. `$first` is the number of the first uid, `$each` what is done with each
/// field that was added, and `$answer` how the answer is made.
macro_rules! put_back {
    ($epoch:literal, $head:literal, $tail:literal, $first:literal, $each:literal, $answer:expr) => {
        on_index!(on_kept!(with_times!(
            "KEYS[4]",
            clearing!(
                "KEYS[3]",
                "KEYS[4]",
                with_holder!(
                    "KEYS[2]",
                    "if epoch ~= ", $epoch, " then return {3, 0, epoch, #ARGV - ", $first, " + 1} end ",
                    "local added, wrong = 0 ",
                    "local function of(uid) ",
                    "local all = redis.pcall('HGET', KEYS[3], uid) if type(all) == 'table' then return all end ",
                    "if not all then return end local refused ",
                    "items(all, function(field, was) if refused or was ~= times(field) then return end ",
                    "local done = redis.pcall('HSET', own(KEYS[1], uid), field, '') ",
                    "if type(done) ~= 'table' then done = redis.pcall('SADD', KEYS[1], uid) end ",
                    "if type(done) ~= 'table' then done = redis.pcall('SADD', ", $head, " .. field .. ", $tail, ", uid) end ",
                    "if done == 1 then added = added + 1 ", $each,
                    " elseif type(done) == 'table' and not string.find(done.err, 'WRONGTYPE', 1, true) ",
                    "then refused = done end end) ",
                    "if refused then return refused end ",
                    "local done = redis.pcall('HDEL', KEYS[3], uid) if type(done) == 'table' then return done end end ",
                    "for at = ", $first, ", #ARGV do wrong = wrong or of(ARGV[at]) end ",
                    "if not wrong then clear() end ",
                    $answer
                )
            )
        )))
    };
}
pub(super) use put_back;

/// The same without events.
const PUT_BACK: &str = put_back!(
    "ARGV[1]",
    "ARGV[2]",
    "ARGV[3]",
    "4",
    "",
    "return wrong or {value and 1 or 0, added, epoch, 0}"
);

/// Keeps users no longer; all, if none is given. Keys and first arguments as above.
const FORGET: &str = clearing!(
    "KEYS[3]",
    "KEYS[4]",
    with_holder!(
        "KEYS[2]",
        "if epoch ~= ARGV[1] then return {3, 0, epoch, #ARGV - 3} end ",
        "local done, count = 0, 0 ",
        "if #ARGV == 3 then done = redis.pcall('PEXPIRE', KEYS[3], 0) end ",
        "if type(done) == 'table' then return done end ",
        "for at = 4, #ARGV do done = redis.pcall('HDEL', KEYS[3], ARGV[at]) ",
        "if type(done) == 'table' then return done end count = count + done end ",
        "clear() return {value and 1 or 0, count, epoch, 0}"
    )
);

/// Counts a removal of a channel, if something is kept of the frontend. Keys: what is kept, removed channels. Argument:
/// the field. It is for longer than anything is kept, unless that is prolonged, and this with it.
const MARK: &str = "\
    if redis.call('HLEN', KEYS[1]) == 0 then return 0 end \
    local done = redis.pcall('HINCRBY', KEYS[2], ARGV[1], 1) if type(done) == 'table' then return done end \
    redis.call('PEXPIRE', KEYS[2], 864000000) return 1";

/// Defines `mark`, which does that for a channel, given by its key. `$prefix` is what comes before the stem's colon.
/// What a key is that reads as several pairs of channel and frontend is counted for each of them.
macro_rules! marking {
    ($prefix:literal, $($rest:expr),+) => {
        concat!(
            "local function mark_ended(key) local prefix = ", $prefix, " ",
            "local first = #prefix + 2 local colon = string.find(key, ':', first, true) ",
            "while colon do ",
            "local gone = prefix .. '@gone:{' .. string.sub(key, colon + 1) .. '}' ",
            "local size = redis.pcall('HLEN', gone) if type(size) == 'table' then return size end ",
            "if size > 0 then ",
            "local done = redis.pcall('HINCRBY', gone .. ':ended', string.sub(key, first, colon - 1), 1) ",
            "if type(done) == 'table' then return done end ",
            "redis.call('PEXPIRE', gone .. ':ended', 864000000) end ",
            "colon = string.find(key, ':', colon + 1, true) end end ",
            $($rest),+
        )
    };
}
pub(super) use marking;

/// Removes channels, and counts that. Keys: theirs. Arguments: the command that removes one, the prefix.
const DESTROY: &str = marking!(
    "ARGV[2]",
    "local removed = 0 for _, key in ipairs(KEYS) do ",
    "local done = redis.pcall(ARGV[1], key) if type(done) == 'table' then return done end ",
    "removed = removed + done ",
    "local failed = mark_ended(key) if failed then return failed end end return removed"
);

/// What the removal of channels takes, for error messages.
pub(super) const NEEDS: &str =
    "option membership takes EVAL, HLEN, HINCRBY and PEXPIRE for the removal of channels";

/// Returns the script of an operation on what is kept, if it is one.
pub(super) const fn of(op: WriteOp) -> Option<&'static str> {
    match op {
        WriteOp::PutBack => Some(PUT_BACK),
        WriteOp::Forget => Some(FORGET),
        _ => None,
    }
}

/// Makes it, about these keys.
pub(super) fn encode(op: WriteOp, keys: &[Key], purge: Purge) -> Option<Cmd> {
    let [index, lease, gone] = keys else {
        return None;
    };
    let place = Place::of(index, purge.stem);
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(of(op)?).arg(4);
    cmd.arg(index).arg(lease).arg(gone).arg(ended_of(gone));
    cmd.arg(purge.epoch).arg(place.head).arg(place.tail());
    for uid in purge.uids {
        cmd.arg(uid);
    }
    Some(cmd)
}

/// Makes the removal of channels under the prefix with this stem, on a server that has all keys.
pub(super) fn destroy(stem: &[u8], missing: &Missing, keys: &[Key]) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(DESTROY).arg(keys.len()).arg(keys);
    cmd.arg(missing.instead_of(WriteOp::Delete.redis_name()));
    cmd.arg(stem.strip_suffix(b":").unwrap_or(stem));
    cmd
}

/// Makes the steps that count the removal of a channel, each with a key in its slot.
pub(crate) fn marks(stem: &[u8], key: &[u8]) -> Vec<(Key, Cmd)> {
    let of = |(gone, field): (Key, &[u8])| {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(MARK).arg(2).arg(&gone).arg(ended_of(&gone));
        cmd.arg(field);
        (gone, cmd)
    };
    gone_with(stem, key).map(of).collect()
}
