//! The operations on leases ([`crate::lease`]) as scripts of Redis. Each is one `EVAL` on keys of one hash slot, so it is
//! atomic on every kind of server, and takes constant time: `UNLINK` frees the members of a list in the background.
//!
//! **On a tracked connection.** These scripts run on the connection of the member cache. That is safe: tracking is
//! `OPTIN`, and the server remembers keys that a script reads only if the script comes directly after `CLIENT CACHING
//! YES`, which only a `SMEMBERS` does. What a script changes is reported as any other write: with Redis 6 before its
//! reply, from 7 on directly after it, and in both cases before the reply to any later command. The cache handles it as
//! a write of its keys.
//!
//! **Errors.** The first write of a script is called by `redis.pcall`, and its error returned as it is: servers before
//! Redis 7 would hide the code of an error, such as `READONLY`, in the text of another one.

use redis::{Cmd, Value as Answer};

use super::{codec::command, fallbacks::Missing, server_errors::words};
use crate::{
    command::{Command, Op, ReadOp, WriteOp},
    error::{Error, Result},
    keys::Key,
    lease::{Lease, LeaseState},
};

/// The commands that the scripts take, for error messages.
const NEEDS: &str = "EVAL, GET, PTTL, PSETEX, SCARD, SADD, SREM and UNLINK";

/// Reads the lease: who holds it (`epoch`, empty for no one), and the nonce of the operation that took it.
macro_rules! with_holder {
    ($lease:literal, $($rest:expr),+) => {
        concat!(
            "local value = redis.call('GET', ",
            $lease,
            ") local epoch, nonce = '', '' ",
            "if value then epoch, nonce = string.match(value, '^(%S+) (.*)$') ",
            "if not epoch then epoch, nonce = value, '' end end ",
            $($rest),+
        )
    };
}
pub(super) use with_holder;

/// The same, for scripts whose keys are the list of online users and the lease, and whose arguments are the epoch, the
/// nonce, the time in milliseconds, the expected epoch, and the command that removes a list. An answer is the number of the
/// state, a count, the epoch that held the lease, and the time that is left if nothing has changed.
macro_rules! script {
    ($rest:literal) => {
        with_holder!("KEYS[2]", $rest)
    };
}

const LEASE: &str = with_holder!(
    "KEYS[1]",
    "local ttl = 0 if value then ttl = redis.call('PTTL', KEYS[1]) end \
     return {value and 1 or 0, 0, epoch, ttl}"
);

const CLAIM: &str = script!(
    "if epoch ~= ARGV[1] and epoch ~= ARGV[4] then \
     return {3, 0, epoch, redis.call('PTTL', KEYS[2])} end \
     local removed = 0 \
     if epoch ~= ARGV[1] then removed = redis.call('SCARD', KEYS[1]) \
     if removed > 0 then local done = redis.pcall(ARGV[5], KEYS[1]) \
     if type(done) == 'table' then return done end end end \
     local done = redis.pcall('PSETEX', KEYS[2], ARGV[3], ARGV[1] .. ' ' .. ARGV[2]) \
     if done.err then return done end \
     return {1, removed, epoch, 0}"
);

const RENEW: &str = script!(
    "if not value then local done = redis.pcall('PSETEX', KEYS[2], ARGV[3], ARGV[1] .. ' ' .. ARGV[2]) \
     if done.err then return done end \
     return {2, redis.call('SCARD', KEYS[1]), '', 0} end \
     if epoch ~= ARGV[1] then return {3, 0, epoch, redis.call('PTTL', KEYS[2])} end \
     local done = redis.pcall('PSETEX', KEYS[2], ARGV[3], value) \
     if done.err then return done end \
     return {nonce == ARGV[2] and 2 or 1, redis.call('SCARD', KEYS[1]), epoch, 0}"
);

const RELEASE: &str = script!(
    "if value and epoch ~= ARGV[1] then return {3, 0, epoch, redis.call('PTTL', KEYS[2])} end \
     local removed = redis.call('SCARD', KEYS[1]) \
     if removed > 0 then local done = redis.pcall(ARGV[5], KEYS[1]) \
     if type(done) == 'table' then return done end end \
     if value then local done = redis.pcall(ARGV[5], KEYS[2]) \
     if type(done) == 'table' then return done end end \
     return {0, removed, epoch, 0}"
);

const SWEEP: &str = script!(
    "if value then return {1, 0, epoch, redis.call('PTTL', KEYS[2])} end \
     local removed = redis.call('SCARD', KEYS[1]) \
     if removed > 0 then local done = redis.pcall(ARGV[5], KEYS[1]) \
     if type(done) == 'table' then return done end end \
     return {0, removed, '', 0}"
);

