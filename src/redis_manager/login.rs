//! How a connection logs in: with fixed values, or with those that functions of the app return at each connect. A password
//! that expires is replaced on the live connection before its time ([`renew`]).

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use redis::{Pipeline, RedisConnectionInfo, ServerError, Value, aio::MultiplexedConnection};
use tokio::time::sleep;

use super::{
    redact::redact,
    server_errors::{needs_no_password, words},
};
use crate::{
    app::{AppHandle, Level},
    manager::ConnectError,
    options::{Credentials, credentials, user},
};

/// The part of the time until a password expires after which it is replaced.
const RENEWED_AFTER: f64 = 0.75;

/// The shortest time between two replacements.
const SHORTEST: Duration = Duration::from_millis(500);

/// How long a timer may run: it stands still while the machine sleeps, and the time of a password does not.
const LOOK: Duration = Duration::from_secs(30);

/// The first and the longest pause after a replacement that failed.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// How to log in, as the options say. `Debug` is not derived: it would show the password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LoginOptions {
    /// The ACL user, if not the default one.
    pub username: Option<String>,
    /// The password, if one is needed.
    pub password: Option<String>,
    /// Which of these are functions of the app instead.
    pub asked: Asked,
}

impl fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginOptions").finish_non_exhaustive()
    }
}

/// Which of user and password are functions of the app, by the names of their options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The function for the user's name.
    pub username: Option<&'static str>,
    /// The function for the password, which may return the user's name too.
    pub password: Option<&'static str>,
}

impl Asked {
    fn any(self) -> bool {
        self.username.is_some() || self.password.is_some()
    }
}

/// The source of logins.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) options: LoginOptions,
    pub(super) app: AppHandle,
    /// What no line of the log may contain, besides what functions return.
    pub(super) secrets: Vec<String>,
}

/// A login for one connection.
#[derive(Default)]
pub(super) struct Login {
    credentials: Credentials,
    /// Whether a function may return another one the next time.
    may_change: bool,
}

impl Source {
    /// Returns the login for a new connection. A failure counts as temporary, because a function may recover.
    pub(super) async fn login(&self) -> Result<Login, ConnectError> {
        let LoginOptions {
            username,
            password,
            asked,
        } = &self.options;
        let mut login = Credentials {
            username: username.clone(),
            password: password.clone(),
            expires: None,
        };
        let unreachable = |words: String| ConnectError::Unreachable(words.into());
        if let Some(option) = asked.username {
            let answer = self.app.call(option, None).await?;
            login.username = user(option, answer).map_err(unreachable)?;
        }
        if let Some(option) = asked.password {
            let answer = self.app.call(option, None).await?;
            let answer = credentials(option, answer, SystemTime::now()).map_err(unreachable)?;
            login.username = answer.username.or(login.username);
            login.password = answer.password;
            login.expires = answer.expires;
            if let Some(password) = &login.password {
                self.app.remember(password);
            }
        }
        Ok(Login {
            credentials: login,
            may_change: asked.any(),
        })
    }

    async fn renewed(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<SystemTime>, ConnectError> {
        let login = self.login().await?;
        let mut pipeline = Pipeline::new();
        login.authenticate(&mut pipeline);
        let sent = connection.send_packed_commands(&pipeline, 0, pipeline.len());
        let replies = sent.await.map_err(|error| super::unreachable(&error))?;
        match replies.first() {
            Some(Value::ServerError(error)) if !login.is_needless(error) => {
                Err(ConnectError::Unreachable(words(error)))
            }
            _ => Ok(login.credentials.expires),
        }
    }
}

impl Login {
    /// Returns whether there is anything to log in with.
    pub(super) fn is_some(&self) -> bool {
        self.credentials.username.is_some() || self.credentials.password.is_some()
    }

    /// Adds `AUTH` to a pipeline, if there is anything to log in with. Returns whether there is.
    pub(super) fn authenticate(&self, pipeline: &mut Pipeline) -> bool {
        if self.is_some() {
            pipeline.cmd("AUTH").arg(&self.credentials.username);
            // A user without a password accepts any.
            pipeline.arg(self.credentials.password.as_deref().unwrap_or_default());
        }
        self.is_some()
    }

    /// Adds the login to the settings of redis-rs, for its HELLO.
    pub(super) fn put_into(&self, mut info: RedisConnectionInfo) -> RedisConnectionInfo {
        if let Some(username) = &self.credentials.username {
            info = info.set_username(username);
        }
        if self.is_some() {
            let password = self.credentials.password.as_deref();
            info = info.set_password(password.unwrap_or_default());
        }
        info
    }

    /// Returns what a server's refusal of the login means: it is temporary if a function may return another one.
    pub(super) fn refused(&self, error: &ServerError) -> ConnectError {
        let details = error.details().unwrap_or_default();
        let of_login = matches!(error.code(), "WRONGPASS" | "NOAUTH" | "NOPERM")
            // Before Redis 6.
            || details.starts_with("invalid password");
        match super::connect_error(error) {
            ConnectError::Refused(words) if self.may_change && of_login => {
                ConnectError::Unreachable(words)
            }
            error => error,
        }
    }

    /// Makes the end of a connection temporary if the server said before that it refuses a login that may change.
    pub(super) fn may_pass(&self, error: ConnectError) -> ConnectError {
        let of_login = |words: &str| words.starts_with("WRONGPASS") || words.starts_with("NOAUTH");
        match error {
            ConnectError::Refused(words) if self.may_change && of_login(&words) => {
                ConnectError::Unreachable(words)
            }
            error => error,
        }
    }

    /// Returns whether the server's answer to `AUTH` says that it needs none. With a user every refusal counts: there may
    /// be no such user.
    pub(super) fn is_needless(&self, error: &ServerError) -> bool {
        self.credentials.username.is_none() && needs_no_password(error)
    }

    /// Returns when the login expires, if it does.
    pub(super) fn expires(&self) -> Option<SystemTime> {
        self.credentials.expires
    }
}

/// Replaces the login of a live connection, each time before it expires. Never completes for a connection that lives.
/// `place` is the server, for the log.
pub(super) async fn renew(
    source: Source,
    mut connection: MultiplexedConnection,
    mut expires: SystemTime,
    place: String,
) {
    let mut pause = PAUSES[0];
    loop {
        wait(expires).await;
        loop {
            match source.renewed(&mut connection).await {
                Ok(None) => return,
                Ok(Some(next)) => {
                    expires = next;
                    pause = PAUSES[0];
                    break;
                }
                Err(error) => {
                    let secrets = source.app.secrets();
                    let secrets = secrets.iter().chain(&source.secrets).map(String::as_str);
                    let words = redact(error.words().clone(), secrets);
                    let line =
                        format!("{place}: cannot renew the login before it expires: {words}");
                    source.app.log(Level::Warn, line);
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES[1]);
                }
            }
        }
    }
}

/// Waits until it is time to replace a login that expires.
async fn wait(expires: SystemTime) {
    let left = |at: SystemTime| at.duration_since(SystemTime::now()).unwrap_or_default();
    let pause = left(expires).mul_f64(RENEWED_AFTER).max(SHORTEST);
    let Some(due) = SystemTime::now().checked_add(pause) else {
        return std::future::pending().await;
    };
    loop {
        let left = left(due);
        if left.is_zero() {
            return;
        }
        sleep(left.min(LOOK)).await;
    }
}
