//! The address of a store on a command line, and opening a connection to it.

use std::{path::PathBuf, sync::Arc};

use super::{Opened, PATIENCE};
use crate::{
    app::AppHandle,
    driver::Limits,
    embedded::EmbeddedOptions,
    error::{Error, Result},
    manager::{ConnectError, Inventory, Manager},
    options::Store,
    redis_manager::{RedisOptions, UrlFault},
    size_limits::Sizes,
    store_manager::StoreManager,
};

/// The beginning of an embedded store's address.
const EMBEDDED: &str = "embedded:";

/// The end of its address if the file system is to be accepted as local: option `localFileSystem` of the services.
const LOCAL: &str = "?localFileSystem=true";

/// Reads an address; `name` is what it is an argument of.
pub fn parse(name: &str, address: &str) -> Result<Store> {
    if let Some(place) = address.strip_prefix(EMBEDDED) {
        let folder = place.strip_suffix(LOCAL);
        let local_file_system = folder.is_some();
        let folder = folder.unwrap_or(place);
        if !folder.is_empty() {
            return Ok(Store::Embedded(EmbeddedOptions {
                folder: PathBuf::from(folder),
                durability: None,
                local_file_system,
            }));
        }
    }
    RedisOptions::from_url(address)
        .map(Store::Redis)
        .map_err(|fault| {
            let mut words = format!("{name} {fault}");
            if let UrlFault::Form(_) = fault {
                words += ", or ";
                words += EMBEDDED;
                words += "FOLDER";
            }
            Error::InvalidArgument(words)
        })
}

/// Reads the two ends of a copy, which may not be the same.
pub fn pair(from: &str, to: &str) -> Result<(Store, Store)> {
    let (from, to) = (parse("from", from)?, parse("to", to)?);
    if is_same(&from, &to) {
        let words = "from and to are the same store".to_owned();
        return Err(Error::InvalidArgument(words));
    }
    Ok((from, to))
}

/// Returns whether two stores are the same, as far as their addresses tell.
fn is_same(one: &Store, other: &Store) -> bool {
    match (one, other) {
        (Store::Redis(a), Store::Redis(b)) => a.endpoint == b.endpoint && a.db == b.db,
        (Store::Embedded(a), Store::Embedded(b)) => {
            let real = |folder: &PathBuf| folder.canonicalize();
            a.folder == b.folder
                || matches!((real(&a.folder), real(&b.folder)), (Ok(a), Ok(b)) if a == b)
        }
        _ => false,
    }
}

/// Opens an existing store, for the keys that begin with `stem`. An embedded store that a service would put aside after
/// a crash of the system is left unchanged, and is an error.
pub async fn open(store: Store, stem: &[u8]) -> Result<Opened> {
    if let Store::Embedded(options) = &store
        && let Some(why) = options.lacks()
    {
        return Err(Error::Unreachable {
            store: options.describe(),
            cause: Some(why.into()),
        });
    }
    open_or_make(store, stem).await
}

/// Opens a store, for the keys that begin with `stem`. An embedded one that is missing is made.
pub async fn open_or_make(store: Store, stem: &[u8]) -> Result<Opened> {
    let sizes = store.sizes();
    // No address has a function.
    let app = AppHandle::default();
    match StoreManager::new(&store, stem.to_owned(), None, Arc::default(), &app) {
        StoreManager::Redis(manager) => connect(manager, sizes).await,
        // No address is read as one.
        StoreManager::Cluster(_) => Err(Error::InvalidArgument(
            "a Redis Cluster cannot be copied or listed".to_owned(),
        )),
        StoreManager::Embedded(manager) => connect(manager, sizes).await,
    }
}

/// Connects, once.
async fn connect<M: Manager<Connection: Inventory>>(
    manager: Arc<M>,
    sizes: Sizes,
) -> Result<Opened> {
    let store = manager.describe();
    let limit = Limits::default().connect_timeout.unwrap_or(PATIENCE);
    let Ok(connected) = tokio::time::timeout(limit, manager.clone().connect()).await else {
        let doubt = manager.timeout_hint().unwrap_or_default();
        let cause = Some(format!("no answer within {} s {doubt}", limit.as_secs()).into());
        return Err(Error::Unreachable { store, cause });
    };
    match connected {
        Ok(connected) => Ok(Opened::new(connected.connection, sizes, &store)),
        Err(ConnectError::Refused(words)) => Err(Error::Store(format!("{store}: {words}").into())),
        Err(ConnectError::Unreachable(cause)) => Err(Error::Unreachable {
            store,
            cause: Some(cause),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_a_password() {
        for address in [
            "http://:secret@h",
            ":secret@h",
            "embedded:",
            "embedded:?localFileSystem=true",
            "redis://:secret@h:x",
        ] {
            let error = parse("from", address).expect_err("no address");
            assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT");
            assert!(error.to_string().starts_with("from is "), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let place = parse("from", "redis://me:secret@h/1").expect("an address");
        assert!(!format!("{place:?}").contains("secret"));
    }

    #[test]
    fn a_folder_can_be_said_to_be_on_a_local_file_system() {
        for (address, folder, local) in [
            ("embedded:a", "a", false),
            ("embedded:a?localFileSystem=true", "a", true),
            ("embedded:a?b", "a?b", false),
        ] {
            let Ok(Store::Embedded(options)) = parse("from", address) else {
                panic!("{address} is none");
            };
            assert_eq!(options.folder, PathBuf::from(folder));
            assert_eq!(options.local_file_system, local);
        }
    }

    #[test]
    fn a_store_is_not_copied_to_itself() {
        let same = [
            ("redis://h", "redis://:pw@h:6379/0"),
            ("unix:///s?db=1", "unix:///s?db=1"),
            ("embedded:src", "embedded:./src/../src/"),
            ("embedded:not-there", "embedded:not-there"),
            ("embedded:a", "embedded:a?localFileSystem=true"),
        ];
        for (from, to) in same {
            let error = pair(from, to).map(drop).expect_err("no copy");
            assert_eq!(error.to_string(), "from and to are the same store");
        }
        for (from, to) in [("redis://h/0", "redis://h/1"), ("redis://h", "embedded:h")] {
            pair(from, to).expect("a pair");
        }
    }
}
