//! `clean`: removes sets by their keys (see [`Removal`]), in the small steps of [`super::scan`]. The role is asked at the end,
//! because a replica may have had nothing to remove.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};

use super::{
    codec::command,
    event_scripts,
    fallbacks::Commands,
    scan::{ScanError, found, refused, send, sets_among},
    state::{State, lock},
};
use crate::{
    command::Reply,
    error::{Error, Result},
    events::Publishing,
    keys::Key,
    manager::Lost,
    removal::Removal,
    steps::Steps,
};

/// The maximum number of sets in one script with events, which looks for members of each channel on all frontends.
const PUBLISHED: usize = 100;

/// Cleans, up to the end or to the first error of the server.
pub(super) async fn clean(
    (connection, commands, publishing): (MultiplexedConnection, Commands, Option<Arc<Publishing>>),
    state: Arc<Mutex<State>>,
    removal: Removal,
    steps: Steps,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let mut found = found(connection.clone(), commands.clone(), removal.stem());
    let work = async {
        while let Some(keys) = found.next().await {
            steps.next();
            let keys = removal.among(keys?);
            let sets = sets_among(connection.clone(), commands.clone(), keys).await?;
            let most = if publishing.is_some() {
                PUBLISHED
            } else {
                usize::MAX
            };
            for sets in sets.chunks(most) {
                let unlink = removal_of(&commands, publishing.as_deref(), sets);
                steps.count(run(connection.clone(), &state, unlink).await?);
                steps.next();
            }
        }
        is_primary(connection, &state).await
    };
    match work.await {
        Ok(()) => Ok(vec![Ok(Reply::Removed(steps.removed()))]),
        Err(ScanError::Refused(error)) => Ok(vec![Err(error)]),
        Err(ScanError::Lost(lost)) => Err(lost),
    }
}

/// Makes the removal of keys.
fn removal_of(commands: &Commands, publishing: Option<&Publishing>, sets: &[Key]) -> Cmd {
    match publishing {
        Some(publishing) => event_scripts::destroy(publishing, &commands.missing(), sets),
        None => command(commands.instead_of("UNLINK"), sets),
    }
}

/// Removes keys; returns how many were there.
async fn run(
    connection: MultiplexedConnection,
    state: &Mutex<State>,
    removal: Cmd,
) -> std::result::Result<u64, ScanError> {
    let mut unlink = Pipeline::new();
    unlink.add_command(removal);
    let mut values = send(connection, &unlink).await?;
    lock(state).observe(&values, None);
    match values.pop() {
        Some(Value::ServerError(error)) => Err(refused(&error)),
        Some(Value::Int(removed)) => Ok(removed.unsigned_abs()),
        _ => Ok(0),
    }
}

/// Fails unless the server that was cleaned is still the primary.
async fn is_primary(
    connection: MultiplexedConnection,
    state: &Mutex<State>,
) -> std::result::Result<(), ScanError> {
    let Some(question) = lock(state).role.question() else {
        return Ok(());
    };
    let mut pipeline = Pipeline::new();
    pipeline.add_command(question.command());
    let answer = send(connection, &pipeline).await?.pop();
    let mut state = lock(state);
    state.observe(&[], answer.map(|answer| (question, answer)));
    match state.role.demoted() {
        Some(words) => Err(ScanError::Refused(Error::Store(words))),
        None => Ok(()),
    }
}
