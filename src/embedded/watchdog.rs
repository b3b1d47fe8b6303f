//! Watchdog of an open store: checks once a second that its files are still those in the folder, keeps their times
//! fresh, and writes heartbeats ([`super::liveness`]) if needed. A task does so, or a call if that comes first: a
//! process without calls has to notice too, because processes that open the store wait for it.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::watch, task::spawn_blocking, time::sleep};

use super::{
    Durability,
    folder::Folder,
    held_files::{HeldFile, freshen, is_last},
    liveness::Liveness,
    recovery::restore,
    shutdown_marker::is_synced,
};
use crate::manager::Lost;

/// The time between two checks.
const LOOK: Duration = Duration::from_secs(1);

/// Checks an open store, and knows why it cannot be used any more.
#[derive(Debug)]
pub(super) struct Watchdog {
    folder: Folder,
    durability: Durability,
    files: Mutex<Option<Files>>,
    looked: Mutex<Instant>,
    /// Why the store cannot be used any more.
    over: watch::Sender<Option<Arc<str>>>,
}

/// The open files, as long as the store is open.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) data: HeldFile,
    /// The lock files and the presence file.
    pub(super) others: Vec<HeldFile>,
    /// The heartbeats, if locks may not be shared.
    pub(super) beats: Option<Liveness>,
}

impl Watchdog {
    pub(super) fn new(folder: Folder, durability: Durability, files: Files) -> Arc<Self> {
        Arc::new(Self {
            folder,
            durability,
            files: Mutex::new(Some(files)),
            looked: Mutex::new(Instant::now()),
            over: watch::Sender::default(),
        })
    }

    /// Starts the task, which ends when the store is closed. Without a runtime only calls check.
    pub(super) fn begin(self: &Arc<Self>) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(go_on(Arc::downgrade(self)));
        }
    }

    /// Checks if that is due. Fails if the store cannot be used any more.
    pub(super) fn check(&self) -> Result<(), Lost> {
        let due = lock(&self.looked).elapsed() >= LOOK;
        if due {
            self.look();
        }
        match &*self.over.borrow() {
            None => Ok(()),
            Some(words) => Err(Lost(words.clone())),
        }
    }

    /// Checks now. Returns nothing if no further check is needed: the store is closed, or cannot be used any more.
    fn look(&self) -> Option<()> {
        *lock(&self.looked) = Instant::now();
        if self.over().is_some() {
            return None;
        }
        let mut files = lock(&self.files);
        let files = files.as_mut()?;
        if files.data.is_there() {
            self.keep_state();
        }
        if let Some(path) = files.missing() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.end(format!("its files were taken away ({name})").into());
            return Some(());
        }
        // An error such as a full disk may be gone at the next check.
        if let Some(Ok(Some(words))) = files.beats.as_mut().map(Liveness::look) {
            self.end(words.into());
        }
        Some(())
    }

    /// Restores `store.json` if it is missing, as long as this process has data.mdb open: without the file the next
    /// process refuses the store.
    fn keep_state(&self) {
        let path = self.folder.state();
        let _ = match File::options().write(true).open(&path) {
            // A process with durability `os` has restored it, and does not know that this one does not wait for the
            // disk.
            Ok(_) if self.durability == Durability::Process && is_synced(&self.folder) => {
                restore(&self.folder, self.durability)
            }
            Ok(file) => freshen(&file),
            Err(_) if !path.exists() => restore(&self.folder, self.durability),
            Err(error) => Err(error),
        };
    }

    /// Ends the store: it cannot be used from now on.
    pub(super) fn end(&self, words: Arc<str>) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            if first {
                *over = Some(words);
            }
            first
        });
    }

    /// Returns why the store cannot be used any more.
    pub(super) fn over(&self) -> Option<Arc<str>> {
        self.over.borrow().clone()
    }

    /// Completes when the store cannot be used any more.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut over = self.over.subscribe();
        async move {
            // Fails if the store was closed in order, which is not a failure.
            if over.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns whether the data file is still the one in the folder, before this process closes it.
    pub(super) fn has_data(&self) -> bool {
        let files = lock(&self.files);
        let there = files.as_ref().is_some_and(|files| files.data.is_there());
        if there {
            self.keep_state();
        }
        there
    }

    /// Returns whether no other process holds the data file, where the system can tell. Ends this process's own hold.
    pub(super) fn is_last(&self) -> Option<bool> {
        is_last(&lock(&self.files).as_ref()?.data)
    }

    /// Closes the files; lock.mdb must be open for as long as LMDB's environment is.
    pub(super) fn close(&self) {
        lock(&self.files).take();
    }
}

impl Files {
    /// Returns the first file that is no longer in the folder. Renews the times of the others, so that they do not look
    /// old.
    pub(super) fn missing(&self) -> Option<&Path> {
        let mut all = std::iter::once(&self.data).chain(&self.others);
        all.find(|held| {
            held.freshen();
            !held.is_there()
        })
        .map(HeldFile::path)
    }
}

async fn go_on(watchdog: Weak<Watchdog>) {
    loop {
        sleep(LOOK).await;
        let Some(watchdog) = watchdog.upgrade() else {
            return;
        };
        // The disk may be slow.
        if !matches!(spawn_blocking(move || watchdog.look()).await, Ok(Some(()))) {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
