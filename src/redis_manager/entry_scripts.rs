//! The scripts that change the index of members ([`crate::membership`]) in a Redis Cluster, where channels are in other slots
//! (`redis_cluster/membership.rs` and `redis_cluster/purge.rs`): entries alone. All keys of a script are in the slot of the
//! frontend, and are declared, so that the server redirects them while the slot moves.

use std::collections::BTreeMap;

use redis::Cmd;

use super::{
    kept_scripts::{clearing, keeping, on_kept, with_times},
    lease_scripts::with_holder,
};
use crate::keys::{Key, ended_of, of_user};

/// Goes through users with fields, as arguments: the number of fields, the uid, and these. The answer is how many entries
/// were added or removed.
macro_rules! of_users {
    ($($each:literal),+) => {
        concat!(
            "local key, at, changed = 2, 1, 0 while key <= #KEYS do ",
            "local uid, first, last = ARGV[at + 1], at + 2, at + 1 + tonumber(ARGV[at]) ",
            $($each,)+
            " at = last + 1 key = key + 1 end return changed"
        )
    };
}

/// Adds entries to an index. Keys: index, and the fields of each user.
/// Arguments: for each user the number of fields, the uid, and these.
const ADD_ENTRIES: &str = of_users!(
    "for at = first, last do local done = redis.pcall('HSET', KEYS[key], ARGV[at], '') \
     if type(done) == 'table' then return done end changed = changed + done end \
     local done = redis.pcall('SADD', KEYS[1], uid) \
     if type(done) == 'table' then return done end"
);

/// Removes them, and users without entries.
const REMOVE_ENTRIES: &str = of_users!(
    "for at = first, last do local done = redis.pcall('HDEL', KEYS[key], ARGV[at]) \
     if type(done) == 'table' then return done end changed = changed + done end \
     local done = redis.pcall('HLEN', KEYS[key]) \
     if done == 0 then done = redis.pcall('SREM', KEYS[1], uid) end \
     if type(done) == 'table' then return done end"
);

/// What an entry has as its value as long as it is not certain: its member was found, or is being put back, and no `add` has
/// written the entry. An `add` leaves it empty.
pub(crate) const UNCERTAIN: &[u8] = b"?";

/// Adds entries with this value where there are none.
macro_rules! where_none {
    ($value:literal) => {
        of_users!(
            "for at = first, last do local is = redis.call('HGET', KEYS[key], ARGV[at]) ",
            "if not is then local done = redis.pcall('HSET', KEYS[key], ARGV[at], '",
            $value,
            "') ",
            "if type(done) == 'table' then return done end changed = changed + done end end ",
            "local done = redis.pcall('SADD', KEYS[1], uid) ",
            "if type(done) == 'table' then return done end"
        )
    };
}

/// Adds entries of members that were found while they may be removed.
const RESTORE_ENTRIES: &str = where_none!("?");

/// Adds entries of members that a scan has found. One that is there may be uncertain because of a removal, and stays so.
const ENTER_ENTRIES: &str = where_none!("");

/// Begins to put back a user: adds entries of what is kept of him. Keys: index, his fields, lease, what is kept,
/// removed channels. Arguments: epoch, uid. The answer is whether the lease allows it, its epoch, and the fields.
const BEGIN_BACK: &str = on_kept!(with_times!(
    "KEYS[5]",
    with_holder!(
        "KEYS[3]",
        "if epoch ~= ARGV[1] then return {0, epoch, {}} end ",
        "local all = redis.call('HGET', KEYS[4], ARGV[2]) or '' ",
        "local fields, refused = {} ",
        "items(all, function(field, was) if refused or was ~= times(field) then return end ",
        "fields[#fields + 1] = field if redis.call('HGET', KEYS[2], field) then return end ",
        "local done = redis.pcall('HSET', KEYS[2], field, '?') if type(done) == 'table' then refused = done end end) ",
        "if refused then return refused end ",
        "if #fields > 0 then local done = redis.pcall('SADD', KEYS[1], ARGV[2]) ",
        "if type(done) == 'table' then return done end end ",
        "return {1, epoch, fields}"
    )
));

