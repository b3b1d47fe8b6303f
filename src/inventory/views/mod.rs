//! What the views of an operator read of a store (`lib/inspect/views.js`): questions and answers as JSON, each answered in a
//! bounded number of steps. There is no question that changes anything. Unlike the jobs of [`super`], a [`Reader`] may be in
//! use for long, so it connects again after a lost connection.
//!
//! - [`question`]: the arguments of a question.
//! - [`frontends`]: the frontends that the store knows, their leases, and who is online.
//! - [`channels`]: pages of channels and of members, and how members are spread over frontends.
//! - [`survey`]: the keys under the prefix, one by one, and what is in the index of members.

mod channels;
mod frontends;
mod question;
mod survey;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value as Json, json};
use tokio::{sync::Mutex as AsyncMutex, task::AbortHandle};

use self::question::Question;
use super::{Opened, address, inner::InnerPrefixes, within};
use crate::{
    command::{Command, Reply, Value},
    error::{Error, Result},
    keys::{Key, KeyLayout},
    options::Store,
    pages::{Given, PageSource},
    redis_manager::{Endpoint, RedisOptions},
};

/// A store that is looked at.
pub struct Reader {
    store: Store,
    layout: KeyLayout,
    open: AsyncMutex<Option<Arc<Open>>>,
    given: Given,
    met: Mutex<Met>,
}

/// What a scan of the keys has found: frontends, also those that are in no index, and longer prefixes.
#[derive(Debug, Default)]
struct Met {
    sids: BTreeSet<String>,
    inner: InnerPrefixes,
    /// Where the scan is; `None` before it has begun, and after its end.
    position: Option<Vec<u8>>,
    is_done: bool,
    scanned: u64,
}

/// A connection, with a task that notices its end.
struct Open {
    opened: Opened,
    has_ended: Arc<AtomicBool>,
    _watch: Watch,
}

/// The task, which ends with this.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    /// Checks the arguments; connects to nothing yet.
    pub fn new(from: &str, prefix: &str, hash_tag: bool) -> Result<Self> {
        Ok(Self {
            store: address::parse("from", from)?,
            layout: KeyLayout::new(prefix).with_hash_tag(hash_tag),
            open: AsyncMutex::default(),
            given: Given::default(),
            met: Mutex::default(),
        })
    }

    /// Answers a question, over a new connection if the last one was lost.
    pub async fn answer(&self, question: &str) -> Result<String> {
        let question = Question::read(question)?;
        let open = self.open().await?;
        let mut answered = self.ask(&open.opened, &question).await;
        let is_lost = matches!(answered, Err(Error::Disconnected { .. }));
        // A server that is no primary any more may not have what the new one has.
        if is_lost || open.opened.connection.demoted().is_some() {
            self.forget(&open).await;
            let open = self.open().await?;
            answered = self.ask(&open.opened, &question).await;
        }
        answered.map(|answer| answer.to_string())
    }

    async fn ask(&self, opened: &Opened, question: &Question) -> Result<Json> {
        let asked = Asked {
            reader: self,
            opened,
            source: opened.connection.pages(),
        };
        let answer = async {
            match question.name() {
                "store" => Ok(asked.store().await),
                "frontends" => asked.frontends().await,
                "online" => asked.online(question).await,
                "joined" => asked.joined(question).await,
                "channels" => asked.channels(question).await,
                "members" => asked.members(question).await,
                "spread" => asked.spread(question).await,
                "meet" => asked.meet(question).await,
                "survey" => asked.survey(question).await,
                "whereabouts" => asked.whereabouts(question).await,
                "stale" => asked.stale(question).await,
                other => Err(Error::Internal(format!("there is no question {other}"))),
            }
        };
        within(answer, &opened.name).await
    }

    /// Returns the connection, and makes one if there is none or if it has ended.
    async fn open(&self) -> Result<Arc<Open>> {
        let mut slot = self.open.lock().await;
        if let Some(open) = &*slot
            && !open.has_ended.load(Ordering::Acquire)
        {
            return Ok(open.clone());
        }
        let opened = address::open(self.store.clone(), &self.layout.stem()).await?;
        let has_ended = Arc::new(AtomicBool::new(false));
        let (closed, ended) = (opened.closed(), has_ended.clone());
        let watch = tokio::spawn(async move {
            closed.await;
            ended.store(true, Ordering::Release);
        });
        let open = Arc::new(Open {
            opened,
            has_ended,
            _watch: Watch(watch.abort_handle()),
        });
        *slot = Some(open.clone());
        Ok(open)
    }

    async fn forget(&self, lost: &Arc<Open>) {
        let mut slot = self.open.lock().await;
        if slot.as_ref().is_some_and(|open| Arc::ptr_eq(open, lost)) {
            *slot = None;
        }
    }

    /// Closes the connection, if there is one; a question after that opens it again.
    pub async fn close(&self) {
        let open = self.open.lock().await.take();
        // If a question is under way, the connection ends with it.
        if let Some(open) = open.and_then(Arc::into_inner) {
            open.opened.close().await;
        }
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what tells cursors of different kinds of stores apart, as those of a service do.
    const fn kind(&self) -> &'static str {
        match self.store {
            Store::Redis(_) => "redis",
            Store::Cluster(_) => "cluster",
            Store::Embedded(_) => "embedded",
        }
    }
}

/// A question under way.
struct Asked<'a> {
    reader: &'a Reader,
    opened: &'a Opened,
    source: Arc<dyn PageSource>,
}

impl Asked<'_> {
    fn layout(&self) -> &KeyLayout {
        &self.reader.layout
    }

    async fn store(&self) -> Json {
        let kind = match &self.reader.store {
            Store::Redis(RedisOptions {
                endpoint: Endpoint::Sentinel(_),
                ..
            }) => "sentinel",
            _ => self.reader.kind(),
        };
        let version = self.opened.connection.version().await;
        let db = match &self.reader.store {
            Store::Redis(options) => options.db,
            Store::Cluster(options) => options.node.db,
            Store::Embedded(_) => 0,
        };
        let (name, prefix) = (&*self.opened.name, self.layout().prefix());
        json!({ "kind": kind, "name": name, "version": version, "prefix": prefix, "db": db })
    }

    /// Executes a read; its answer has a value for each key.
    async fn read(&self, command: &Command) -> Result<Vec<Result<Value>>> {
        let replies = self.opened.execute(&[command]).await?;
        match replies.into_iter().next() {
            Some(Ok(Reply::Values(values))) => Ok(values),
            Some(Err(error)) => Err(error),
            _ => Err(Error::Internal("a read was not answered".to_owned())),
        }
    }

    /// Returns the number of members of each key, which may be many.
    async fn counts(&self, keys: &[Key]) -> Result<Vec<u64>> {
        let mut counts = Vec::with_capacity(keys.len());
        for part in keys.chunks(TOGETHER) {
            counts.extend(self.source.counts(part).await?);
        }
        Ok(counts)
    }
}

/// The maximum number of keys in one pipeline, or in one step of a scan.
const TOGETHER: usize = 1000;

/// Returns bytes as text, as lists have them.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
