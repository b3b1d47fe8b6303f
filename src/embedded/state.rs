//! Whether what lies in the folder can be trusted. The file `store.json` says how the store was left:
//! closed in order, with a checksum; open, since which start of the system; or half made, which is as good as
//! nothing. With durability `process` nothing waits for the disk, so after a power cut or a crash of the system the rows may be a mixture of
//! old and new pages, which LMDB would not notice. They are put aside then, and the store begins empty:
//! its members were sessions of processes that died with the machine.
//!
//! The file is of this package's own, and is read before LMDB touches anything.

use std::{
    env::consts::{ARCH, OS},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    Durability,
    folder::{Entered, Folder},
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

/// Room for LMDB's table of readers: it holds 64 bytes for each of about 2000.
const LOCKS: usize = 128 << 10;

/// How the store was left.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Left {
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
struct Checksum {
    bytes: u64,
    xxh3: String,
}

/// What is to be done, or said, once the store is open.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// A line for the log.
    pub(super) note: Option<String>,
    /// What is there must be brought to the disk, and then [`note_synced`].
    pub(super) unsynced: bool,
    /// How it is left from then on, for [`note_made`], if it is being made.
    made: Option<Left>,
}

/// Looks at what is there, before it is opened, and notes that it is open from now on.
pub(super) fn prepare(
    folder: &Folder,
    alone: bool,
    durability: Durability,
    _entered: &Entered,
) -> Result<Prepared, ConnectError> {
    let found = read(folder)?;
    let (left, locks) = match found {
        Some((left, locks)) => (Some(left), locks),
        None => (None, String::new()),
    };
    if !alone && locks != kind_of_locks() {
        return Err(refused(format!(
            "the store in {} is open in processes of another kind ({locks}; this is {}), with which this \
             one cannot share locks",
            folder.path().display(),
            kind_of_locks()
        )));
    }
    let mut prepared = Prepared::default();
    if alone {
        prepared.note = trust(folder, left.as_ref())?;
        // Made anew, with its room taken: where the disk is full this fails, but a write to memory that the
        // disk has no room for would kill the process.
        let made = fs::write(folder.locks(), vec![0; LOCKS]);
        made.map_err(|error| cannot("write", &folder.locks(), &error))?;
    }
    let boot = boot();
    let now = match (durability, &left) {
        (Durability::Process, _) => Left::Open { boot },
        (Durability::Os, Some(Left::Open { boot: since })) if !alone || *since == boot => {
            prepared.unsynced = alone;
            Left::Open { boot }
        }
        (Durability::Os, _) => Left::Synced,
    };
    let now = if alone && !folder.data().exists() {
        prepared.made = Some(now);
        Left::Unmade
    } else {
        now
    };
    if left.as_ref() != Some(&now) || locks != kind_of_locks() {
        write(folder, &now).map_err(|error| cannot("write", &folder.state(), &error))?;
    }
    Ok(prepared)
}

/// Its tables are there: from now on it holds what is written, and an end of this process is no half-made
/// store any more.
pub(super) fn note_made(folder: &Folder, prepared: &Prepared) -> io::Result<()> {
    match &prepared.made {
        Some(left) => write(folder, left),
        None => Ok(()),
    }
}

/// Everything is on the disk, and each commit will be.
pub(super) fn note_synced(folder: &Folder) -> io::Result<()> {
    write(folder, &Left::Synced)
}

/// The last process has closed the store in order, and everything is on the disk.
pub(super) fn note_closed(folder: &Folder, _entered: &Entered) -> io::Result<()> {
    write(folder, &Left::Closed(Checksum::of(&folder.data())?))
}

/// Fails where the rows are damaged; puts them aside where nobody can know.
fn trust(folder: &Folder, left: Option<&Left>) -> Result<Option<String>, ConnectError> {
    let data = folder.data();
    let Ok(found) = fs::metadata(&data) else {
        return Ok(None);
    };
    let damaged = |how: &str| {
        refused(format!(
            "the store in {} is damaged: data.mdb {how}; take it away to begin with an empty store",
            folder.path().display()
        ))
    };
    match left {
        None => Err(refused(format!(
            "{} holds a data.mdb that is not of this package",
            folder.path().display()
        ))),
        Some(Left::Closed(expected)) => {
            let found = Checksum::of(&data).map_err(|error| cannot("read", &data, &error))?;
            if found == *expected {
                Ok(None)
            } else {
                Err(damaged("is not as it was when the store was closed"))
            }
        }
        Some(Left::Open { boot: since }) if *since != boot() => {
            let aside = data.with_extension("mdb.aside");
            let moved = fs::rename(&data, &aside);
            moved.map_err(|error| cannot("put aside", &data, &error))?;
            Ok(Some(format!(
                "the system went down while the store in {} was open with durability 'process': it \
                 begins empty (what was there is in {})",
                folder.path().display(),
                aside.display()
            )))
        }
        // The disk was full, or the process was killed.
        Some(Left::Unmade) => {
            let removed = fs::remove_file(&data);
            removed.map_err(|error| cannot("remove", &data, &error))?;
            Ok(None)
        }
        // LMDB would take it for a new one.
        Some(_) if found.len() == 0 => Err(damaged("is empty")),
        Some(_) => Ok(None),
    }
}

/// How the store was left, and the kind of the locks.
fn read(folder: &Folder) -> Result<Option<(Left, String)>, ConnectError> {
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
fn write(folder: &Folder, left: &Left) -> io::Result<()> {
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
    fn of(path: &Path) -> io::Result<Self> {
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
fn kind_of_locks() -> String {
    let library = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "native"
    };
    format!("{OS}-{ARCH}-{library}")
}

/// Which start of the system this is; the same text where that cannot be known.
#[cfg(target_os = "linux")]
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(target_os = "macos")]
fn boot() -> String {
    let asked = std::process::Command::new("/usr/sbin/sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .output();
    asked.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn boot() -> String {
    String::new()
}
