//! Connects to the one server, or to the primary that the sentinels name: opens a connection ([`super::open`]), fences the
//! last one, and says what the log is told.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, select},
};

use super::{
    Address, RedisConnection, RedisManager, Target,
    handshake::{CacheOff, Identity, fence},
    login::renew,
    redact::redact,
    role::Role,
    sentinel::FailoverWatch,
    state::lock,
};
use crate::manager::{ConnectError, Connected, Manager};

impl Manager for RedisManager {
    type Connection = RedisConnection;

    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, Result<Connected<RedisConnection>, ConnectError>> {
        async move {
            let connected = match &self.target {
                Target::Server(address) => self.connect_to(address).await,
                Target::Primary(watch) => self.connect_to_primary(watch).await,
            };
            connected.map_err(|error| error.map(|words| self.redact(words)))
        }
        .boxed()
    }

    fn retry_hint(&self) -> BoxFuture<'static, ()> {
        match &self.target {
            Target::Server(_) => std::future::pending().boxed(),
            Target::Primary(watch) => watch.next().boxed(),
        }
    }

    fn elects(&self) -> bool {
        self.is_elected()
    }

    fn describe(&self) -> String {
        format!("Redis at {}", self.options.endpoint)
    }

    fn timeout_hint(&self) -> Option<&'static str> {
        self.options.timeout_hint()
    }
}

/// Makes one line for the log.
fn notes_of(notes: &[String]) -> Option<String> {
    (!notes.is_empty()).then(|| notes.join("; "))
}

impl RedisManager {
    pub(super) fn redact(&self, words: Arc<str>) -> Arc<str> {
        let secrets = self.options.secrets();
        redact(words, secrets.iter().map(String::as_str))
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Identity>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect_to(
        &self,
        address: &Address,
    ) -> Result<Connected<RedisConnection>, ConnectError> {
        let source = self.options.source();
        let login = source.login().await?;
        let (mut open, off) = self.open(address, &login).await?;
        // The operator may have meant to use a replica; but where there was a primary before, it is a demoted server.
        let primary = open.identity.is_primary;
        // A node of a cluster that is no primary points to another node instead.
        let matters = !self.options.is_node();
        if matters && (self.had_primary.fetch_or(primary, Ordering::Relaxed) || primary) {
            let rises = !primary && self.cache.is_some();
            lock(&open.connection.state).role = Role::new(open.identity.question).rises(rises);
        }
        let notes = std::mem::take(&mut open.identity.notes);
        let notes = notes
            .into_iter()
            .map(|note| self.redact(note.into()).to_string());
        let notes: Vec<String> = notes.collect();
        let last = self.last().clone();
        let fenced = fence(&mut open.connection.connection, last, &open.identity).await?;
        if let Some(origin) = open.identity.origin() {
            open.connection.origin = origin;
        }
        *self.last() = Some(open.identity);
        if let Some(expires) = login.expires() {
            let connection = open.connection.connection.clone();
            let renewal = renew(source, connection, expires, address.to_string());
            open.connection.renewal = Some(tokio::spawn(renewal).abort_handle());
        }
        let off = off.map(|reason| self.redact(reason.into()).to_string());
        open.connection.cache_off.clone_from(&off);
        // Of many nodes the cluster says it, once.
        let switched = if self.options.is_node() {
            None
        } else {
            self.switch(off)
        };
        Ok(Connected {
            connection: open.connection,
            closed: open.task.map(drop).boxed(),
            fenced,
            note: notes_of(&[notes, switched.into_iter().collect()].concat()),
        })
    }

    async fn connect_to_primary(
        &self,
        watch: &FailoverWatch,
    ) -> Result<Connected<RedisConnection>, ConnectError> {
        let address = watch.find().await?;
        let (nat_map, app) = (&self.options.nat_map, &self.options.app);
        let mapped = nat_map.apply(app, &address).await?;
        let connecting = self.connect_to(&mapped);
        let mut connected = tokio::select! {
            // First, so that no connection is returned that contradicts what the sentinels said.
            biased;
            () = watch.left(&address) => {
                let words = format!("primary {address}: a failover has begun, or is over");
                return Err(ConnectError::Unreachable(words.into()));
            }
            connected = connecting => connected.map_err(|error| match error {
                // The operator did not choose this server.
                ConnectError::Unreachable(words) => {
                    let at = if mapped == address {
                        String::new()
                    } else {
                        format!(" at {mapped} (option natMap)")
                    };
                    ConnectError::Unreachable(format!("primary {address}{at}: {words}").into())
                }
                refused @ ConnectError::Refused(_) => refused,
            })?,
        };
        let mut notes = watch.connected(&address);
        notes.extend(connected.note.take());
        connected.note = notes_of(&notes);
        connected.closed = select(connected.closed, watch.left(&address).boxed())
            .map(drop)
            .boxed();
        Ok(connected)
    }

    /// Notes whether the cache is on; returns a line for the log if that has changed.
    fn switch(&self, off: CacheOff) -> Option<String> {
        let off: Option<Arc<str>> = off.map(Arc::from);
        let news = self.stats.cache.switch(off.clone());
        if !news || self.cache.is_none() {
            return None;
        }
        let was_off = self.cache_off.swap(off.is_some(), Ordering::Relaxed);
        match off {
            Some(reason) => Some(format!("the member cache is off: {reason}")),
            None => was_off.then(|| "the member cache is on again".to_owned()),
        }
    }
}
