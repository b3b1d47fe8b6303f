//! Shutdown marker: the file `store.json`, which says how the store was left, and is read before LMDB opens anything;
//! and `closing.json`, which describes rows that were not on the disk yet. What follows from both is decided in
//! [`super::recovery`].

use std::{
    env::consts::{ARCH, OS},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    file_modes,
    folder::Folder,
    messages::{cannot, refused},
};
use crate::manager::ConnectError;

/// The version of the layout of rows, files and locks. Raised by a change that older versions of this package cannot
/// work with.
const FORMAT: u64 = 1;

/// Returns the format of this build; in the addon of the tests that of a later version, if the environment says so.
fn format() -> u64 {
    #[cfg(feature = "failpoints")]
    if std::env::var_os("GLOBALCHANNEL_LATER_FORMAT").is_some() {
        return FORMAT + 1;
    }
    FORMAT
}

/// How the store was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ShutdownMarker {
    /// Closed in order by all processes.
    Closed(Checksum),
    /// Open since this start of the system; the processes may have died.
    Open { boot: String },
    /// Open, and each commit has waited for the disk.
    Synced,
    /// Being made: it holds nothing yet.
    Unmade,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    bytes: u64,
    xxh3: String,
}

/// Reads how the store was left, and the kind of the locks.
pub(super) fn read(folder: &Folder) -> Result<Option<(ShutdownMarker, String)>, ConnectError> {
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
            let left = ShutdownMarker::from_json(&value).ok_or_else(damaged)?;
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

/// Returns whether the marker says that each commit has waited for the disk.
pub(super) fn is_synced(folder: &Folder) -> bool {
    matches!(read(folder), Ok(Some((ShutdownMarker::Synced, _))))
}

/// Writes the marker atomically, and to the disk before it returns, because the next steps rely on it.
pub(super) fn write(folder: &Folder, left: &ShutdownMarker) -> io::Result<()> {
    draft(folder, left)?;
    publish(folder)
}

/// Does the first half of [`write()`]: writes the new file beside the old one, and to the disk.
pub(super) fn draft(folder: &Folder, left: &ShutdownMarker) -> io::Result<()> {
    let mut file = file_modes::create(&fresh(folder))?;
    file.write_all(left.to_json().to_string().as_bytes())?;
    file.sync_all()
}

/// Does the second half: replaces the old file.
pub(super) fn publish(folder: &Folder) -> io::Result<()> {
    fs::rename(fresh(folder), folder.state())?;
    if cfg!(unix) {
        File::open(folder.path())?.sync_all()?;
    }
    Ok(())
}

fn fresh(folder: &Folder) -> PathBuf {
    folder.state().with_extension("json.new")
}

/// Notes the state of the rows when the last process closes the store, before they are on the disk. An orderly shutdown
/// of the system writes both to the disk, even if the process is killed first. Nothing waits for the disk here: after a
/// power cut the note may be missing, truncated or wrong, and is then ignored.
pub(super) fn note_closing(folder: &Folder, checksum: &Checksum) -> io::Result<()> {
    let note = json!({"format": format(), "closing": checksum.to_json()});
    let mut file = file_modes::create(&folder.closing())?;
    file.write_all(note.to_string().as_bytes())
}

/// Returns whether the rows are as the last process left them when it closed the store.
pub(super) fn is_as_closed(folder: &Folder) -> bool {
    let expected = fs::read(folder.closing()).ok().and_then(|text| {
        let value: Value = serde_json::from_slice(&text).ok()?;
        let is_known = value["format"].as_u64() == Some(format());
        is_known.then(|| Checksum::from_json(&value["closing"]))?
    });
    expected
        .is_some_and(|expected| Checksum::of(&folder.data()).is_ok_and(|found| found == expected))
}

impl ShutdownMarker {
    fn to_json(&self) -> Value {
        let mut json = json!({"format": format(), "locks": kind_of_locks()});
        match self {
            Self::Closed(checksum) => json["closed"] = checksum.to_json(),
            Self::Open { boot } => json["open"] = json!({"boot": boot}),
            Self::Synced => json["synced"] = json!({}),
            Self::Unmade => json["unmade"] = json!({}),
        }
        json
    }

    fn from_json(value: &Value) -> Option<Self> {
        if let Some(closed) = value.get("closed") {
            return Checksum::from_json(closed).map(Self::Closed);
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
    fn to_json(&self) -> Value {
        json!({"bytes": self.bytes, "xxh3": self.xxh3})
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            bytes: value["bytes"].as_u64()?,
            xxh3: value["xxh3"].as_str()?.to_owned(),
        })
    }

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

/// Returns an id of what determines the memory layout of locks between processes.
pub(super) fn kind_of_locks() -> String {
    let library = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "native"
    };
    format!("{OS}-{ARCH}-{library}")
}
