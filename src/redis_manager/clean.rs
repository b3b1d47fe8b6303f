//! `clean`: removes sets by their keys (see [`Removal`]), in the small steps of [`super::scan`]. The role is asked at the end,
//! because a replica may have had nothing to remove.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};

use super::{
    codec::command,
    event_scripts::{self, EventScripts},
    fallbacks::Commands,
    kept_scripts::{self, marks},
    membership_scripts::explained,
    scan::{ScanError, found, refused, send, sets_among},
    server_errors::store_error,
    state::{State, lock},
};
use crate::{
    command::{Op, Reply, WriteOp},
    error::{Error, Result},
    events::Publishing,
    keys::{Key, gone_stem},
    manager::Lost,
    removal::Removal,
    steps::Steps,
};

/// The maximum number of sets in one script: with events it looks for members of each channel on all frontends, and with option
/// `membership` for what is kept of them.
const SCRIPTED: usize = 100;

/// Cleans, up to the end or to the first error of the server.
pub(super) async fn clean(
    (connection, commands): (MultiplexedConnection, Commands),
    (publishing, kept): (Option<Arc<Publishing>>, Option<Key>),
    state: Arc<Mutex<State>>,
    removal: Removal,
    steps: Steps,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    let mut found = found(connection.clone(), commands.clone(), removal.stem());
    let unkeep = || async {
        match &kept {
            Some(stem) => unkept(connection.clone(), &commands, &state, (stem, &removal)).await,
            None => Ok(()),
        }
    };
    let work = async {
        // In between members may be removed with their sessions, and be kept or put back.
        unkeep().await?;
        while let Some(keys) = found.next().await {
            steps.next();
            let keys = removal.among(keys?);
            let sets = sets_among(connection.clone(), commands.clone(), keys).await?;
            let most = if publishing.is_some() || kept.is_some() {
                SCRIPTED
            } else {
                usize::MAX
            };
            for sets in sets.chunks(most) {
                let unlink = removal_of(&commands, (publishing.as_deref(), kept.as_ref()), sets);
                steps.count(run(connection.clone(), &state, unlink).await?);
                steps.next();
            }
        }
        unkeep().await?;
        is_primary(connection.clone(), &state).await
    };
    match work.await {
        Ok(()) => Ok(vec![Ok(Reply::Removed(steps.removed()))]),
        Err(ScanError::Refused(error)) => Ok(vec![Err(error)]),
        Err(ScanError::Lost(lost)) => Err(lost),
    }
}

/// Keeps members of the removed channels no longer: also of those that have no other members.
async fn unkept(
    connection: MultiplexedConnection,
    commands: &Commands,
    state: &Mutex<State>,
    (stem, removal): (&Key, &Removal),
) -> std::result::Result<(), ScanError> {
    if !removal.is_of_channels() {
        let mut kept = found(connection.clone(), commands.clone(), &gone_stem(stem));
        while let Some(keys) = kept.next().await {
            let keys = keys?;
            if !keys.is_empty() {
                let unlink = command(commands.instead_of("UNLINK"), &keys);
                run(connection.clone(), state, unlink).await?;
            }
        }
        return Ok(());
    }
    for keys in removal.named().chunks(SCRIPTED) {
        let mut pipeline = Pipeline::new();
        for (_, mark) in keys.iter().flat_map(|key| marks(stem, key)) {
            pipeline.add_command(mark);
        }
        for answer in send(connection.clone(), &pipeline).await? {
            if let Value::ServerError(error) = answer {
                let refused = Err::<(), _>(store_error(&error));
                explained(
                    Op::Write(WriteOp::Delete),
                    &EventScripts::ONE_REDIS,
                    refused,
                )
                .map_err(ScanError::Refused)?;
            }
        }
    }
    Ok(())
}

/// Makes the removal of keys.
fn removal_of(
    commands: &Commands,
    (publishing, kept): (Option<&Publishing>, Option<&Key>),
    sets: &[Key],
) -> Cmd {
    let missing = commands.missing();
    match (publishing, kept) {
        (Some(to), _) => event_scripts::destroy((to, kept.is_some()), &missing, sets),
        (None, Some(stem)) => kept_scripts::destroy(stem, &missing, sets),
        (None, None) => command(commands.instead_of("UNLINK"), sets),
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
