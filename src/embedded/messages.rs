//! Error messages for operators, and what an error of LMDB means for the store.

use std::{io, path::Path, sync::Arc};

use super::lmdb::{self, code};
use crate::{error::Error, manager::ConnectError};

/// The consequence of an error of a transaction.
#[derive(Debug)]
pub(super) enum Failure {
    /// The map is full and can be enlarged; the transaction may be tried again.
    NoRoom,
    /// Another process has enlarged the map; the transaction may be tried again.
    Outgrown,
    /// It exceeds the budget of the thread; see [`super::budget`].
    Heavy,
    /// The calls of the transaction fail with this text.
    Calls(Arc<str>),
    /// They fail, and so would all later ones: the store must be opened again.
    Store(Arc<str>),
}

impl Failure {
    pub(super) fn of(error: &lmdb::Error, folder: &Path) -> Self {
        let place = folder.display();
        match error {
            lmdb::Error::Lmdb(code::MAP_FULL) => Self::NoRoom,
            lmdb::Error::Lmdb(code::MAP_RESIZED) => Self::Outgrown,
            lmdb::Error::Lmdb(
                code::CORRUPTED | code::PAGE_NOT_FOUND | code::INVALID | code::PROBLEM,
            ) => Self::Calls(format!("the store in {place} is damaged: {error}").into()),
            lmdb::Error::Lmdb(code::READERS_FULL) => {
                Self::Calls(format!("too many readers of the store in {place}").into())
            }
            lmdb::Error::Lmdb(code::PANIC | code::BAD_TXN | code::BAD_READER_SLOT) => {
                Self::Store(format!("the store in {place} gave up: {error}").into())
            }
            lmdb::Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Self::Heavy,
            lmdb::Error::Io(error) if is_beyond_limit(error, folder) => {
                Self::Calls(format!("the store in {place}: {}", limited(error)).into())
            }
            lmdb::Error::Io(error) if is_full(error, folder) => {
                Self::Calls(format!("the disk of {place} is full: {error}").into())
            }
            error => Self::Calls(format!("the store in {place}: {error}").into()),
        }
    }

    /// Makes the error for a call that cannot succeed any more.
    pub(super) fn error(&self) -> Error {
        match self {
            Self::Calls(words) | Self::Store(words) => Error::Store(words.clone()),
            Self::Heavy => Error::Internal("too heavy for the thread".to_owned()),
            Self::NoRoom => Error::Store("no address space for the store".into()),
            Self::Outgrown => Error::Store("the store grows faster than it can be read".into()),
        }
    }
}

/// Returns whether the limit of the process for the size of files is reached. LMDB reports EIO for a short write, which
/// is what the limit causes first. (Node ignores the signal SIGXFSZ.)
fn is_beyond_limit(error: &io::Error, folder: &Path) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
        || error.raw_os_error() == Some(EIO) && is_at_limit(folder)
}

fn limited(error: &io::Error) -> String {
    format!("the process may not write larger files (ulimit -f, LimitFSIZE): {error}")
}

/// Returns whether the disk is full. LMDB reports EIO for a short write, which is what a full disk causes.
fn is_full(error: &io::Error, folder: &Path) -> bool {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => true,
        _ => error.raw_os_error() == Some(EIO) && nothing_left(folder),
    }
}

const EIO: i32 = 5;

#[cfg(unix)]
fn is_at_limit(folder: &Path) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    let data = folder.join("data.mdb").metadata();
    // Less than a large commit needs.
    limit.is_some_and(|limit| data.is_ok_and(|data| data.len() + (1 << 20) > limit))
}

#[cfg(not(unix))]
fn is_at_limit(_folder: &Path) -> bool {
    false
}

#[cfg(unix)]
fn nothing_left(folder: &Path) -> bool {
    // Less than a large commit needs.
    rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < 1 << 20)
}

#[cfg(not(unix))]
fn nothing_left(_folder: &Path) -> bool {
    false
}

/// Makes the error for a store that cannot be opened as it is; trying again does not help.
pub(super) fn refused(words: impl Into<Arc<str>>) -> ConnectError {
    ConnectError::Refused(words.into())
}

/// Makes the same error for a failed operation on a file.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> ConnectError {
    let why = match error.kind() {
        io::ErrorKind::FileTooLarge => limited(error),
        _ => error.to_string(),
    };
    refused(format!("cannot {what} {}: {why}", path.display()))
}

/// Makes the error for a store that may be opened a moment later.
pub(super) fn not_now(words: impl Into<Arc<str>>) -> ConnectError {
    ConnectError::Unreachable(words.into())
}
