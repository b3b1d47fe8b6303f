//! Registry of the stores that this process has open: one for each folder, shared by all instances and worker threads.
//! LMDB's locks belong to the process, so that the first of two environments to close would release those of both. A
//! folder is identified by its device and inode, not by how its path is spelled.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use same_file::Handle;

use super::{
    Durability, EmbeddedOptions,
    folder::Folder,
    messages::{cannot, not_now, refused},
    store::Store,
};
use crate::manager::ConnectError;

/// How long a store that is being opened or closed is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

const PAUSE: Duration = Duration::from_millis(2);

type Stores = HashMap<Arc<Handle>, Weak<Store>>;

static STORES: LazyLock<Mutex<Stores>> = LazyLock::new(Mutex::default);

/// Keeps the folder of a store reserved for it in this process, from before it is opened until after it is closed.
#[derive(Debug)]
struct Reservation(Arc<Handle>);

impl Drop for Reservation {
    fn drop(&mut self) {
        stores().remove(&self.0);
    }
}

/// Returns the store in a folder, and opens it if this process has not; with a line for the log, if there is one.
/// Blocks the thread.
pub(super) fn open(
    options: &EmbeddedOptions,
) -> Result<(Arc<Store>, Option<String>), ConnectError> {
    let folder = Folder::make(&options.folder, options.local_file_system)?;
    let handle = Handle::from_path(folder.path());
    let handle = Arc::new(handle.map_err(|error| cannot("open", folder.path(), &error))?);
    let give_up = Instant::now() + PATIENCE;
    let reservation = loop {
        let known = match stores().entry(handle.clone()) {
            Entry::Vacant(entry) => {
                // Reserved while it is being opened.
                entry.insert(Weak::new());
                break Reservation(handle);
            }
            Entry::Occupied(entry) => entry.get().upgrade(),
        };
        // The lock is released first: this may be the last share in the store, and closing takes the lock too.
        if let Some(store) = known.filter(|store| store.check().is_ok()) {
            let wanted = options.durability.unwrap_or(store.durability());
            if store.durability() != wanted {
                return Err(refused(format!(
                    "the store in {} is open in this process with another durability",
                    folder.path().display()
                )));
            }
            return Ok((store, None));
        }
        if Instant::now() > give_up {
            return Err(not_now("the store is still being opened or closed"));
        }
        thread::sleep(PAUSE);
    };
    let known = reservation.0.clone();
    let durability = options.durability.unwrap_or(Durability::Os);
    let (store, note) = Store::open(folder, durability, Box::new(reservation))?;
    let store = Arc::new(store);
    stores().insert(known, Arc::downgrade(&store));
    Ok((store, note))
}

/// Returns the store in a folder, if this process has it open.
pub(super) fn find(options: &EmbeddedOptions) -> Option<Arc<Store>> {
    let handle = Handle::from_path(&options.folder).ok()?;
    let store = stores().get(&handle)?.upgrade();
    store.filter(|store| store.check().is_ok())
}

fn stores() -> MutexGuard<'static, Stores> {
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}
