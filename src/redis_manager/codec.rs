//! Encodes commands in Redis's protocol and decodes the answers, for a single server and for the nodes of a cluster.
//! Everything about an operation comes from the table in [`crate::command`].

use std::sync::Arc;

use redis::{Cmd, Value as Answer};

use super::{
    event_scripts::EventScripts, fallbacks::Missing, kept_scripts, lease_scripts,
    membership_scripts, server_errors::store_error, wire,
};
use crate::{
    command::{Command, Items, Op, ReadOp, Reply, Value, ValueKind, WriteOp},
    error::{Error, Result},
    events::Publishing,
    keys::Key,
    list::List,
};

/// Makes a command with its arguments, with memory of the right size allocated once.
pub(crate) fn command<A: AsRef<[u8]>>(
    name: &str,
    args: impl IntoIterator<Item = A, IntoIter: Clone>,
) -> Cmd {
    let args = args.into_iter();
    let sizes = args.clone().map(|arg| arg.as_ref().len());
    let (count, bytes) = sizes.fold((1, name.len()), |(n, sum), size| (n + 1, sum + size));
    let mut command = Cmd::with_capacity(count, bytes);
    command.arg(name);
    for arg in args {
        command.arg(arg.as_ref());
    }
    command
}

/// Makes a read of one key.
pub(crate) fn read(op: ReadOp, key: &[u8]) -> Cmd {
    command(op.redis_name(), [key])
}

/// What a write does beside its own change.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SideEffects<'a> {
    /// Where changes of channels are published, and by which scripts, if they are.
    pub(crate) publishing: Option<(&'a Publishing, &'a EventScripts)>,
    /// The stem, if members that are removed with their sessions are kept ([`super::kept_scripts`]).
    pub(crate) kept: Option<&'a Key>,
}

/// Encodes a command for a server that has all keys: a write of keys only as one Redis command, any other as one for
/// each key ([`Op::commands`]). What the server lacks is replaced.
pub(super) fn encode(
    call: &Command,
    missing: &Missing,
    effects: SideEffects,
    mut each: impl FnMut(Cmd),
) {
    let keeps = effects.kept.is_some();
    let is_told =
        |(to, scripts): (_, &EventScripts)| (scripts.encode)(call, missing, (to, keeps), &mut each);
    if effects.publishing.is_some_and(is_told) {
        return;
    }
    match (call.op(), call.op().items()) {
        (Op::Write(op), Items::Keys) => each(match effects.kept {
            Some(stem) if op == WriteOp::Delete => {
                kept_scripts::destroy(stem, missing, call.keys())
            }
            _ => command(missing.instead_of(op.redis_name()), call.keys()),
        }),
        _ => call
            .targets()
            .for_each(|keys| each(encode_for(call, missing, keys))),
    }
}

/// Encodes a command that is about one key as [`encode`] does.
pub(crate) fn encode_one(call: &Command, missing: &Missing, effects: SideEffects) -> Cmd {
    let mut only = Cmd::new();
    encode(call, missing, effects, |cmd| only = cmd);
    only
}

/// Encodes the part of a command that is about some of its keys ([`Command::targets`]).
fn encode_for(call: &Command, missing: &Missing, keys: &[Key]) -> Cmd {
    if let Some(script) = lease_scripts::of(call.op()) {
        return lease_scripts::encode(script, call, missing, keys);
    }
    if let Some(cmd) = membership_scripts::encode(call, keys) {
        return cmd;
    }
    let key = keys.first();
    let name = call.op().redis_name();
    let sent = missing.instead_of(name);
    // What replaces a command that is about members reads all of them.
    let members = (sent == name).then(|| call.members().iter());
    let key = key.into_iter().map(Vec::as_slice);
    command(sent, key.chain(members.unwrap_or_default()))
}

