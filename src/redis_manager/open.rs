//! Opens a connection, in RESP3 if a cache is wanted and the server speaks it. What is sent on it before the first call
//! is in [`super::handshake`].

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex},
};

use futures_util::FutureExt as _;
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult,
    aio::MultiplexedConnection,
};
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    Address, CacheOptions, RedisConnection, RedisManager,
    attempts::Handshake,
    fallbacks::Commands,
    first_line::FirstLine,
    handshake::{BARE, CacheOff, Identity},
    login::Login,
    read_activity::ReadActivity,
    server_errors::{hello_may_pass, unreachable},
    state::{State, lock, on_push},
    stream::{self, Socket},
    tracking::track,
    wire::ListStream,
};
use crate::{
    cache::Session, failpoints::fail_point, lone_socket::LoneSocket, manager::ConnectError,
    shared_task::SharedTask,
};

/// The number of pipelines that may wait for the socket: more than the driver and rereads can send, because sending
/// must never wait (its order is part of the cache's protocol).
const PIPELINES: usize = 128;

/// A connection that is logged in.
pub(super) struct Open {
    pub(super) connection: RedisConnection,
    pub(super) task: JoinHandle<()>,
    pub(super) identity: Identity,
}

impl RedisManager {
    /// Opens a connection: with a cache in RESP3, which carries invalidations, or in RESP2 if the server does not speak
    /// it.
    pub(super) async fn open(
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
