//! The settings of a manager: how to find the server and log in, and the bounds of the member cache. [`super::url`]
//! reads them from a URL.

use std::{fmt, sync::Arc};

use super::{
    event_scripts::EventScripts,
    login::{LoginOptions, Source},
    nat_map::NatMap,
    sentinel::Sentinels,
    server_address::Address,
    tls::Tls,
};
use crate::{app::AppHandle, events::Publishing, keys::Key, list_lru::Bounds};

/// How to find the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a service has one")]
pub enum Endpoint {
    /// At a fixed address.
    Server(Address),
    /// By asking sentinels.
    Sentinel(Sentinels),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) => address.fmt(f),
            Self::Sentinel(sentinels) => sentinels.fmt(f),
        }
    }
}

/// How to find Redis and log in. `Debug` is not derived: it would show secrets.
#[derive(Clone)]
pub struct RedisOptions {
    /// How to find the server.
    pub endpoint: Endpoint,
    /// The database to select.
    pub db: u64,
    /// How to log in at the server.
    pub login: LoginOptions,
    /// How connections are secured, if they are.
    pub tls: Option<Tls>,
    /// Which addresses are used in place of announced ones.
    pub nat_map: NatMap,
    /// The app whose functions are among the options.
    pub app: AppHandle,
    /// Whether changes of channels are published (option `events`).
    pub events: bool,
    /// Where they are, once it is known what our keys begin with.
    pub publishing: Option<Arc<Publishing>>,
    /// The scripts that publish there.
    pub(crate) scripts: &'static EventScripts,
    /// Whether members that are removed with their sessions are kept for a while (option `membership`).
    pub keeps: bool,
    /// What the keys of channels begin with then, once that is known.
    pub kept: Option<Key>,
    /// Further values that no error or log line may contain: those of all options that the table marks as secret.
    pub secrets: Vec<String>,
    /// What our keys begin with, all of which the server must have; `None` for one of many nodes.
    pub stem: Option<Key>,
    /// A key that no channel has and that an ACL for our keys permits: the handshake and the heartbeat read it.
    pub probe: Key,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("endpoint", &self.endpoint)
            .field("db", &self.db)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl RedisOptions {
    /// Makes the settings for database 0 at `endpoint`, without a password.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            db: 0,
            login: LoginOptions::default(),
            tls: None,
            nat_map: NatMap::None,
            app: AppHandle::default(),
            events: false,
            publishing: None,
            scripts: &EventScripts::ONE_REDIS,
            keeps: false,
            kept: None,
            secrets: Vec::new(),
            stem: Some(Key::new()),
            probe: probe(&[]),
        }
    }

    /// Sets the app, for everything that may have to ask it.
    pub(crate) fn bind(&mut self, app: &AppHandle) {
        self.app = app.clone();
        self.tls = self.tls.take().map(|tls| tls.bound(app));
        if let Endpoint::Sentinel(sentinels) = &mut self.endpoint {
            sentinels.tls = sentinels.tls.take().map(|tls| tls.bound(app));
            sentinels.nat_map = self.nat_map.clone();
            sentinels.app = app.clone();
        }
    }

    /// Sets what our keys begin with: `stem`, all of which the server must have.
    #[must_use]
    pub fn under(mut self, stem: Key) -> Self {
        self.probe = probe(&stem);
        let publishing = || Arc::new(Publishing::new(stem.clone(), self.db));
        self.publishing = self.events.then(publishing);
        self.kept = self.keeps.then(|| stem.clone());
        self.stem = Some(stem);
        self
    }

    /// Makes these the settings for one of many nodes: it has a part of the keys, and so takes other scripts to
    /// publish. What is kept may be on another node: the cluster sees to that.
    #[must_use]
    pub(crate) fn of_node(mut self, endpoint: Endpoint, scripts: &'static EventScripts) -> Self {
        self.endpoint = endpoint;
        self.scripts = scripts;
        self.kept = None;
        self.stem = None;
        self
    }

    /// Returns whether these are the settings for one of many nodes.
    pub(super) const fn is_node(&self) -> bool {
        self.stem.is_none()
    }

    /// Returns what may be the reason if an attempt to connect takes too long.
    pub(crate) fn timeout_hint(&self) -> Option<&'static str> {
        match self.app.unanswered() {
            Some("natMap") => Some("while waiting for the function that is option natMap"),
            Some("username") => Some("while waiting for the function that is option username"),
            Some("password") => Some("while waiting for the function that is option password"),
            Some("auth_pass") => Some("while waiting for the function that is option auth_pass"),
            Some(_) => Some("while waiting for a function among the options"),
            None => self.tls.as_ref()?.timeout_hint(),
        }
    }

    /// Returns the source of logins at the server.
    pub(super) fn source(&self) -> Source {
        Source {
            options: self.login.clone(),
            app: self.app.clone(),
            secrets: self.fixed_secrets(),
        }
    }

    /// Returns the values that are removed from a server's messages, which may repeat what it was sent.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.fixed_secrets();
        secrets.extend(self.app.secrets());
        secrets
    }

    /// Returns the secrets among the options. The password may come from a URL.
    fn fixed_secrets(&self) -> Vec<String> {
        let password = &self.login.password;
        self.secrets.iter().chain(password).cloned().collect()
    }
}

/// Makes a key under `stem`. A channel's key has one more colon, and nothing that prints has the zero.
fn probe(stem: &[u8]) -> Key {
    [stem, b"\0probe"].concat()
}

/// The bound of the member cache, and a key for testing the server.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// How much the cache may keep.
    pub bounds: Bounds,
    /// A key that no channel has and that an ACL for our keys permits.
    pub probe: Key,
}
