//! What lies in the folder, and who has it open: one locked file for each process. The kernel lets go of
//! a lock when its process dies, however it dies, so that what is locked is alive. LMDB's own locks do not
//! tell two copies of this package in one process apart, nor processes of two containers that have
//! the same number: both would destroy the store, and are refused here.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use super::words::{cannot, not_now, refused};
use crate::manager::ConnectError;

/// How long the folder may be taken by somebody who opens or closes it.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(5);

/// The folder of a store.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is missing. Its path is without symbolic links.
    pub(super) fn make(path: &Path) -> Result<Self, ConnectError> {
        make_private(path).map_err(|error| cannot("make the folder", path, &error))?;
        let path = path
            .canonicalize()
            .map_err(|error| cannot("find", path, &error))?;
        if let Some(kind) = network(&path)? {
            return Err(refused(format!(
                "{} is on a network file system ({kind}), where processes cannot share memory; \
                 give a folder on a local disk",
                path.display()
            )));
        }
        Ok(Self(path))
    }

    /// To look at what is there, without making any of it.
    pub(super) fn as_given(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The rows: LMDB's file.
    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data.mdb")
    }

    /// Who reads and writes: LMDB's file.
    pub(super) fn locks(&self) -> PathBuf {
        self.0.join("lock.mdb")
    }

    /// See [`super::state`].
    pub(super) fn state(&self) -> PathBuf {
        self.0.join("store.json")
    }

    /// Opens a file that is there to be locked.
    pub(super) fn lockable(&self, name: impl AsRef<Path>) -> Result<File, ConnectError> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        // Whoever can open a file can lock it, and hold up everybody.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path);
        file.map_err(|error| cannot("open", &path, &error))
    }

    /// Waits until nobody else opens or closes the store.
    pub(super) fn enter(&self) -> Result<Entered, ConnectError> {
        let file = self.lockable("opening.lock")?;
        let give_up = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Entered(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(not_now(
                        "another process is opening the store and does not get done",
                    ));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(cannot("lock", &self.0.join("opening.lock"), &error));
                }
            }
        }
    }
}

/// Nobody else opens or closes the store while this is there.
#[derive(Debug)]
pub(super) struct Entered(#[expect(dead_code, reason = "held for its lock")] File);

/// This process, among those that have the store open.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    /// Locked.
    _file: File,
}

impl Presence {
    /// Says that this process has the store open.
    pub(super) fn claim(folder: &Folder, _entered: &Entered) -> Result<Self, ConnectError> {
        let processes = folder.path().join("processes");
        fs::create_dir_all(&processes).map_err(|error| cannot("make", &processes, &error))?;
        let path = processes.join(process::id().to_string());
        let file = folder.lockable(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(refused(format!(
                "the store in {} is open in another copy of this package in this process, or in a \
                 container where a process has the same number, {}; let them share one copy, or \
                 their process namespace",
                folder.path().display(),
                process::id()
            ))),
            Err(TryLockError::Error(error)) => Err(cannot("lock", &path, &error)),
        }
    }

    /// Whether no other process has the store open. Clears away what dead ones have left.
    pub(super) fn is_alone(&self, _entered: &Entered) -> io::Result<bool> {
        let mut alone = true;
        let folder = self.path.parent().unwrap_or(&self.path);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name() == self.path.file_name() || !is_number(path.file_name()) {
                continue;
            }
            let file = File::options().write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => fs::remove_file(&path)?,
                Err(TryLockError::WouldBlock) => alone = false,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(alone)
    }

    /// This process has the store open no more.
    pub(super) fn leave(self, _entered: &Entered) {
        // Whoever comes next clears it away if this fails.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a folder that only its owner can look into; folders around it that are missing are made as usual.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(around) = path.parent() {
        fs::create_dir_all(around)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

fn is_number(name: Option<&OsStr>) -> bool {
    name.and_then(OsStr::to_str)
        .is_some_and(|name| name.parse::<u32>().is_ok())
}

/// The kind of network file system that a folder is on, if it is on one.
#[cfg(target_os = "linux")]
fn network(path: &Path) -> Result<Option<&'static str>, ConnectError> {
    let found = rustix::fs::statfs(path);
    let found = found.map_err(|error| cannot("look at", path, &error.into()))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the type differs between systems; the numbers have 32 bits"
    )]
    let kind = found.f_type as u32;
    Ok(network_kind(kind))
}

/// What `statfs` says of them, in `linux/magic.h` and the file systems' own sources.
#[cfg(target_os = "linux")]
fn network_kind(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "smb",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x564c => "ncp",
        _ => return None,
    })
}

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
fn network(path: &Path) -> Result<Option<&'static str>, ConnectError> {
    const MNT_LOCAL: u32 = 0x1000;
    let found = rustix::fs::statfs(path);
    let found = found.map_err(|error| cannot("look at", path, &error.into()))?;
    Ok((found.f_flags as u32 & MNT_LOCAL == 0).then_some("not local"))
}

#[cfg(windows)]
fn network(path: &Path) -> Result<Option<&'static str>, ConnectError> {
    use std::path::{Component, Prefix};
    Ok(match path.components().next() {
        Some(Component::Prefix(prefix))
            if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..)) =>
        {
            Some("a share")
        }
        _ => None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not_taken_for_them() {
        assert_eq!(network_kind(0x6969), Some("nfs"));
        assert_eq!(network_kind(0xff53_4d42), Some("smb"));
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630] {
            assert_eq!(network_kind(local), None, "{local:x}");
        }
        assert_eq!(network(Path::new("/")), Ok(None));
    }
}
