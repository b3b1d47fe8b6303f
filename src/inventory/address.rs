//! The address of a store on a command line, and opening a connection to it.

use std::{path::PathBuf, sync::Arc};

use super::{Opened, PATIENCE, converted::Converted, layout::Conversion};
use crate::{
    app::AppHandle,
    driver::Limits,
    embedded::EmbeddedOptions,
    error::{Error, Result},
    manager::{ConnectError, Connected, Inventory, Keyspace, Manager},
    options::Store,
    redis_cluster::ClusterOptions,
    redis_manager::{
        Endpoint, RedisOptions, SentinelUrl, Sentinels, StoreUrl, Tls, Topology, UrlFault,
    },
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
                events: false,
                keeps: false,
            }));
        }
    }
    let url = StoreUrl::parse(address).map_err(|fault| {
        let mut words = format!("{name} {fault}");
        if let UrlFault::Form(_) = fault {
            words += ", or ";
            words += EMBEDDED;
            words += "FOLDER";
        }
        Error::InvalidArgument(words)
    })?;
    let StoreUrl {
        mut options,
        topology,
    } = url;
    match topology {
        Topology::One => {}
        Topology::Cluster(seeds) => {
            let node = options;
            return Ok(Store::Cluster(ClusterOptions { seeds, node }));
        }
        Topology::Sentinels(url) => options.endpoint = sentinels(name, url, options.tls.as_ref())?,
    }
    Ok(Store::Redis(options))
}

fn sentinels(argument: &str, url: SentinelUrl, tls: Option<&Tls>) -> Result<Endpoint> {
    let SentinelUrl {
        addresses,
        name,
        login,
    } = url;
    let name = name.ok_or_else(|| {
        Error::InvalidArgument(format!(
            "{argument} has no name of a primary behind its sentinels; write redis+sentinel://host:26379/NAME"
        ))
    })?;
    Ok(Endpoint::Sentinel(Sentinels {
        addresses,
        name,
        login,
        tls: tls.map(|tls| tls.switched_by("sentinelTls")),
        ..Sentinels::default()
    }))
}

/// Reads the address of a store that has a fork's layout, if there is a `conversion`.
pub fn source(from: &str, conversion: Option<&Conversion>) -> Result<Store> {
    match parse("from", from)? {
        Store::Embedded(_) if conversion.is_some() => Err(Error::InvalidArgument(
            "from is an embedded store, where no fork keeps channels; fromLayout is for Redis"
                .to_owned(),
        )),
        store => Ok(store),
    }
}

/// Reads the two ends of a copy, which may not be the same, unless what is made there and what is read there are apart.
pub fn pair(from: &str, to: &str, conversion: Option<&Conversion>) -> Result<(Store, Store)> {
    let (from, to) = (source(from, conversion)?, parse("to", to)?);
    if is_same(&from, &to) {
        let words = match conversion {
            None => "from and to are the same store",
            Some(conversion) if conversion.is_apart() => return Ok((from, to)),
            Some(_) => {
                "from and to are the same store, where the fork's keys would read as ours; copy to another one, or to \
                 another prefix"
            }
        };
        return Err(Error::InvalidArgument(words.to_owned()));
    }
    Ok((from, to))
}

/// Returns whether two stores are the same, as far as their addresses tell.
fn is_same(one: &Store, other: &Store) -> bool {
    match (one, other) {
        (Store::Redis(a), Store::Redis(b)) => a.db == b.db && is_same_server(a, b),
        (Store::Cluster(a), Store::Cluster(b)) => {
            a.node.db == b.node.db && a.seeds.iter().any(|seed| b.seeds.contains(seed))
        }
        (Store::Embedded(a), Store::Embedded(b)) => {
            let real = |folder: &PathBuf| folder.canonicalize();
            a.folder == b.folder
                || matches!((real(&a.folder), real(&b.folder)), (Ok(a), Ok(b)) if a == b)
        }
        _ => false,
    }
}

