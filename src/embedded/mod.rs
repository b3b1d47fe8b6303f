//! The embedded manager: a store without a server, in a folder that all processes of one machine open (LMDB). This file has its options and the manager.
//!
//! - [`folder`]: the files in the folder; [`locality`]: whether it is on a local disk; [`file_modes`]: permissions.
//! - [`registry`]: one open store per process and folder.
//! - [`presence`]: which processes have it open; [`liveness`]: heartbeats, for file systems that may not share locks.
//! - [`held_files`]: the open files; [`watchdog`]: checks that they are still those in the folder.
//! - [`recovery`]: crash recovery; [`shutdown_marker`]: the file that says how the store was left.
//! - [`opening`]: LMDB's environment in the folder; [`store`]: an open store and its transactions.
//! - [`write_lock`]: the lock for write transactions, among processes.
//! - [`rows`]: channels and members as rows; [`write_txn`]: commands in a write transaction.
//! - [`lmdb`]: the C library; [`readers`]: the slots of this process in its table of readers.
//! - [`read_txn`]: lists, from memory or from the rows; [`leases`]: leases of frontends, and whether they have expired.
//! - [`changes`]: adding and removing members; [`events`]: publishing that, with option `events`; [`ring`]: what was
//!   published; [`following`]: watching it.
//! - [`membership`]: the index of members; [`kept`]: members that were removed and may be put back, [`expiry`]: for how long; [`entering`]:
//!   adding to the index.
//! - [`connection`]: on which thread a batch is executed; [`executor`]: batches to transactions; [`unbatched`]: other
//!   work in transactions; [`budget`]: the size of one.
//! - [`scan`]: lists the contents, page by page; [`pages`]: the pages that an app asks for.
//! - [`messages`]: error messages.
//! - `audit`: checks the rows, for tests; `failpoints`: fail points.

#[cfg(any(test, feature = "failpoints"))]
mod audit;
mod budget;
mod changes;
mod connection;
mod entering;
mod events;
mod executor;
mod expiry;
#[cfg(any(test, feature = "failpoints"))]
mod failpoints;
mod file_modes;
mod folder;
mod following;
mod held_files;
mod kept;
mod leases;
mod liveness;
mod lmdb;
mod locality;
mod membership;
mod messages;
mod opening;
mod pages;
mod presence;
mod read_txn;
mod readers;
mod recovery;
mod registry;
mod ring;
mod rows;
mod scan;
mod shutdown_marker;
mod store;
#[cfg(test)]
mod tests;
mod unbatched;
mod watchdog;
mod write_lock;
mod write_txn;

use std::{path::PathBuf, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::task::spawn_blocking;

#[cfg(any(test, feature = "failpoints"))]
pub use self::audit::{Totals, audit};
pub use self::connection::EmbeddedConnection;
use crate::{
    events::Publishing,
    keys::Key,
    list_lru::Bounds,
    manager::{ConnectError, Connected, Manager},
    stats::Stats,
};

/// The longest key, in bytes: what LMDB takes.
pub const MAX_KEY: usize = 511;

/// The longest uid, in bytes: a row begins with the eight bytes of the number of its channel.
pub const MAX_MEMBER: usize = MAX_KEY - size_of::<u64>();

/// The crashes that an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The death of any process, and of all of them. After a power cut or a crash of the system the store begins empty.
    Process,
    /// A power cut too, because each commit waits for the disk.
    Os,
}

/// The options of an embedded store.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The folder, made if it is missing. Two spellings of one path are one store.
    pub folder: PathBuf,
    /// The durability; `None` means that of the open store, if this process has it open already, otherwise
    /// [`Durability::Os`].
    pub durability: Option<Durability>,
    /// Whether the folder counts as local although its file system is not known to be.
    pub local_file_system: bool,
    /// Whether changes of channels are published (option `events`).
    pub events: bool,
    /// Whether members that are removed with their sessions are kept for a while (option `membership`).
    pub keeps: bool,
}

impl EmbeddedOptions {
    /// Returns the store's name for logs and errors.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("the store in {}", self.folder.display())
    }

    /// Returns why the folder has nothing to read, before anything is opened or put aside; `None` if it may have.
    #[must_use]
    pub fn lacks(&self) -> Option<&'static str> {
        let folder = folder::Folder::as_given(&self.folder);
        if !folder.data().is_file() {
            return Some("there is none in this folder");
        }
        recovery::is_torn(&folder).then_some(
            "the system went down while it was open with durability 'process', so that its contents cannot \
             be trusted",
        )
    }
}

/// Opens connections to the store in one folder.
#[derive(Debug)]
pub struct EmbeddedManager {
    options: EmbeddedOptions,
    /// `None` means that lists are read from the store each time.
    bounds: Option<Bounds>,
    /// Where changes are published; `None` if they are not.
    publishing: Option<Arc<Publishing>>,
    /// What the keys of channels begin with, if members that end with their sessions are kept.
    kept: Option<Key>,
    stats: Arc<Stats>,
}

impl EmbeddedManager {
    /// Makes a manager for keys that begin with `stem`, without opening anything.
    #[must_use]
    pub fn new(
        options: EmbeddedOptions,
        stem: Key,
        bounds: Option<Bounds>,
        stats: Arc<Stats>,
    ) -> Arc<Self> {
        let kept = options.keeps.then(|| stem.clone());
        let publishing = options.events.then(|| Arc::new(Publishing::new(stem, 0)));
        Arc::new(Self {
            options,
            bounds,
            publishing,
            kept,
            stats,
        })
    }
}

impl Manager for EmbeddedManager {
    type Connection = EmbeddedConnection;

    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, Result<Connected<EmbeddedConnection>, ConnectError>> {
        async move {
            let options = self.options.clone();
            let opening = spawn_blocking(move || registry::open(&options)).await;
            let opened =
                opening.map_err(|error| ConnectError::Unreachable(error.to_string().into()))?;
            let (store, note) = opened?;
            let off = match self.bounds {
                Some(_) => None,
                None => Some("option cache is false".into()),
            };
            self.stats.cache.switch(off);
            Ok(Connected {
                closed: store.ended().boxed(),
                connection: EmbeddedConnection::new(
                    store,
                    self.bounds.clone(),
                    self.stats.clone(),
                    (self.publishing.clone(), self.kept.clone()),
                ),
                // What the last connection began is done, or will not begin, before this one writes, because both take
                // the write lock.
                fenced: true,
                note,
            })
        }
        .boxed()
    }

    /// It is connected to again while another process holds the lock for writing, which a write would wait for. If the
    /// folder was removed, its members are gone with the index.
    fn may_lose_writes(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        self.options.describe()
    }
}