/// Decodes the answers to the commands that [`encode`] made of a command with `keys` keys; `next` returns them in
/// order.
pub(crate) fn decode(
    op: Op,
    keys: usize,
    scripts: &EventScripts,
    mut next: impl FnMut() -> Answer,
) -> Result<Reply> {
    match op {
        Op::Read(op) => {
            let values = (0..keys).map(|_| value(op, scripts, next()));
            Ok(Reply::Values(values.collect()))
        }
        Op::Write(op) if op.items() == Items::OneSlot => {
            let lease = lease_scripts::lease(next()).map(Reply::from);
            membership_scripts::explained(Op::Write(op), scripts, lease)
        }
        Op::Write(WriteOp::LeaveAll) => {
            // A write is done or not; the answers after an error are taken too.
            let lists: Vec<_> = (0..keys)
                .map(|_| membership_scripts::left(next(), scripts))
                .collect();
            let lists = lists.into_iter().collect::<Result<Vec<_>>>()?;
            Ok(Reply::Values(lists.into_iter().map(Ok).collect()))
        }
        Op::Write(op) => {
            let mut done = Ok(0);
            for _ in 0..Op::Write(op).commands(keys) {
                // The answers after an error are taken too.
                let changed = wrote(next());
                done = done.and_then(|sum: u64| Ok(sum + changed?));
            }
            membership_scripts::explained(Op::Write(op), scripts, done.map(Reply::Changed))
        }
    }
}

/// Decodes the answer to a write: how many members or keys it changed.
pub(crate) fn wrote(answer: Answer) -> Result<u64> {
    match answer {
        Answer::ServerError(error) => Err(store_error(&error)),
        Answer::Int(count) => Ok(count.try_into().unwrap_or_default()),
        _ => Err(Error::Store("the answer to a write is no number".into())),
    }
}

/// Decodes the answer to a read of one key.
fn value(op: ReadOp, scripts: &EventScripts, answer: Answer) -> Result<Value> {
    match op.kind() {
        ValueKind::List => {
            let list = list(answer).map(Arc::new).map(Value::List);
            membership_scripts::explained(Op::Read(op), scripts, list)
        }
        ValueKind::Int => int(op, answer).map(Value::Int),
        ValueKind::Lease => lease_scripts::lease(answer).map(Value::from),
        // Of SMEMBERS, from a server that lacks the command: the driver looks for the member.
        ValueKind::Bool
            if matches!(
                answer,
                Answer::Array(_) | Answer::Set(_) | Answer::BulkString(_)
            ) =>
        {
            list(answer).map(Arc::new).map(Value::List)
        }
        ValueKind::Bool => int(op, answer).map(|number| Value::Bool(number != 0)),
    }
}

/// Decodes the answer to a read of members.
pub(crate) fn list(answer: Answer) -> Result<List> {
    placed_list(answer).1
}

/// The same, with how many pushes arrived before the answer; 0 if that is not known.
pub(crate) fn placed_list(answer: Answer) -> (u64, Result<List>) {
    match wire::whole(answer) {
        // Written where it was received: see [`super::wire`].
        Answer::BulkString(bytes) => match List::from_wire(bytes) {
            Some((list, pushes)) => (pushes, Ok(list)),
            None => (
                0,
                Err(unexpected(ReadOp::Members.redis_name(), "is no list")),
            ),
        },
        answer => (0, plain_list(answer)),
    }
}

/// Decodes a list that is as the server sent it.
fn plain_list(answer: Answer) -> Result<List> {
    let name = ReadOp::Members.redis_name();
    match answer {
        Answer::Array(items) | Answer::Set(items) => {
            let members = items.into_iter().map(|item| match item {
                Answer::BulkString(bytes) => Ok(bytes),
                Answer::SimpleString(text) => Ok(text.into_bytes()),
                _ => Err(unexpected(name, "has a member that is no string")),
            });
            List::new(members.collect::<Result<Vec<_>>>()?)
        }
        Answer::ServerError(error) => Err(store_error(&error)),
        _ => Err(unexpected(name, "is no list")),
    }
}

fn int(op: ReadOp, answer: Answer) -> Result<u64> {
    let no = || unexpected(op.redis_name(), "is no number");
    match wire::whole(answer) {
        Answer::Int(count) => u64::try_from(count).map_err(|_| no()),
        // Of SMEMBERS, from a server that lacks the command.
        Answer::Array(members) | Answer::Set(members) => Ok(members.len() as u64),
        Answer::BulkString(bytes) => List::from_wire(bytes)
            .map(|(list, _)| list.len() as u64)
            .ok_or_else(no),
        Answer::ServerError(error) => Err(store_error(&error)),
        _ => Err(no()),
    }
}

fn unexpected(name: &str, what: &str) -> Error {
    Error::Store(format!("the answer to {name} {what}").into())
}