/// Ends it, when he was added to the channels. More arguments: the fields. The answer is which of them were removed by
/// a call meanwhile, all if the lease is another one's: of these no entry is left that is not certain.
const END_BACK: &str = on_kept!(with_times!(
    "KEYS[5]",
    clearing!(
        "KEYS[4]",
        "KEYS[5]",
        with_holder!(
            "KEYS[3]",
            "local holds, still, left = epoch == ARGV[1], {}, {} ",
            "local all = redis.call('HGET', KEYS[4], ARGV[2]) or '' ",
            "if holds then items(all, function(field, was) if was == times(field) then still[field] = true end end) end ",
            "for at = 3, #ARGV do local field, done = ARGV[at], 0 ",
            "if still[field] then done = redis.pcall('HSET', KEYS[2], field, '') ",
            "else left[#left + 1] = field ",
            "if redis.call('HGET', KEYS[2], field) == '?' then done = redis.pcall('HDEL', KEYS[2], field) end end ",
            "if type(done) == 'table' then return done end end ",
            "if redis.call('HLEN', KEYS[2]) == 0 then local done = redis.pcall('SREM', KEYS[1], ARGV[2]) ",
            "if type(done) == 'table' then return done end end ",
            "if holds then local done = redis.pcall('HDEL', KEYS[4], ARGV[2]) ",
            "if type(done) == 'table' then return done end clear() end ",
            "return left"
        )
    )
));

/// Adds fields of users to what is kept. Keys: that, removed channels. Arguments: the time in milliseconds; for each
/// user the number of fields, the uid, and these.
const KEEP: &str = keeping!(
    "KEYS[1]",
    "KEYS[2]",
    "local at = 2 while at <= #ARGV do local fields, last = {}, at + 1 + tonumber(ARGV[at]) ",
    "for i = at + 2, last do fields[#fields + 1] = ARGV[i] end ",
    "local failed = keep(ARGV[at + 1], fields, ARGV[1]) if failed then return failed end ",
    "at = last + 1 end return 1"
);

/// Removes them. Key: what is kept. Arguments: as for the addition, without the time.
const UNKEEP: &str = on_kept!(
    "if redis.call('HLEN', KEYS[1]) == 0 then return 0 end ",
    "local at = 1 while at <= #ARGV do local fields, last = {}, at + 1 + tonumber(ARGV[at]) ",
    "for i = at + 2, last do fields[#fields + 1] = ARGV[i] end ",
    "local failed = unkeep(KEYS[1], ARGV[at + 1], fields) if failed then return failed end ",
    "at = last + 1 end return 1"
);

/// Takes an addition to what is kept back: removes the last of each. Another process may have kept the same member, which stays kept.
/// Key and arguments as above.
const UNKEEP_LAST: &str = on_kept!(
    "local at = 1 while at <= #ARGV do local uid, last = ARGV[at + 1], at + 1 + tonumber(ARGV[at]) ",
    "local all, left, found = redis.call('HGET', KEYS[1], uid) or '', {}, {} ",
    "items(all, function(field, _, item) left[#left + 1] = item found[field] = #left end) ",
    "for i = at + 2, last do if found[ARGV[i]] then left[found[ARGV[i]]] = '' end end ",
    "local text, done = table.concat(left), 0 ",
    "if text == '' then done = redis.pcall('HDEL', KEYS[1], uid) ",
    "elseif text ~= all then done = redis.pcall('HSET', KEYS[1], uid, text) end ",
    "if type(done) == 'table' then return done end ",
    "at = last + 1 end return 1"
);

