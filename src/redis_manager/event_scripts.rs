//! The writes of option `events` on one Redis: the commands that run the scripts of [`super::event_texts`] in the place of
//! the others ([`crate::events`], [`crate::events::message`]).

use redis::Cmd;

use super::{
    event_texts::{ADD, DESTROY, DESTROY_KEPT, JOIN, LEAVE_ALL, PART, PURGE, PUT_BACK, REMOVE},
    fallbacks::Missing,
    membership_scripts::{purge_arguments, user_arguments},
};
use crate::{
    command::{Command, Op, WriteOp},
    events::{Publishing, message::put_head},
    keys::{Key, ended_of, gone_beside, gone_under, sid_of},
    membership::{OfUser, Place, Purge, field},
};

/// The most entries that one step of a purge takes here: it may have to look at as many channels on all frontends.
const STEP: usize = 100;

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
            let rest = purge_arguments(&purge, place);
            let head = (PURGE, place.sid, purge.reason);
            let rest = rest.iter().map(Vec::as_slice).chain(purge.uids);
            each(eval(publishing, head, &keys, rest));
        }
        WriteOp::PutBack => {
            let purge = Purge::of(call.members());
            let index = keys.first().map(Vec::as_slice).unwrap_or_default();
            let place = Place::of(index, purge.stem);
            let ended = keys.last().map(|gone| ended_of(gone));
            let keys: Vec<_> = keys.iter().chain(&ended).collect();
            let rest = [purge.epoch.to_vec(), place.head.to_vec(), place.tail()];
            let rest = rest.iter().map(Vec::as_slice).chain(purge.uids);
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
    let rest = std::iter::once(field.unwrap_or_default()).chain(call.members());
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
