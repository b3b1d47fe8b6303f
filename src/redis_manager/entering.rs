//! Adds members to the index that it does not have ([`crate::pages::unindexed`]), on one Redis: a script that reads a part
//! of a channel's members and writes their entries. So no call of others is between the read and the write, and the members
//! do not cross the network. It takes its place between two commands of the connection, as the reads of pages do, and leaves
//! the lists of members as they are. Users who are new to the index are reported to the cache by the server.

use redis::{Cmd, Value};

use super::{codec::command, membership_scripts::on_index, server_errors::store_error};
use crate::{
    error::{Error, Result},
    keys::Key,
    membership::field,
};

/// Keys: channel, index. Arguments: the field of the channel, the cursor, the number of members. The answer is the next
/// cursor, and how many members were not in the index. What is no set has no members.
///
/// Servers before Redis 5 take no write after a command whose answer is in no order, unless they are told to replicate
/// what the script has changed, which later ones always do.
const ENTER: &str = on_index!(
    "if redis.replicate_commands then redis.replicate_commands() end \
     local page = redis.pcall('SSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]) \
     if page.err then \
     if string.find(page.err, 'WRONGTYPE', 1, true) then return {'0', 0} end \
     return page end \
     local entered, uids = 0, page[2] \
     for i = 1, #uids, 1000 do \
     local done = redis.pcall('SADD', KEYS[2], unpack(uids, i, math.min(i + 999, #uids))) \
     if type(done) == 'table' then return done end end \
     for _, uid in ipairs(uids) do \
     local key = own(KEYS[2], uid) local done = redis.pcall('HGET', key, ARGV[1]) \
     if not done then done = redis.pcall('HSET', key, ARGV[1], '') entered = entered + 1 end \
     if type(done) == 'table' then return done end end \
     return {page[1], entered}"
);

/// What the script needs, for error messages.
const NEEDS: &str = "EVAL, SSCAN, SADD, HGET and HSET";

/// Makes the command.
pub(super) fn enter([channel, index]: &[Key; 2], cursor: &[u8], count: usize) -> Cmd {
    let field = field(channel, index).unwrap_or_default();
    let count = count.to_string();
    let items = [
        ENTER.as_bytes(),
        b"2",
        channel,
        index,
        field,
        cursor,
        count.as_bytes(),
    ];
    command("EVAL", items)
}

/// Decodes its answer: the next cursor, and how many members were entered.
pub(super) fn entered(answer: Option<Value>) -> Result<(Vec<u8>, u64)> {
    let parts = match answer {
        Some(Value::Array(parts)) => parts,
        Some(Value::ServerError(error)) => {
            let words = store_error(&error);
            let needs = format!("{words} (members are added to the index by {NEEDS})");
            return Err(Error::Store(needs.into()));
        }
        _ => Vec::new(),
    };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::BulkString(cursor), Value::Int(count)]) => {
            Ok((cursor, u64::try_from(count).unwrap_or_default()))
        }
        _ => Err(Error::Internal(
            "the script that adds to the index answered in an unknown form".to_owned(),
        )),
    }
}