/// Begins a removal by the app: removes fields of users from what is kept, and makes their entries uncertain, so that a purge that
/// finds its lease lost does not put the members back. Keys: what is kept, the fields of each user. Arguments: as above.
const LEAVING: &str = on_kept!(
    "local kept, at, key = redis.call('HLEN', KEYS[1]) > 0, 1, 2 ",
    "while at <= #ARGV do local fields, last = {}, at + 1 + tonumber(ARGV[at]) ",
    "for i = at + 2, last do fields[#fields + 1] = ARGV[i] ",
    "if redis.call('HGET', KEYS[key], ARGV[i]) == '' then ",
    "local done = redis.pcall('HSET', KEYS[key], ARGV[i], '?') if type(done) == 'table' then return done end end end ",
    "local failed = kept and unkeep(KEYS[1], ARGV[at + 1], fields) if failed then return failed end ",
    "at = last + 1 key = key + 1 end return 1"
);

/// Entries: for each user the fields.
pub(crate) type Entries<'a> = BTreeMap<&'a [u8], Vec<&'a [u8]>>;

/// Makes a change of entries of an index in a cluster.
pub(crate) fn indexed(index: &Key, adds: bool, entries: &Entries) -> Cmd {
    let script = if adds { ADD_ENTRIES } else { REMOVE_ENTRIES };
    of_entries(script, index, entries)
}

/// Makes the addition of entries of members that were found while they may be removed.
pub(crate) fn restored(index: &Key, entries: &Entries) -> Cmd {
    of_entries(RESTORE_ENTRIES, index, entries)
}

/// Makes the addition of entries of members that a scan has found.
pub(crate) fn entered(index: &Key, entries: &Entries) -> Cmd {
    of_entries(ENTER_ENTRIES, index, entries)
}

/// Makes the step with which a user begins to be put back.
pub(crate) fn begin_back(keys: [&Key; 3], epoch: &[u8], uid: &[u8]) -> Cmd {
    back(BEGIN_BACK, keys, epoch, uid)
}

/// Makes the step with which that ends.
pub(crate) fn end_back(keys: [&Key; 3], epoch: &[u8], uid: &[u8], fields: &[Vec<u8>]) -> Cmd {
    let mut cmd = back(END_BACK, keys, epoch, uid);
    cmd.arg(fields);
    cmd
}

fn back(script: &str, [index, lease, gone]: [&Key; 3], epoch: &[u8], uid: &[u8]) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(5).arg(index).arg(of_user(index, uid));
    cmd.arg(lease).arg(gone).arg(ended_of(gone));
    cmd.arg(epoch).arg(uid);
    cmd
}

fn of_entries(script: &str, index: &Key, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(entries.len() + 1).arg(index);
    for uid in entries.keys() {
        cmd.arg(of_user(index, uid));
    }
    with_fields(&mut cmd, entries);
    cmd
}

/// Makes the addition of entries to what is kept for some milliseconds.
pub(crate) fn keep(gone: &Key, millis: u64, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(KEEP).arg(2).arg(gone).arg(ended_of(gone));
    cmd.arg(millis);
    with_fields(&mut cmd, entries);
    cmd
}

/// Makes their removal from what is kept.
pub(crate) fn unkeep(gone: &Key, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(UNKEEP).arg(1).arg(gone);
    with_fields(&mut cmd, entries);
    cmd
}

/// Makes the removal of what [`keep`] has just added.
pub(crate) fn unkeep_last(gone: &Key, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(UNKEEP_LAST).arg(1).arg(gone);
    with_fields(&mut cmd, entries);
    cmd
}

/// Makes the step with which a removal of these members by the app begins.
pub(crate) fn leaving(index: &Key, gone: &Key, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(LEAVING).arg(entries.len() + 1).arg(gone);
    for uid in entries.keys() {
        cmd.arg(of_user(index, uid));
    }
    with_fields(&mut cmd, entries);
    cmd
}

fn with_fields(cmd: &mut Cmd, entries: &Entries) {
    for (uid, fields) in entries {
        cmd.arg(fields.len()).arg(uid).arg(fields);
    }
}
