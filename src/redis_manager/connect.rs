//! Opening a connection: log in, select the database, find out who answers, see whether the member
//! cache can be had, and fence off the connection before. Of the set-up only HELLO is sent by redis-rs; the
//! rest is ours, so that an error is in the server's own words.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult,
    Value, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{
    Address, CacheOptions, RedisLink, RedisManager, gate,
    link::{State, lock, on_push},
    words,
};
use crate::{
    cache::Session,
    manager::{ConnectError, Connected, Manager},
};

/// Pipelines that may wait for the socket: more than the driver and what has to be read again can
/// send, because sending must never wait (its order is part of the cache's protocol).
const PIPELINES: usize = 128;

/// After so many attempts in a row that ended without an answer to HELLO, one is made without it:
/// some proxies close the connection on commands that they do not know.
const LOST_HELLOS: u32 = 2;

/// Whatever kind of socket it is.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Which connection of which server process: enough to end it from another connection.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    client_id: Option<i64>,
    /// Made anew whenever a server process starts. A connection id means nothing without it: after
    /// a restart the same id is somebody else's connection.
    run_id: Option<String>,
}

impl Manager for RedisManager {
    type Link = RedisLink;

    fn connect(self: Arc<Self>) -> BoxFuture<'static, Result<Connected<RedisLink>, ConnectError>> {
        async move {
            let (mut open, off) = self.open().await?;
            let last = self.last().clone();
            let fenced = fence(&mut open.link.connection, last, &open.identity).await?;
            *self.last() = Some(open.identity);
            let note = self.switch(off);
            Ok(Connected {
                link: open.link,
                closed: open.task.map(drop).boxed(),
                fenced,
                note,
            })
        }
        .boxed()
    }

    fn describe(&self) -> String {
        match &self.options.address {
            Address::Tcp(host, port) => format!("Redis at {host}:{port}"),
            Address::Unix(path) => format!("Redis at {}", path.display()),
        }
    }
}

/// A connection that is logged in.
struct Open {
    link: RedisLink,
    task: JoinHandle<()>,
    identity: Identity,
}

/// Why the cache is off, if it is.
type Off = Option<String>;

