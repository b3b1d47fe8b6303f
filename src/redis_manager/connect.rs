//! Opens a connection, in RESP3 if a cache is wanted and the server speaks it. What is sent on it before the first call
//! is in [`super::handshake`].

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, select},
};
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult,
    aio::MultiplexedConnection,
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    Address, CacheOptions, RedisConnection, RedisManager, Target,
    attempts::Handshake,
    fallbacks::Commands,
    first_line::FirstLine,
    handshake::{BARE, CacheOff, Identity, fence, track},
    login::{Login, renew},
    read_activity::ReadActivity,
    redact::redact,
    role::Role,
    sentinel::FailoverWatch,
    server_errors::{hello_may_pass, unreachable},
    state::{State, lock, on_push},
    stream::{self, Socket},
    wire::ListStream,
};
use crate::{
    cache::Session,
    failpoints::fail_point,
    lone_socket::LoneSocket,
    manager::{ConnectError, Connected, Manager},
    shared_task::SharedTask,
};

/// The number of pipelines that may wait for the socket: more than the driver and rereads can send, because sending
/// must never wait (its order is part of the cache's protocol).
const PIPELINES: usize = 128;

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

/// A connection that is logged in.
struct Open {
    connection: RedisConnection,
    task: JoinHandle<()>,
    identity: Identity,
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

    /// Opens a connection: with a cache in RESP3, which carries invalidations, or in RESP2 if the server does not speak
    /// it.
    async fn open(
        &self,
        address: &Address,
        login: &Login,
    ) -> Result<(Open, CacheOff), ConnectError> {
        let handshake = self.attempts.next(self.cache.is_some());
        let cache = match (&self.cache, handshake) {
            (Some(cache), Handshake::Resp3) => cache,
            (cache, mut handshake) => {
                let mut open = self.open_plain(address, handshake, login).await?;
                // The server answers now. If it was only starting, it does not close on the other commands any more.
                if handshake == Handshake::Bare
                    && let Ok(mut whole) = self.open_plain(address, Handshake::Resp2, login).await
                {
                    let mut notes = std::mem::take(&mut open.identity.notes);
                    notes.retain(|note| note != BARE);
                    whole.identity.notes.splice(0..0, notes);
                    (open, handshake) = (whole, Handshake::Resp2);
                }
                let off = match (cache, handshake) {
                    (None, _) => "option cache is false",
                    (_, Handshake::Bare) => {
                        "the server closes the connection on commands that are new to it"
                    }
                    _ => "the server does not answer HELLO",
                };
                return Ok((open, Some(off.to_owned())));
            }
        };
        let socket = stream::open(address, self.options.tls.as_ref()).await?;
        let first = socket.first.clone();
        let state = State::new(self.session(Some(cache)));
        self.attempts.sends_hello();
        let attached = self
            .attach(socket, ProtocolVersion::RESP3, state, login)
            .await;
        let refused = match attached {
            Ok((connection, task)) => {
                let greeted = (&first, login);
                return self.set_up_cached(connection, task, cache, greeted).await;
            }
            Err(error) if error.is_io_error() => {
                let said = first.reason().is_some();
                let error = self.unanswered(&error, &first);
                if said || matches!(error, ConnectError::Refused(_)) {
                    // This failure was not about HELLO.
                    self.attempts.answered();
                }
                return Err(error);
            }
            Err(error) if hello_may_pass(&error) => {
                let said = first.reason();
                return Err(said.unwrap_or_else(|| unreachable(&error)));
            }
            Err(error) => error,
        };
        self.attempts.answered();
        // Not final: the second attempt reports a wrong password in the server's own words.
        let open = self.open_plain(address, Handshake::Resp2, login).await?;
        // Only the code: for an unknown command the words repeat its arguments, and with them the password.
        let code = refused.code().unwrap_or("no reply to HELLO that is known");
        let off = format!("the server does not speak RESP3 ({code})");
        Ok((open, Some(off)))
    }

