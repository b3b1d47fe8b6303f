//! The writes of option `events` in a Redis Cluster: scripts on one key that change the members of a channel on a frontend,
//! and publish that in the same step ([`crate::events`], [`crate::events::message`]). They answer what the command in their
//! place answers.
//!
//! **Where they publish.** On a channel of the node itself: its name ends with the id of the node, for which the script asks
//! (`CLUSTER MYID`). [`super::subscription`] says why. No key decides on it, so a slot can be on its way to another node
//! meanwhile.
//!
//! **While a slot moves.** A node that gives a slot away refuses a key that it has not, also in the middle of a script. So
//! a script looks at the members first and then changes them by one command: the key may be gone after it. For the same
//! reason the script does not look at the channel on other frontends, also with option `hashTag`: a change is marked if it
//! made the first member on its own frontend, or removed the last one there. [`crate::events::occupancy`] makes of that what
//! it means for the channel.

use redis::Cmd;

use crate::{
    command::{Command, Op, WriteOp},
    error::{Error, Result},
    events::{
        Publishing,
        message::{put_head, put_text},
    },
    keys::{Key, sid_of},
    redis_manager::{EventScripts, Missing, command},
};

/// Publishes on the channel of this node, and answers. The id comes after the change, because Redis 6 refuses a write
/// after a command whose answer may vary.
macro_rules! script {
    ($($rest:expr),+) => {
        concat!(
            "local function publish(text, answer) ",
            "local id = redis.pcall('CLUSTER', 'MYID') if type(id) == 'table' then return id end ",
            "local done = redis.pcall('PUBLISH', ARGV[1] .. id, text) ",
            "if type(done) == 'table' then return done end return answer end ",
            $($rest),+
        )
    };
}

/// Changes members. Key: the channel. Arguments: what the channel of publish and subscribe begins with; time, reason,
/// channel and frontend as the message has them, uids. `$is` is what `SISMEMBER` answers for those who are to be changed,
/// `$left` the size before if the change is to be marked.
macro_rules! of_members {
    ($command:literal, $is:literal, $kind:literal, $left:literal) => {
        script!(
            "local size = redis.pcall('SCARD', KEYS[1]) if type(size) == 'table' then return size end ",
            "local uids, told, seen, wrong, count = {}, {}, {}, nil, 0 ",
            "for i = 3, #ARGV do local uid = ARGV[i] if not seen[uid] then seen[uid] = true ",
            "local is = redis.pcall('SISMEMBER', KEYS[1], uid) ",
            "if type(is) == 'table' then return is end ",
            "if is == ",
            $is,
            " then uids[#uids + 1] = uid end end end ",
            // Some at a time, because a call takes a limited number of arguments.
            "for i = 1, #uids, 1000 do local last = math.min(i + 999, #uids) ",
            "wrong = redis.pcall('",
            $command,
            "', KEYS[1], unpack(uids, i, last)) ",
            "if type(wrong) == 'table' then break end wrong = nil ",
            "for j = i, last do count = count + 1 told[count] = #uids[j] .. ':' .. uids[j] end end ",
            "if count == 0 then return wrong or 0 end ",
            "local mark = '.' if size == ",
            $left,
            " then mark = 'e' end ",
            "return publish('",
            $kind,
            "' .. mark .. ARGV[2] .. count .. ':' .. table.concat(told), wrong or count)"
        )
    };
}

const ADD: &str = of_members!("SADD", "0", "+", "0");

const REMOVE: &str = of_members!("SREM", "1", "-", "count");

/// Removes a channel on a frontend. One more argument: the command that does.
const DESTROY: &str = script!(
    "local count = redis.pcall('SCARD', KEYS[1]) \
     local done = redis.pcall(ARGV[3], KEYS[1]) \
     if type(count) == 'table' or done ~= 1 then return done end \
     return publish('xe' .. ARGV[2] .. count .. ':', done)"
);

/// The reason of what the app has called for.
pub(super) const CALL: &[u8] = b"call";

/// What these scripts take, for error messages.
const NEEDS: &str = "option events takes EVAL, PUBLISH, SISMEMBER, SCARD and CLUSTER MYID, and the channels PREFIX@events:*";

/// These scripts, for the connection of a node.
pub(super) static NODE: EventScripts = EventScripts {
    encode,
    needs: NEEDS,
};

