//! What the tests have in common: connections to a folder, and commands on them.

use std::{path::Path, sync::Arc};

use crate::{
    command::{Command, ReadOp, Reply, Value, WriteOp},
    embedded::{Durability, EmbeddedConnection, EmbeddedManager, EmbeddedOptions},
    error::Result,
    list_lru::Bounds,
    manager::{ConnectError, Connection as _, Lost, Manager as _},
    removal::Removal,
    steps::Steps,
};

/// A runtime for one test; what blocks is waited for at its end.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts");
    runtime.block_on(test)
}

pub(super) fn manager(folder: &Path, durability: Durability) -> Arc<EmbeddedManager> {
    manager_of(folder, durability, Some(4 << 20))
}

/// `memory`: how many bytes of lists are kept.
pub(super) fn manager_of(
    folder: &Path,
    durability: Durability,
    memory: Option<usize>,
) -> Arc<EmbeddedManager> {
    let options = EmbeddedOptions {
        folder: folder.to_owned(),
        durability: Some(durability),
        local_file_system: false,
        events: false,
        keeps: false,
    };
    let bounds = memory.map(|max_bytes| Bounds::new(max_bytes, Arc::default()));
    Arc::new(EmbeddedManager {
        options,
        bounds,
        publishing: None,
        kept: None,
        stats: Arc::default(),
    })
}

pub(super) async fn try_open(
    folder: &Path,
) -> std::result::Result<EmbeddedConnection, ConnectError> {
    let connected = manager(folder, Durability::Process).connect().await;
    connected.map(|connected| connected.connection)
}

pub(super) async fn open(folder: &Path) -> EmbeddedConnection {
    try_open(folder).await.expect("the store opens")
}

/// What was refused, in words.
pub(super) async fn refusal(folder: &Path) -> String {
    match try_open(folder).await {
        Err(ConnectError::Refused(words)) => words.to_string(),
        Err(error) => panic!("not refused: {error}"),
        Ok(_) => panic!("it opens"),
    }
}

pub(super) async fn execute(
    connection: &EmbeddedConnection,
    batch: &[Command],
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    connection.execute(&batch.iter().collect::<Vec<_>>()).await
}

/// Returns how many keys were removed.
pub(super) async fn clean(connection: &EmbeddedConnection, stem: &[u8]) -> u64 {
    let replies = connection
        .clean(&Removal::all(stem.to_vec()), Steps::default())
        .await;
    match replies.as_deref() {
        Ok([Ok(Reply::Removed(removed))]) => *removed,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn write(connection: &EmbeddedConnection, command: Command) {
    let replies = execute(connection, &[command]).await;
    assert!(
        matches!(replies.as_deref(), Ok([Ok(Reply::Changed(_))])),
        "{replies:?}"
    );
}

pub(super) fn add(key: &str, uids: &[&str]) -> Command {
    Command::write_members(WriteOp::Add, key.into(), uids)
}

/// The members of a key as JSON.
pub(super) async fn members(connection: &EmbeddedConnection, key: &str) -> String {
    let read = Command::read(ReadOp::Members, vec![key.into()]);
    match execute(connection, &[read]).await.as_deref() {
        Ok([Ok(Reply::Values(values))]) => match values.as_slice() {
            [Ok(Value::List(list))] => list.json().to_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