    /// Opens a connection in RESP2.
    async fn open_plain(
        &self,
        address: &Address,
        handshake: Handshake,
        login: &Login,
    ) -> Result<Open, ConnectError> {
        let protocol = ProtocolVersion::RESP2;
        let socket = stream::open(address, self.options.tls.as_ref()).await?;
        let first = socket.first.clone();
        let state = State::new(self.plain_session());
        let attached = self.attach(socket, protocol, state, login).await;
        let (mut connection, task) = attached.map_err(|error| self.unanswered(&error, &first))?;
        let (identity, _) = self
            .set_up(&mut connection.connection, handshake, (&first, login))
            .await?;
        connection.in_cluster = identity.in_cluster;
        connection.commands = identity.commands.clone();
        Ok(Open {
            connection,
            task,
            identity,
        })
    }

    async fn set_up_cached(
        &self,
        mut connection: RedisConnection,
        task: JoinHandle<()>,
        cache: &CacheOptions,
        greeted: (&FirstLine, &Login),
    ) -> Result<(Open, CacheOff), ConnectError> {
        let (identity, objection) = self
            .set_up(&mut connection.connection, Handshake::Resp3, greeted)
            .await?;
        connection.in_cluster = identity.in_cluster;
        connection.commands = identity.commands.clone();
        let off = match objection {
            Some(objection) => Some(objection),
            None => track(&mut connection.connection, cache).await?,
        };
        {
            let session = &mut lock(&connection.state).session;
            if off.is_some() {
                *session = self.session(None);
            } else {
                session.inherit(&self.dead_keys);
            }
        }
        let open = Open {
            connection,
            task,
            identity,
        };
        Ok((open, off))
    }

    /// Makes the cache session of a new connection, which knows nothing yet.
    fn session(&self, cache: Option<&CacheOptions>) -> Session {
        let bounds = cache.map(|cache| cache.bounds.clone());
        let session = Session::new(bounds, self.stats.clone());
        if self.options.is_node() {
            session.by_slot()
        } else {
            session
        }
    }

    /// Makes a session without a cache, for RESP2, in which the server cannot report changes.
    fn plain_session(&self) -> Session {
        fail_point!("cache-on-resp2", Some(self.session(self.cache.as_ref())));
        self.session(None)
    }

    /// Starts redis-rs on a stream. In RESP3 it logs in with its HELLO.
    pub(super) async fn attach(
        &self,
        socket: Socket,
        protocol: ProtocolVersion,
        state: Arc<Mutex<State>>,
        login: &Login,
    ) -> RedisResult<(RedisConnection, JoinHandle<()>)> {
        let mut info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(protocol);
        let mut config = AsyncConnectionConfig::new()
            // Deadlines are the driver's: redis-rs's own would give up on commands that it keeps.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINES);
        if protocol == ProtocolVersion::RESP3 {
            info = login.put_into(info);
            let state = state.clone();
            config = config.set_push_sender(move |push: PushInfo| {
                fail_point!("panicking-closure", panic!("on purpose"));
                on_push(&state, &push);
                Ok::<(), ()>(())
            });
        }
        let activity = Arc::new(Notify::new());
        let lone = socket.lone;
        let stream = ListStream::new(ReadActivity {
            stream: socket.stream,
            activity: activity.clone(),
        });
        let (connection, task) =
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        let shared = SharedTask::new(task.boxed());
        let task = tokio::spawn(shared.runner(|| ()));
        let lone = lone.map(|socket| LoneSocket::new(socket, shared.clone()));
        let connection = RedisConnection {
            connection,
            task: task.abort_handle(),
            shared,
            lone,
            renewal: None,
            state,
            probe: self.options.probe.clone(),
            commands: Commands::default(),
            publishing: self.options.publishing.clone(),
            kept: self.options.kept.clone(),
            activity,
            in_cluster: false,
            scripts: self.options.scripts,
            cache_off: None,
            origin: RandomState::new().hash_one(()),
        };
        Ok((connection, task))
    }
}
