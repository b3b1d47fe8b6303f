//! The scripts that change the index of members ([`crate::membership`]) in a Redis Cluster, where channels are in other slots
//! (`redis_cluster/membership.rs` and `redis_cluster/purge.rs`): entries alone. All keys of a script are in the slot of the
//! frontend, and are declared, so that the server redirects them while the slot moves.

use std::collections::BTreeMap;

use redis::Cmd;

use super::membership_scripts::keep_fields;
use crate::{
    keys::{Key, of_user},
    membership::begin,
};

/// Goes through users with fields, as arguments: the number of fields, the uid, and these. The answer is how many entries
/// were added or removed.
macro_rules! of_users {
    ($each:literal) => {
        concat!(
            "local key, at, changed = 2, 1, 0 while key <= #KEYS do ",
            "local uid, first, last = ARGV[at + 1], at + 2, at + 1 + tonumber(ARGV[at]) ",
            $each,
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

/// Adds fields of users to what is kept. Key: that. Arguments: the time in milliseconds; for each user the uid and his fields,
/// each with its length.
const KEEP: &str = concat!(
    "for at = 2, #ARGV, 2 do ",
    keep_fields!("KEYS[1]", "ARGV[at]", "ARGV[at + 1]"),
    "end return redis.pcall('PEXPIRE', KEYS[1], ARGV[1])"
);

/// Removes fields of users from what is kept. Key: that. Arguments: as for the addition, without the time.
const UNKEEP: &str = "for at = 1, #ARGV, 2 do local uid = ARGV[at] \
    local all = redis.pcall('HGET', KEYS[1], uid) if type(all) == 'table' then return all end \
    local function each(text, call) local from = 1 \
    while from <= #text do local colon = string.find(text, ':', from, true) \
    local size = colon and tonumber(string.sub(text, from, colon - 1)) if not size then break end \
    call(string.sub(text, from, colon + size)) from = colon + size + 1 end end \
    if all then local gone, left = {}, {} \
    each(ARGV[at + 1], function(item) gone[item] = true end) \
    each(all, function(item) if not gone[item] then left[#left + 1] = item end end) \
    local done if #left > 0 then done = redis.pcall('HSET', KEYS[1], uid, table.concat(left)) \
    else done = redis.pcall('HDEL', KEYS[1], uid) end \
    if type(done) == 'table' then return done end end end return 0";

/// Entries: for each user the fields.
pub(crate) type Entries<'a> = BTreeMap<&'a [u8], Vec<&'a [u8]>>;

/// Makes a change of entries of an index in a cluster.
pub(crate) fn indexed(index: &Key, adds: bool, entries: &Entries) -> Cmd {
    let script = if adds { ADD_ENTRIES } else { REMOVE_ENTRIES };
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(entries.len() + 1).arg(index);
    for uid in entries.keys() {
        cmd.arg(of_user(index, uid));
    }
    for (uid, fields) in entries {
        cmd.arg(fields.len()).arg(uid).arg(fields);
    }
    cmd
}

/// Makes the addition of entries to what is kept for some milliseconds.
pub(crate) fn keep(gone: &Key, millis: u64, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(KEEP).arg(1).arg(gone).arg(millis);
    for (uid, fields) in entries {
        let each = fields.iter().map(|field| begin(field));
        cmd.arg(uid).arg(each.collect::<Vec<_>>().concat());
    }
    cmd
}

/// Makes their removal from what is kept.
pub(crate) fn unkeep(gone: &Key, entries: &Entries) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(UNKEEP).arg(1).arg(gone);
    for (uid, fields) in entries {
        let each = fields.iter().map(|field| begin(field));
        cmd.arg(uid).arg(each.collect::<Vec<_>>().concat());
    }
    cmd
}
