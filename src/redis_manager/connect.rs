//! Opening a connection: log in, select the database, find out who answers, and fence off the
//! connection before. The set-up commands are sent by us and not by redis-rs, so that an error
//! is in the server's own words.

use std::sync::{Arc, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{
    AsyncConnectionConfig, Pipeline, RedisConnectionInfo, Value, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{Address, RedisLink, RedisManager, words};
use crate::manager::{ConnectError, Connected, Manager};

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
            let (mut link, task) = self.open().await?;
            let identity = self.set_up(&mut link.connection).await?;
            let last = self.last().clone();
            let fenced = fence(&mut link.connection, last, &identity).await?;
            *self.last() = Some(identity);
            let closed = task.map(drop).boxed();
            Ok(Connected {
                link,
                closed,
                fenced,
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

impl RedisManager {
    fn last(&self) -> std::sync::MutexGuard<'_, Option<Identity>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket is opened here and not by redis-rs, so that its end is heard of at once, and not
    /// only when the next command fails.
    async fn open(&self) -> Result<(RedisLink, JoinHandle<()>), ConnectError> {
        let (connection, task) = match &self.options.address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|error| unreachable(&error))?;
                // Without it a lone command waits for the network.
                stream
                    .set_nodelay(true)
                    .map_err(|error| unreachable(&error))?;
                attach(stream).await?
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await;
                attach(stream.map_err(|error| unreachable(&error))?).await?
            }
            #[cfg(not(unix))]
            Address::Unix(_) => {
                let words = "Unix sockets are not to be had on this platform";
                return Err(ConnectError::Refused(words.into()));
            }
        };
        let link = RedisLink {
            connection,
            task: task.abort_handle(),
            step_timeout: self.step_timeout,
        };
        Ok((link, task))
    }

    /// AUTH and SELECT must succeed; the rest may be forbidden to our user.
    async fn set_up(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Identity, ConnectError> {
        let mut pipeline = Pipeline::new();
        let mut needed = 1;
        let (username, password) = (&self.options.username, &self.options.password);
        if username.is_some() || password.is_some() {
            needed += 1;
            pipeline.cmd("AUTH").arg(username);
            // A user that needs no password takes any.
            pipeline.arg(password.as_deref().unwrap_or_default());
        }
        pipeline.cmd("SELECT").arg(self.options.db);
        pipeline.cmd("CLIENT").arg("ID");
        pipeline.cmd("INFO");
        let replies = send(connection, &pipeline).await?;

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
        let info: String = redis::from_redis_value_ref(info).unwrap_or_default();
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name));
        if field("loading:") == Some("1") {
            return Err(ConnectError::Unreachable(
                "LOADING Redis is loading the dataset in memory".into(),
            ));
        }
        Ok(Identity {
            client_id: redis::from_redis_value_ref(client_id).ok(),
            run_id: field("run_id:").map(str::to_owned),
        })
    }
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

/// Speaks Redis over a stream.
async fn attach<S>(stream: S) -> Result<(MultiplexedConnection, JoinHandle<()>), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    // Deadlines are the driver's: redis-rs's own would give up on commands that it keeps.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (connection, task) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|error| unreachable(&error))?;
    Ok((connection, tokio::spawn(task)))
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
