//! A round of commands of an operation that takes several ([`super::membership`]), and its answers.

use std::{collections::HashMap, sync::Arc};

use redis::{Cmd, Value};

use super::{routing::Plan, send::send, shared::Shared};
use crate::{
    error::{Error, Result},
    keys::Key,
    manager::Lost,
    redis_manager::wrote,
};

pub(super) type Sent<T> = std::result::Result<T, Lost>;

/// Sends commands, each with a key in its slot, and returns their answers.
pub(super) async fn ask(
    shared: &Arc<Shared>,
    commands: Vec<(&Key, Cmd)>,
) -> Sent<Vec<Result<Value>>> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    send(shared, Plan::commands(commands)).await
}

/// The first error of each call, or user, by its number.
pub(super) type Refused = HashMap<usize, Error>;

/// Sends writes, each for the call or user with this number. What no node has executed is sent again ([`super::send`]); what one
/// refuses is the error of that call: a round that is missing must not look like one that is done.
pub(super) async fn write(
    shared: &Arc<Shared>,
    commands: Vec<(usize, &Key, Cmd)>,
    refused: &mut Refused,
) -> Sent<()> {
    let commands = commands.into_iter();
    let (numbers, commands): (Vec<_>, Vec<_>) =
        commands.map(|(at, key, cmd)| (at, (key, cmd))).unzip();
    for (at, answer) in numbers.into_iter().zip(ask(shared, commands).await?) {
        if let Err(error) = answer.and_then(wrote) {
            refused.entry(at).or_insert(error);
        }
    }
    Ok(())
}

/// Returns whether the answer to `SISMEMBER` tells of a member. An error counts as one, unless the key is no set: then it has
/// none of ours.
pub(super) fn is_member(answer: Result<Value>) -> bool {
    match answer.and_then(wrote) {
        Ok(count) => count > 0,
        Err(error) => !is_no_set(&error),
    }
}

/// Returns the items of a list.
pub(super) fn items(answer: Value) -> Result<Vec<Vec<u8>>> {
    match answer {
        Value::Array(items) => Ok(items
            .into_iter()
            .filter_map(|item| match item {
                Value::BulkString(bytes) => Some(bytes),
                _ => None,
            })
            .collect()),
        other => wrote(other).map(|_| Vec::new()),
    }
}

pub(super) fn is_no_set(error: &Error) -> bool {
    matches!(error, Error::Store(words) if words.starts_with("WRONGTYPE"))
}

pub(super) fn unanswered() -> Error {
    Error::Internal("a command of the batch was not answered".to_owned())
}