impl RedisManager {
    fn last(&self) -> std::sync::MutexGuard<'_, Option<Identity>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether the cache is on; a line for the log if that is news to the operator.
    fn switch(&self, off: Off) -> Option<String> {
        let off: Option<Arc<str>> = off.map(Into::into);
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

    /// With a cache in RESP3, which carries invalidations; in RESP2 where the server has none.
    async fn open(&self) -> Result<(Open, Off), ConnectError> {
        let Some(cache) = &self.cache else {
            let open = self.open_with(ProtocolVersion::RESP2, None).await?;
            return Ok((open, Some("option cache is false".to_owned())));
        };
        if self.lost_hellos.load(Ordering::Relaxed) >= LOST_HELLOS {
            // For this once: a server that only hung, or was about to start, answers the next one.
            // Noted before, because this attempt may be given up.
            self.lost_hellos.store(0, Ordering::Relaxed);
            let open = self.open_with(ProtocolVersion::RESP2, None).await?;
            return Ok((open, Some("the server does not answer HELLO".to_owned())));
        }
        let stream = self.stream().await?;
        let state = self.state(Some(cache));
        self.lost_hellos.fetch_add(1, Ordering::Relaxed);
        let attached = self.attach(stream, ProtocolVersion::RESP3, state).await;
        let refused = match attached {
            Ok((link, task)) => {
                self.lost_hellos.store(0, Ordering::Relaxed);
                return self.set_up_cached(link, task, cache).await;
            }
            Err(error) if error.is_io_error() => return Err(unreachable(&error)),
            // Noes that pass by themselves.
            Err(error) if matches!(error.code(), Some("BUSY" | "LOADING" | "MASTERDOWN")) => {
                return Err(unreachable(&error));
            }
            Err(error) => error,
        };
        self.lost_hellos.store(0, Ordering::Relaxed);
        // Not the whole story: a wrong password says so in the second attempt, in its own words.
        let cache = Some(cache).filter(|_| self.broken.is("cache-on-resp2"));
        let open = self.open_with(ProtocolVersion::RESP2, cache).await?;
        // Not its words: where a command is unknown they repeat its arguments, and with them the password.
        let code = refused.code().unwrap_or("no reply to HELLO that is known");
        let off = format!("the server does not speak RESP3 ({code})");
        Ok((open, Some(off)))
    }

    async fn open_with(
        &self,
        protocol: ProtocolVersion,
        cache: Option<&CacheOptions>,
    ) -> Result<Open, ConnectError> {
        let stream = self.stream().await?;
        let state = self.state(cache);
        let attached = self.attach(stream, protocol, state).await;
        let (mut link, task) = attached.map_err(|error| unreachable(&error))?;
        let (identity, _) = self.set_up(&mut link.connection, protocol).await?;
        Ok(Open {
            link,
            task,
            identity,
        })
    }

    async fn set_up_cached(
        &self,
        mut link: RedisLink,
        task: JoinHandle<()>,
        cache: &CacheOptions,
    ) -> Result<(Open, Off), ConnectError> {
        let (identity, objection) = self
            .set_up(&mut link.connection, ProtocolVersion::RESP3)
            .await?;
        let off = match objection {
            Some(objection) => Some(objection),
            None => track(&mut link.connection, cache).await?,
        };
        if off.is_some() {
            lock(&link.state).session = Session::new(None, self.stats.clone(), self.broken);
        }
        let open = Open {
            link,
            task,
            identity,
        };
        Ok((open, off))
    }

    /// What the cache of a new connection knows: nothing.
    fn state(&self, cache: Option<&CacheOptions>) -> Arc<Mutex<State>> {
        let bounds = cache.map(|cache| cache.bounds.clone());
        let session = Session::new(bounds, self.stats.clone(), self.broken);
        Arc::new(Mutex::new(State::new(session)))
    }

    /// The socket is opened here and not by redis-rs, so that its end is heard of at once, and not
    /// only when the next command fails.
    async fn stream(&self) -> Result<Box<dyn Stream>, ConnectError> {
        match &self.options.address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|error| unreachable(&error))?;
                // Without it a lone command waits for the network.
                stream
                    .set_nodelay(true)
                    .map_err(|error| unreachable(&error))?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await;
                Ok(Box::new(stream.map_err(|error| unreachable(&error))?))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => {
                let words = "Unix sockets are not to be had on this platform";
                Err(ConnectError::Refused(words.into()))
            }
        }
    }

    /// Speaks Redis over a stream. In RESP3 redis-rs logs in with its HELLO.
    async fn attach(
        &self,
        stream: Box<dyn Stream>,
        protocol: ProtocolVersion,
        state: Arc<Mutex<State>>,
    ) -> RedisResult<(RedisLink, JoinHandle<()>)> {
        let mut info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(protocol);
        let mut config = AsyncConnectionConfig::new()
            // Deadlines are the driver's: redis-rs's own would give up on commands that it keeps.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINES);
        if protocol == ProtocolVersion::RESP3 {
            if let Some(username) = &self.options.username {
                info = info.set_username(username);
            }
            if self.options.username.is_some() || self.options.password.is_some() {
                let password = self.options.password.as_deref();
                info = info.set_password(password.unwrap_or_default());
            }
            let (state, broken) = (state.clone(), self.broken);
            config = config.set_push_sender(move |push: PushInfo| {
                assert!(!broken.is("panicking-closure"), "broken on purpose");
                on_push(&state, &push);
                Ok::<(), ()>(())
            });
        }
        let (connection, task) =
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        let task = tokio::spawn(task);
        let link = RedisLink {
            connection,
            task: task.abort_handle(),
            step_timeout: self.step_timeout,
            state,
        };
        Ok((link, task))
    }

    /// AUTH and SELECT must succeed; the rest may be forbidden to our user. Gives also why a cache
    /// cannot be had, in RESP3.
    async fn set_up(
        &self,
        connection: &mut MultiplexedConnection,
        protocol: ProtocolVersion,
    ) -> Result<(Identity, Off), ConnectError> {
        let mut pipeline = Pipeline::new();
        let mut needed = 1;
        let (username, password) = (&self.options.username, &self.options.password);
        let hello = protocol == ProtocolVersion::RESP3;
        // Also after redis-rs's HELLO, which takes a password where none is needed, and AUTH does not.
        if username.is_some() || password.is_some() {
            needed += 1;
            pipeline.cmd("AUTH").arg(username);
            // A user that needs no password takes any.
            pipeline.arg(password.as_deref().unwrap_or_default());
        }
        pipeline.cmd("SELECT").arg(self.options.db);
        pipeline.cmd("CLIENT").arg("ID");
        pipeline.cmd("INFO");
        if hello {
            pipeline.cmd("HELLO");
        }
        let mut replies = send(connection, &pipeline).await?;
        let hello = if hello { replies.pop() } else { None };

        for reply in &replies[..needed.min(replies.len())] {
            if let Value::ServerError(error) = reply {
                return Err(refusal(words(error)));
            }
        }
        let [.., client_id, info] = replies.as_slice() else {
            return Err(ConnectError::Unreachable(
                "the answer is not Redis's".into(),
            ));
        };
        if let Value::ServerError(error) = info
            && matches!(error.code(), "NOAUTH" | "LOADING")
        {
            return Err(refusal(words(error)));
        }
        let objection = hello.and_then(|hello| gate::objection(&hello, info));
        let info: String = redis::from_redis_value_ref(info).unwrap_or_default();
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        if field("loading:") == Some("1") {
            return Err(ConnectError::Unreachable(
                "LOADING Redis is loading the dataset in memory".into(),
            ));
        }
        let identity = Identity {
            client_id: redis::from_redis_value_ref(client_id).ok(),
            run_id: field("run_id:").map(str::to_owned),
        };
        Ok((identity, objection))
    }
}

