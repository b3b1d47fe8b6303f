//! What a manager is made of: how the server is found and how to log in, and what the member cache may take. As a URL:
//! [`super::url`].

use std::fmt;

use super::{sentinel::Sentinels, server_address::Address, tls::Tls};
use crate::{keys::Key, list_lru::Bounds};

/// How the server to talk to is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// It is always this one.
    Server(Address),
    /// The sentinels know.
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

/// Where Redis is and how to log in. `Debug` is not derived: it would show the password.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The database to select.
    pub db: u64,
    /// The ACL user, if not the default one.
    pub username: Option<String>,
    /// The password, if one is needed.
    pub password: Option<String>,
    /// How connections are secured, if they are.
    pub tls: Option<Tls>,
    /// What else must not be seen in an error or in the log: the values of all options that the table says are secret.
    pub secrets: Vec<String>,
    /// What our keys begin with, all of which the server has to have; `None` = it is one node of many.
    pub stem: Option<Key>,
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
            username: None,
            password: None,
            tls: None,
            secrets: Vec::new(),
            stem: Some(Key::new()),
        }
    }

    /// Returns what may be the reason if an attempt to connect takes too long.
    pub(crate) fn timeout_hint(&self) -> Option<&'static str> {
        self.tls.as_ref()?.timeout_hint()
    }

    /// Returns what is removed from the messages of a server, which may repeat what it was sent. The password may come
    /// from a URL.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = self.secrets.iter().chain(&self.password);
        secrets.map(String::as_str)
    }
}

/// What the member cache may take, and where it can be tried out.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// How much it may keep.
    pub bounds: Bounds,
    /// A key that no channel has and that an ACL for our keys permits.
    pub probe: Key,
}