/// Encodes a write that changes the members of a channel on some frontends.
fn encode(
    call: &Command,
    missing: &Missing,
    (publishing, _): (&Publishing, bool),
    each: &mut dyn FnMut(Cmd),
) -> bool {
    let Op::Write(op @ (WriteOp::Add | WriteOp::Remove | WriteOp::Delete)) = call.op() else {
        return false;
    };
    if !call.keys().first().is_some_and(|key| publishing.has(key)) {
        return false;
    }
    for key in call.keys() {
        let uids = call.members().iter();
        each(match op {
            WriteOp::Add => change(publishing, true, key, CALL, uids),
            WriteOp::Remove => change(publishing, false, key, CALL, uids),
            _ => destroy(publishing, missing, key),
        });
    }
    true
}

/// Makes the step that adds or removes members.
pub(super) fn change<'a>(
    publishing: &Publishing,
    adds: bool,
    key: &Key,
    reason: &[u8],
    uids: impl Iterator<Item = &'a [u8]>,
) -> Cmd {
    let script = if adds { ADD } else { REMOVE };
    eval(publishing, script, key, reason, uids)
}

/// Makes the step that removes a channel on a frontend.
pub(super) fn destroy(publishing: &Publishing, missing: &Missing, key: &Key) -> Cmd {
    let name = missing.instead_of(WriteOp::Delete.redis_name());
    let rest = [name.as_bytes()].into_iter();
    eval(publishing, DESTROY, key, b"destroy", rest)
}

fn eval<'a>(
    publishing: &Publishing,
    script: &str,
    key: &Key,
    reason: &[u8],
    rest: impl Iterator<Item = &'a [u8]>,
) -> Cmd {
    let channel = publishing.of_node(b"");
    let head = head(publishing, key, reason);
    let mut cmd = command("EVAL", [script.as_bytes(), b"1", key, &channel, &head]);
    for item in rest {
        cmd.arg(item);
    }
    cmd
}

/// Writes time, reason, the channel and the frontend as a message has them.
fn head(publishing: &Publishing, key: &Key, reason: &[u8]) -> Vec<u8> {
    let sid = sid_of(key);
    let end = key.len().saturating_sub(sid.len() + 1);
    let field = key.get(publishing.stem.len()..end).unwrap_or_default();
    let mut head = Vec::new();
    put_head(&mut head, reason);
    for text in [field, sid] {
        put_text(&mut head, text);
    }
    head
}

/// Adds to the error of a step what it needs, if the server refuses a command in it.
pub(super) fn explained<T>(done: Result<T>) -> Result<T> {
    done.map_err(|error| match error {
        Error::Store(words) if refuses_script(&words) => {
            Error::Store(format!("{words} ({NEEDS})").into())
        }
        error => error,
    })
}

fn refuses_script(words: &str) -> bool {
    let signs = ["executing the script", "'eval'", "'publish'", "'cluster"];
    signs.iter().any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        events::{
            clock,
            message::{Kind, read},
        },
        keys::KeyLayout,
    };

    #[test]
    fn a_message_has_reason_channel_and_frontend() {
        for hash_tag in [false, true] {
            let keys = KeyLayout::new("P").with_hash_tag(hash_tag);
            let publishing = Publishing::new(keys.stem(), 0);
            let head = head(&publishing, &keys.key("a:b", "s1"), b"close");
            let message = [b"-.", head.as_slice(), b"1:2:u1"].concat();
            let changes = read(&message).expect("a message");
            let [change] = changes.as_slice() else {
                panic!("{changes:?}");
            };
            assert_eq!((change.kind, change.is_edge), (Kind::Leave, false));
            assert!(change.time.is_some_and(|time| time <= clock()));
            assert_eq!((change.reason, change.sid), (&b"close"[..], &b"s1"[..]));
            let field = if hash_tag { "{a:b}" } else { "a:b" };
            assert_eq!(change.field, field.as_bytes());
            assert_eq!(change.uids().collect::<Vec<_>>(), [b"u1"]);
        }
    }

    #[test]
    fn other_keys_and_reads_are_sent_as_they_are() {
        let publishing = Publishing::new(b"P:".to_vec(), 0);
        let (index, channel) = (b"P@sids".to_vec(), b"P:a:s1".to_vec());
        let missing = Missing::default();
        let add = |key: &Key| Command::write_members(WriteOp::Add, key.clone(), [b"u".to_vec()]);
        let made = |call: &Command| encode(call, &missing, (&publishing, false), &mut |_| {});
        assert!(!made(&add(&index)) && made(&add(&channel)));
        let read = Command::read(crate::command::ReadOp::Count, vec![channel.clone()]);
        assert!(!made(&read));
    }
}