/// Asks the server to report changes, and makes sure that it does and that barriers are permitted.
async fn track(
    connection: &mut MultiplexedConnection,
    cache: &CacheOptions,
) -> Result<Off, ConnectError> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("TRACKING").arg("ON");
    pipeline.cmd("CLIENT").arg("TRACKINGINFO");
    pipeline.cmd("TOUCH").arg(&cache.probe);
    let replies = send(connection, &pipeline).await?;
    let off = match replies.as_slice() {
        [Value::ServerError(error), ..] => format!("CLIENT TRACKING: {}", words(error)),
        [_, Value::ServerError(error), _] => format!("CLIENT TRACKINGINFO: {}", words(error)),
        [_, _, Value::ServerError(error)] => format!("TOUCH: {}", words(error)),
        [_, info, Value::Int(_)] if is_tracking(info) => return Ok(None),
        _ => "CLIENT TRACKING is not on although it was asked for".to_owned(),
    };
    // Or the server would go on remembering what we read.
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("TRACKING").arg("OFF");
    send(connection, &pipeline).await?;
    Ok(Some(off))
}

/// Whether the flags of `CLIENT TRACKINGINFO` say "on".
fn is_tracking(info: &Value) -> bool {
    let Value::Map(fields) = info else {
        return false;
    };
    let text = |value: &Value| redis::from_redis_value_ref::<String>(value).unwrap_or_default();
    fields.iter().any(|(name, flags)| {
        let flags = match flags {
            Value::Array(flags) | Value::Set(flags) => flags.as_slice(),
            _ => &[],
        };
        text(name) == "flags" && flags.iter().any(|flag| text(flag) == "on")
    })
}

/// Makes sure that nothing sent over the last connection takes effect any more: a server that
/// hung may still hold unread commands of it, and would execute them after ours. Says whether
/// that is sure.
async fn fence(
    connection: &mut MultiplexedConnection,
    last: Option<Identity>,
    now: &Identity,
) -> Result<bool, ConnectError> {
    let Some(last) = last else { return Ok(true) };
    let (Some(last_run), Some(run)) = (last.run_id, &now.run_id) else {
        return Ok(false);
    };
    if last_run != *run {
        // Another server process: the old one is gone, and its unread commands with it.
        return Ok(true);
    }
    let Some(id) = last.client_id else {
        return Ok(false);
    };
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id);
    let replies = send(connection, &pipeline).await?;
    Ok(matches!(replies.as_slice(), [Value::Int(_)]))
}

async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| unreachable(&error))
}

fn unreachable(error: &impl ToString) -> ConnectError {
    ConnectError::Unreachable(error.to_string().into())
}

/// A server that said no; some of its noes pass by themselves.
fn refusal(words: Arc<str>) -> ConnectError {
    let passing = [
        "LOADING ",
        "MASTERDOWN ",
        "BUSY ",
        "ERR max number of clients",
    ];
    if passing.iter().any(|start| words.starts_with(start)) {
        ConnectError::Unreachable(words)
    } else {
        ConnectError::Refused(words)
    }
}
