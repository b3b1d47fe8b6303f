//! The file `store.json`, which says how the store was left. It is of this package's own, and is read before
//! LMDB touches anything. What follows from it is in [`super::state`].

use std::{
    env::consts::{ARCH, OS},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    folder::Folder,
    words::{cannot, refused},
};
use crate::manager::ConnectError;

/// The layout of the rows, of the files and of their locks. A change that older versions of this package
/// cannot work with raises it.
const FORMAT: u64 = 1;

/// The format of this build: in the addon of the tests, that of a later version if the environment says so.
fn format() -> u64 {
    #[cfg(feature = "broken")]
    if std::env::var_os("GLOBALCHANNEL_LATER_FORMAT").is_some() {
        return FORMAT + 1;
    }
    FORMAT
}

/// How the store was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// By everybody, in order.
    Closed(Checksum),
    /// Open, or by processes that died, since this start of the system.
    Open { boot: String },
    /// The same, but each commit has waited for the disk.
    Synced,
    /// While it was made: what there may be of it holds nothing.
    Unmade,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    bytes: u64,
    xxh3: String,
}

/// How the store was left, and the kind of the locks.
pub(super) fn read(folder: &Folder) -> Result<Option<(Left, String)>, ConnectError> {
    let path = folder.state();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", &path, &error)),
    };
    let damaged = || refused(format!("{} is damaged", path.display()));
    let value: Value = serde_json::from_slice(&text).map_err(|_| damaged())?;
    match value["format"].as_u64() {
        Some(found) if found == format() => {
            let left = Left::from_json(&value).ok_or_else(damaged)?;
            let locks = value["locks"].as_str().ok_or_else(damaged)?;
            Ok(Some((left, locks.to_owned())))
        }
        Some(found) => Err(refused(format!(
            "the store in {} is of another version of this package: its format is {found}, known \
             here is {}",
            folder.path().display(),
            format()
        ))),
        None => Err(damaged()),
    }
}

/// In one step, and on the disk before it returns: what is done next relies on it.
pub(super) fn write(folder: &Folder, left: &Left) -> io::Result<()> {
    let path = folder.state();
    let fresh = path.with_extension("json.new");
    let mut file = File::create(&fresh)?;
    file.write_all(left.to_json().to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    if cfg!(unix) {
        File::open(folder.path())?.sync_all()?;
    }
    Ok(())
}

impl Left {
    fn to_json(&self) -> Value {
        let mut json = json!({"format": format(), "locks": kind_of_locks()});
        match self {
            Self::Closed(Checksum { bytes, xxh3 }) => {
                json["closed"] = json!({"bytes": bytes, "xxh3": xxh3});
            }
            Self::Open { boot } => json["open"] = json!({"boot": boot}),
            Self::Synced => json["synced"] = json!({}),
            Self::Unmade => json["unmade"] = json!({}),
        }
        json
    }

    fn from_json(value: &Value) -> Option<Self> {
        if let Some(closed) = value.get("closed") {
            return Some(Self::Closed(Checksum {
                bytes: closed["bytes"].as_u64()?,
                xxh3: closed["xxh3"].as_str()?.to_owned(),
            }));
        }
        if let Some(open) = value.get("open") {
            let boot = open["boot"].as_str()?.to_owned();
            return Some(Self::Open { boot });
        }
        if value.get("unmade").is_some() {
            return Some(Self::Unmade);
        }
        value.get("synced").map(|_| Self::Synced)
    }
}

impl Checksum {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = Xxh3Default::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                let xxh3 = format!("{:016x}", hash.digest());
                return Ok(Self { bytes, xxh3 });
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
        }
    }
}

/// What locks between processes look like in memory depends on this.
pub(super) fn kind_of_locks() -> String {
    let library = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "native"
    };
    format!("{OS}-{ARCH}-{library}")
}
