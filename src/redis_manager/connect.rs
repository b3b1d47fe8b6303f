//! Opening a connection: log in, select the database, find out who answers, and fence off the
//! connection before. The set-up commands are sent by us and not by redis-rs, so that an error
//! is in the server's own words.

use std::sync::{Arc, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisError, Value, aio::MultiplexedConnection, io::tcp::TcpSettings,
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
            let mut connection = self.open().await?;
            let identity = self.set_up(&mut connection).await?;
            let last = self.last().clone();
            let fenced = fence(&mut connection, last, &identity).await?;
            *self.last() = Some(identity);
            let link = RedisLink::new(connection, self.step_timeout);
            Ok(Connected { link, fenced })
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

    async fn open(&self) -> Result<MultiplexedConnection, ConnectError> {
        let address = match &self.options.address {
            Address::Tcp(host, port) => ConnectionAddr::Tcp(host.clone(), *port),
            Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        let info = address
            .into_connection_info()
            .map_err(|error| unreachable(&error))?
            .set_redis_settings(RedisConnectionInfo::default().set_skip_set_lib_name())
            // Off by default in redis-rs; without it a lone command waits for the network.
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // Deadlines are the driver's: redis-rs's own would give up on commands that it keeps.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        Client::open(info)
            .map_err(|error| unreachable(&error))?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| unreachable(&error))
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

async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
        .map_err(|error| unreachable(&error))
}

fn unreachable(error: &RedisError) -> ConnectError {
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