fn is_same_server(one: &RedisOptions, other: &RedisOptions) -> bool {
    match (&one.endpoint, &other.endpoint) {
        (Endpoint::Sentinel(a), Endpoint::Sentinel(b)) => {
            let shared = |address| b.addresses.contains(address);
            a.name == b.name && a.addresses.iter().any(shared)
        }
        (a, b) => a == b,
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

/// Opens a store in a fork's layout, which reads as if it had ours.
pub async fn open_converted(store: Store, conversion: Conversion) -> Result<Opened> {
    let (sizes, stem) = (store.sizes(), conversion.source_stem());
    match manager(&store, &stem) {
        StoreManager::Redis(manager) => connect_converted(manager, sizes, conversion).await,
        StoreManager::Cluster(manager) => connect_converted(manager, sizes, conversion).await,
        StoreManager::Embedded(_) => Err(Error::Internal("no fork is embedded".to_owned())),
    }
}

/// Opens a store, for the keys that begin with `stem`. An embedded one that is missing is made.
pub async fn open_or_make(store: Store, stem: &[u8]) -> Result<Opened> {
    let sizes = store.sizes();
    match manager(&store, stem) {
        StoreManager::Redis(manager) => connect(manager, sizes).await,
        StoreManager::Cluster(manager) => connect(manager, sizes).await,
        StoreManager::Embedded(manager) => connect(manager, sizes).await,
    }
}

fn manager(store: &Store, stem: &[u8]) -> StoreManager {
    // No address has a function.
    let app = AppHandle::default();
    StoreManager::new(store, stem.to_owned(), None, Arc::default(), &app)
}

async fn connect<M: Manager<Connection: Inventory>>(
    manager: Arc<M>,
    sizes: Sizes,
) -> Result<Opened> {
    let store = manager.describe();
    let Connected {
        connection, closed, ..
    } = dial(manager, &store).await?;
    Ok(Opened::new(connection, sizes, &store).until(closed))
}

async fn connect_converted<M: Manager<Connection: Keyspace>>(
    manager: Arc<M>,
    sizes: Sizes,
    conversion: Conversion,
) -> Result<Opened> {
    let store = manager.describe();
    let Connected { connection, .. } = dial(manager, &store).await?;
    Ok(Opened::new(
        Converted::new(connection, conversion),
        sizes,
        &store,
    ))
}

/// Connects, once.
async fn dial<M: Manager>(manager: Arc<M>, store: &str) -> Result<Connected<M::Connection>> {
    let limit = Limits::default().connect_timeout.unwrap_or(PATIENCE);
    let store = store.to_owned();
    let Ok(connected) = tokio::time::timeout(limit, manager.clone().connect()).await else {
        let limit = format!("{} s", limit.as_secs());
        let error = ConnectError::late(limit, manager.timeout_hint());
        let cause = Some(error.words().clone());
        return Err(Error::Unreachable { store, cause });
    };
    match connected {
        Ok(connected) => Ok(connected),
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
            ("redis+cluster://a,b:7000", "redis+cluster://:pw@c,b:7000/0"),
            (
                "redis+sentinel://a,b/main",
                "redis+sentinel://b:26379/main/0",
            ),
        ];
        for (from, to) in same {
            let error = pair(from, to, None).map(drop).expect_err("no copy");
            assert_eq!(error.to_string(), "from and to are the same store");
        }
        for (from, to) in [
            ("redis://h/0", "redis://h/1"),
            ("redis://h", "embedded:h"),
            ("redis+cluster://a/1", "redis+cluster://a/2"),
            ("redis+sentinel://a/main", "redis+sentinel://a/other"),
        ] {
            pair(from, to, None).expect("a pair");
        }
    }

    #[test]
    fn a_store_is_converted_in_place_where_no_key_of_the_fork_reads_as_ours() {
        let pair = |name| {
            let conversion = Conversion::new(name, "", "").expect("a layout");
            pair("redis://h", "redis://h/0", Some(&conversion)).map(drop)
        };
        pair("aslijia").expect("prefixes that are apart");
        let error = pair("dbrugne").expect_err("one prefix inside the other");
        assert!(error.to_string().contains("would read as ours"), "{error}");
    }
}
