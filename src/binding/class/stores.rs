//! Copies members from store to store and lists a store, for `lib/stores.js`. A job runs on the runtime. JavaScript asks
//! for its events one by one, and so sets its pace.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, TryStreamExt as _};
use napi::Env;
use napi_derive::napi;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::AbortHandle,
};

use crate::{
    binding::values::{errors, js::Return},
    driver::panic_text,
    error::{Error, Result},
    inventory::{
        address,
        copy::{Progress, Report, copy},
        departed::{Removed, remove},
        ndjson::lines,
        selection::Selection,
    },
    keys::KeyLayout,
    runtime::Runtime,
};

/// The minimum time between two progress events of a copy.
const TICK: Duration = Duration::from_millis(100);

/// The size of a list's event in bytes, which the last channel in it may exceed.
const TEXT: usize = 64 << 10;

/// The maximum number of keys that a report names; the others are only counted.
const NAMED: usize = 100;

type Events = mpsc::Sender<Result<String>>;
type Job = Arc<Mutex<Option<Running>>>;

/// A running copy or list.
#[napi]
pub struct StoreJob(Job);

struct Running {
    runtime: Arc<Runtime>,
    task: AbortHandle,
    events: Arc<AsyncMutex<mpsc::Receiver<Result<String>>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[napi]
impl StoreJob {
    /// Returns a promise of the next event, or of null after the last. While it is pending the process stays alive.
    #[napi(catch_unwind)]
    pub fn next(&self, env: Env) -> napi::Result<Return> {
        let (deferred, promise) = env.create_deferred()?;
        let promise = Return::new(&promise);
        let job = self.0.clone();
        let running = lock(&self.0);
        let Some(Running {
            runtime, events, ..
        }) = &*running
        else {
            deferred.resolve(answer(job, None));
            return Ok(promise);
        };
        let events = events.clone();
        runtime.spawn(async move {
            let event = events.lock().await.recv().await;
            deferred.resolve(answer(job, event));
        });
        Ok(promise)
    }
}

/// Settles a promise on the JavaScript thread. With the last event the job releases the runtime here, because a task must
/// not drop the runtime on which it runs.
fn answer(
    job: Job,
    event: Option<Result<String>>,
) -> impl FnOnce(Env) -> napi::Result<Option<String>> {
    move |env| {
        if event.is_none() {
            lock(&job).take();
        }
        event
            .transpose()
            .map_err(|error| errors::to_throw(&env, &error))
    }
}

fn lock(job: &Job) -> MutexGuard<'_, Option<Running>> {
    job.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoreJob {
    fn start<F>(env: &Env, job: impl FnOnce(Events) -> F) -> napi::Result<Self>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let runtime = Runtime::share()
            .map_err(|error| errors::to_throw(env, &Error::Internal(error.to_string())))?;
        let (sender, events) = mpsc::channel(1);
        let job = job(sender.clone());
        let task = runtime.spawn(async move {
            let ended = AssertUnwindSafe(job).catch_unwind().await;
            let ended = ended.unwrap_or_else(|panic| Err(Error::Internal(panic_text(&*panic))));
            if let Err(error) = ended {
                // Fails only if the job was dropped, when no event is awaited any more.
                let _ = sender.send(Err(error)).await;
            }
        });
        let events = Arc::new(AsyncMutex::new(events));
        Ok(Self(Arc::new(Mutex::new(Some(Running {
            runtime,
            task,
            events,
        })))))
    }
}

/// Copies all channels under `prefix`. Events are JSON: `{keys, members}` from time to time, and at the end
/// `{keys, members, verified, differing: {count, first: [{key, source, target}]}, refused: {count,
/// first: [{key, why}]}, leftOut: [text]}`; before that, `{note}` for each line for the user.
#[napi(catch_unwind)]
pub fn copy_store(
    env: Env,
    from: String,
    to: String,
    prefix: String,
    from_layout: Option<String>,
    to_prefix: Option<String>,
) -> napi::Result<StoreJob> {
    let selection = Selection::new(Some(&prefix), from_layout.as_deref(), to_prefix.as_deref());
    let selection = selection.map_err(|error| errors::to_throw(&env, &error))?;
    let stores = address::pair(&from, &to, selection.conversion())
        .map_err(|error| errors::to_throw(&env, &error))?;
    let stem = selection.stem();
    StoreJob::start(&env, |events| async move {
        let source = selection.open(stores.0).await?;
        let target = address::open_or_make(stores.1, &stem).await?;
        let mut told = Instant::now();
        let progress = |Progress { keys, members }: Progress| {
            if told.elapsed() >= TICK {
                told = Instant::now();
                // Dropped if the reader is slow, so that the copy does not wait.
                let _ = events.try_send(Ok(json!({"keys": keys, "members": members}).to_string()));
            }
        };
        let report = copy(source, target, &stem, progress).await?;
        for note in &report.notes {
            let _ = events.send(Ok(noted(note))).await;
        }
        let _ = events.send(Ok(told_of(&report).to_string())).await;
        Ok(())
    })
}