/// Changes the list of online users, some at a time, because a call in a script takes a limited number of arguments. The
/// arguments are the epoch, the users, and the command that removes a list.
macro_rules! online {
    ($command:literal) => {
        with_holder!(
            "KEYS[2]",
            "if epoch ~= ARGV[1] then return {3, 0, epoch, 0} end ",
            "local changed, last = 0, #ARGV - 1 for i = 2, last, 1000 do ",
            "local done = redis.pcall('",
            $command,
            "', KEYS[1], unpack(ARGV, i, math.min(i + 999, last))) ",
            "if type(done) == 'table' then return done end changed = changed + done end ",
            "return {value and 1 or 0, changed, epoch, 0}"
        )
    };
}

const ADD_ONLINE: &str = online!("SADD");

const REMOVE_ONLINE: &str = online!("SREM");

/// Returns the script of an operation, if it is one on a lease.
pub(super) const fn of(op: Op) -> Option<&'static str> {
    match op {
        Op::Read(ReadOp::Lease) => Some(LEASE),
        Op::Write(WriteOp::Claim) => Some(CLAIM),
        Op::Write(WriteOp::Renew) => Some(RENEW),
        Op::Write(WriteOp::Release) => Some(RELEASE),
        Op::Write(WriteOp::Sweep) => Some(SWEEP),
        Op::Write(WriteOp::AddOnline) => Some(ADD_ONLINE),
        Op::Write(WriteOp::RemoveOnline) => Some(REMOVE_ONLINE),
        _ => None,
    }
}

/// Encodes a command that is a script, about these keys.
pub(super) fn encode(script: &str, call: &Command, missing: &Missing, keys: &[Key]) -> Cmd {
    let count = keys.len().to_string();
    let head = [script.as_bytes(), count.as_bytes()];
    let last = missing.instead_of(WriteOp::Delete.redis_name()).as_bytes();
    let items = keys.iter().map(Vec::as_slice).chain(call.members());
    command(
        call.op().redis_name(),
        head.into_iter().chain(items).chain([last]),
    )
}

/// Decodes the answer of a script.
pub(crate) fn lease(answer: Answer) -> Result<Lease> {
    let wrong = || Error::Store("the answer to a script on a lease is not its own".into());
    let items = match answer {
        Answer::Array(items) => items,
        Answer::ServerError(error) => {
            let words = words(&error);
            return Err(Error::Store(
                format!("{words} (a lease takes the commands {NEEDS})").into(),
            ));
        }
        _ => return Err(wrong()),
    };
    let [
        Answer::Int(state),
        Answer::Int(count),
        epoch,
        Answer::Int(ttl),
    ] = items.as_slice()
    else {
        return Err(wrong());
    };
    let epoch = match epoch {
        Answer::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Answer::SimpleString(text) => text.clone(),
        _ => return Err(wrong()),
    };
    let state = usize::try_from(*state).ok();
    let state = state.and_then(|state| LeaseState::ALL.get(state)).copied();
    Ok(Lease {
        state: state.ok_or_else(wrong)?,
        count: u64::try_from(*count).unwrap_or_default(),
        epoch,
        ttl: u64::try_from(*ttl).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::membership_scripts, *};

    fn parsed(text: &str) -> Answer {
        redis::parse_redis_value(text.as_bytes()).expect("RESP")
    }

    #[test]
    fn an_answer_is_a_lease_or_an_error_that_names_the_commands() {
        let good = parsed("*4\r\n:3\r\n:0\r\n$2\r\ne1\r\n:500\r\n");
        let expected = Lease {
            state: LeaseState::Lost,
            count: 0,
            epoch: "e1".to_owned(),
            ttl: 500,
        };
        assert_eq!(lease(good), Ok(expected));
        for text in ["+OK\r\n", "*0\r\n", "*4\r\n:9\r\n:0\r\n$0\r\n\r\n:0\r\n"] {
            assert!(lease(parsed(text)).is_err(), "{text}");
        }
        let error = lease(parsed("-ERR unknown command 'EVAL'\r\n"));
        let words = error.expect_err("it is one").to_string();
        assert!(words.starts_with("ERR unknown command 'EVAL' ("), "{words}");
        assert!(words.contains("PSETEX"), "{words}");
    }

    #[test]
    fn each_operation_on_a_lease_has_a_script_and_no_other() {
        for &op in Op::ALL {
            let is_script = op.redis_name() == "EVAL";
            let is_other = membership_scripts::of(op).is_some();
            assert_eq!(of(op).is_some(), is_script && !is_other, "{op:?}");
        }
    }
}
