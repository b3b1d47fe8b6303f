//! Leases ([`crate::lease`]) in the embedded store. A lease is a channel with one member, whose text says until when it is
//! valid, which process holds it, and for which epoch. It has expired when that time is over or that process is dead.
//!
//! **Clock.** All processes are on one machine, so the time is that since its boot, also while it sleeps: an adjusted
//! system clock neither ends nor prolongs a lease. After a reboot no process of before is alive.
//!
//! **Liveness.** The presence file of a living process is locked ([`super::presence`]), and holds a number that is new
//! for each process, because numbers of processes are used again.

use std::{
    fs::{self, File, TryLockError},
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    process,
    sync::LazyLock,
};

use super::{
    folder::Folder,
    lmdb::{self, RoTxn},
    rows::{Channel, Rows},
};
use crate::{
    command::Member,
    lease::{Holder, split},
};

/// The number that distinguishes this process from earlier ones with the same number of a process.
static PROCESS: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}", RandomState::new().hash_one(process::id())));

/// Returns what this process writes into its presence file.
pub(super) fn process_mark() -> &'static str {
    &PROCESS
}

/// The leases of one store, and the processes that hold them.
#[derive(Debug, Clone)]
pub(super) struct Leases {
    processes: PathBuf,
}

impl Leases {
    pub(super) fn new(folder: &Folder) -> Self {
        Self {
            processes: folder.processes(),
        }
    }

    /// Returns the member of a lease's channel; `None` if there is none.
    pub(super) fn text(
        rows: &Rows,
        txn: &RoTxn,
        channel: Option<Channel>,
    ) -> Result<Option<Member>, lmdb::Error> {
        let Some(channel) = channel else {
            return Ok(None);
        };
        Ok(rows.members(txn, channel, None, 1)?.pop())
    }

    /// Returns who holds a lease with this text, unless it has expired.
    pub(super) fn holder<'a>(&self, text: Option<&'a [u8]>) -> Option<Holder<'a>> {
        let (until, rest) = split(text?);
        let (number, rest) = split(rest);
        let (mark, rest) = split(rest);
        let (epoch, nonce) = split(rest);
        let until: u64 = std::str::from_utf8(until).ok()?.parse().ok()?;
        let ttl = until.checked_sub(now()).filter(|&ttl| ttl > 0)?;
        self.is_alive(number, mark)
            .then_some(Holder { epoch, nonce, ttl })
    }

    /// Returns the text of a lease that this process holds.
    pub(super) fn own(epoch: &[u8], nonce: &[u8], ttl: u64) -> Member {
        let until = now().saturating_add(ttl);
        let head = format!("{until} {} {} ", process::id(), process_mark());
        [head.as_bytes(), epoch, b" ", nonce].concat()
    }

    /// Returns whether a process is alive. In doubt it is: then the time decides.
    fn is_alive(&self, number: &[u8], mark: &[u8]) -> bool {
        if number == process::id().to_string().as_bytes() {
            return mark == process_mark().as_bytes();
        }
        let Ok(number) = std::str::from_utf8(number) else {
            return false;
        };
        let path = self.processes.join(number);
        match fs::read(&path) {
            Ok(found) if !found.is_empty() && found != mark => return false,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            // Some systems let no other process read a locked file.
            _ => {}
        }
        let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(&path).map_or(true, locked)
    }
}

/// Returns the time since the machine was booted, in milliseconds.
#[cfg(unix)]
pub(super) fn now() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let time = clock_gettime(ClockId::Boottime);
    // Goes on while the machine sleeps, unlike that of Linux.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or_default();
    seconds.saturating_mul(1000).saturating_add(millis)
}

/// Returns the system's time in milliseconds: there is no other clock that all processes share.
#[cfg(not(unix))]
pub(super) fn now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(folder: &std::path::Path) -> Leases {
        let folder = Folder::as_given(folder);
        fs::create_dir_all(folder.processes()).expect("a folder");
        Leases::new(&folder)
    }

    #[test]
    fn a_lease_expires_with_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let leases = leases(folder.path());
        let text = Leases::own(b"e", b"1", 60_000);
        let holder = leases.holder(Some(&text)).expect("it is held");
        assert_eq!((holder.epoch, holder.nonce), (&b"e"[..], &b"1"[..]));
        assert!(holder.ttl > 50_000);
        assert_eq!(leases.holder(Some(&Leases::own(b"e", b"1", 0))), None);
        assert_eq!(leases.holder(None), None);
        assert_eq!(leases.holder(Some(b"damaged")), None);
    }

    #[test]
    fn a_lease_expires_with_its_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let leases = leases(folder.path());
        let path = leases.processes.join("1");
        let text = format!("{} 1 m e 1", u64::MAX);
        let is_held = |text: &str| leases.holder(Some(text.as_bytes())).is_some();
        assert!(!is_held(&text), "it has no file");
        fs::write(&path, "m").expect("a file");
        assert!(!is_held(&text), "its file is not locked");
        let lock = File::options()
            .write(true)
            .open(&path)
            .expect("it is there");
        lock.lock().expect("it is free");
        assert!(is_held(&text));
        fs::write(&path, "").expect("a file");
        assert!(is_held(&text), "there was no room for the mark");
        fs::write(&path, "m").expect("a file");
        assert!(
            !is_held(&text.replace(" m ", " other ")),
            "a later process has its number"
        );
    }
}