/// Removes what the frontend `sid` has left in a store; with `dry` only counts it. Events are JSON: `{looked, channels,
/// members}` from time to time, and at the end.
#[napi(catch_unwind)]
pub fn remove_frontend(
    env: Env,
    from: String,
    prefix: String,
    hash_tag: bool,
    sid: String,
    dry: bool,
) -> napi::Result<StoreJob> {
    let store = address::parse("from", &from).map_err(|error| errors::to_throw(&env, &error))?;
    let layout = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
    StoreJob::start(&env, |events| async move {
        let opened = address::open(store, &layout.stem()).await?;
        let mut told = Instant::now();
        let progress = |removed: Removed| {
            if told.elapsed() >= TICK {
                told = Instant::now();
                let _ = events.try_send(Ok(told_of_removed(removed).to_string()));
            }
        };
        let removed = remove(&opened, &layout, (&sid, dry), progress).await;
        opened.close().await;
        let _ = events.send(Ok(told_of_removed(removed?).to_string())).await;
        Ok(())
    })
}

fn told_of_removed(removed: Removed) -> Value {
    let Removed {
        looked,
        channels,
        members,
    } = removed;
    json!({ "looked": looked, "channels": channels, "members": members })
}

/// Lists all channels under `prefix`, or under every prefix if it is `None`. Events are text: lines of JSON, each
/// `{"key":…,"members":[…]}`; at the end perhaps `{"note":…}`, a line for the user.
#[napi(catch_unwind)]
pub fn list_store(
    env: Env,
    from: String,
    prefix: Option<String>,
    from_layout: Option<String>,
    to_prefix: Option<String>,
) -> napi::Result<StoreJob> {
    let selection = Selection::new(
        prefix.as_deref(),
        from_layout.as_deref(),
        to_prefix.as_deref(),
    );
    let selection = selection.map_err(|error| errors::to_throw(&env, &error))?;
    let store = address::source(&from, selection.conversion())
        .map_err(|error| errors::to_throw(&env, &error))?;
    let stem = selection.stem();
    StoreJob::start(&env, |events| async move {
        let source = selection.open(store).await?;
        let mut lines = lines(&source, &stem);
        let mut text = String::new();
        while let Some(line) = lines.try_next().await? {
            text.push_str(&line);
            if text.len() >= TEXT {
                let _ = events.send(Ok(std::mem::take(&mut text))).await;
            }
        }
        if !text.is_empty() {
            let _ = events.send(Ok(text)).await;
        }
        drop(lines);
        for left_out in source.left_out().await {
            let _ = events
                .send(Ok(noted(&format!("left out: {left_out}"))))
                .await;
        }
        if let Some(note) = source.take_note() {
            let _ = events.send(Ok(noted(&note))).await;
        }
        source.close().await;
        Ok(())
    })
}

/// A line for the user, as an event of any job: `{"note":…}`.
fn noted(note: &str) -> String {
    json!({ "note": note }).to_string()
}

fn told_of(report: &Report) -> Value {
    let text = |key: &Vec<u8>| String::from_utf8_lossy(key).into_owned();
    let differing = report.differing.iter().take(NAMED);
    let differing = differing.map(|difference| {
        json!({
            "key": text(&difference.key),
            "source": difference.source,
            "target": difference.target,
        })
    });
    let left_out = report.left_out.iter().map(ToString::to_string);
    let refused = report.refused.iter().take(NAMED);
    let refused = refused.map(|(key, why)| json!({"key": text(key), "why": why}));
    json!({
        "keys": report.keys,
        "members": report.members,
        "verified": report.is_verified(),
        "differing": {
            "count": report.differing.len(),
            "first": differing.collect::<Value>(),
        },
        "refused": {
            "count": report.refused.len(),
            "first": refused.collect::<Value>(),
        },
        "leftOut": left_out.collect::<Value>(),
    })
}
