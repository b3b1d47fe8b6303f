//! The subscription to the changes of channels ([`crate::events`]): a connection of its own, on which nothing else is
//! asked but the heartbeat. It speaks RESP3, in which messages and answers share a connection. A manager that subscribes is
//! not the one of the calls: each has its own view of the sentinels.

use std::sync::Arc;

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, select},
};
use redis::ProtocolVersion;
use tokio::task::JoinHandle;

use super::{
    Address, RedisConnection, RedisManager, Target,
    login::renew,
    server_errors::{hello_may_pass, unreachable},
    state::{State, lock},
    stream,
};
use crate::{
    app::Level,
    cache::Session,
    events::{
        Gap,
        listener::{Hear, Subscriber, Subscription},
    },
    heartbeat::until_dead,
    manager::ConnectError,
};

/// A connection on which what is published is heard.
pub(crate) struct Heard {
    /// The id of the node, if it is one.
    pub(crate) id: Vec<u8>,
    pub(crate) connection: RedisConnection,
    /// Ends when it is closed.
    pub(crate) task: JoinHandle<()>,
}

impl Subscriber for RedisManager {
    fn subscribe(
        self: Arc<Self>,
        hear: Hear,
    ) -> BoxFuture<'static, Result<Subscription, ConnectError>> {
        async move {
            let subscribed = self.find_and_subscribe(hear).await;
            subscribed.map_err(|error| error.map(|words| self.redact(words)))
        }
        .boxed()
    }
}

impl RedisManager {
    async fn find_and_subscribe(&self, hear: Hear) -> Result<Subscription, ConnectError> {
        let (address, left) = match &self.target {
            Target::Server(address) => (address.clone(), std::future::pending().boxed()),
            Target::Primary(watch) => {
                let address = watch.find().await?;
                for note in watch.connected(&address) {
                    self.options.app.log(Level::Info, format!("events: {note}"));
                }
                let left = watch.left(&address).boxed();
                let (nat_map, app) = (&self.options.nat_map, &self.options.app);
                (nat_map.apply(app, &address).await?, left)
            }
        };
        let Heard {
            connection, task, ..
        } = self.hear_at(&address, hear, false).await?;
        let ended = async move {
            let ping = || Some(connection.ping_by(&connection.probe));
            let dead = Box::pin(until_dead(ping));
            let closed = select(task, left);
            select(dead, closed).await;
            Gap::Reconnect
        };
        Ok(Subscription {
            ended: ended.boxed(),
        })
    }

    /// Subscribes to what the node of a Redis Cluster publishes that this manager is for.
    pub(crate) async fn hear_node(&self, hear: Hear) -> Result<Heard, ConnectError> {
        let heard = match &self.target {
            Target::Server(address) => self.hear_at(address, hear, true).await,
            Target::Primary(_) => Err(ConnectError::Unreachable("it is no node".into())),
        };
        heard.map_err(|error| error.map(|words| self.redact(words)))
    }

    /// Opens the connection to a server, and subscribes: with `of_node` to the channel of this node.
    async fn hear_at(
        &self,
        address: &Address,
        hear: Hear,
        of_node: bool,
    ) -> Result<Heard, ConnectError> {
        let source = self.options.source();
        let login = source.login().await?;
        let socket = stream::open(address, self.options.tls.as_ref()).await?;
        let first = socket.first.clone();
        let state = State::new(Session::new(None, self.stats.clone()));
        lock(&state).hear = Some(hear);
        let attached = self
            .attach(socket, ProtocolVersion::RESP3, state, &login)
            .await;
        let (mut connection, task) = attached.map_err(|error| {
            if error.is_io_error() {
                return self.unanswered(&error, &first);
            }
            let said = first.reason().filter(|_| hello_may_pass(&error));
            said.unwrap_or_else(|| {
                // Only the code: for an unknown command the words repeat its arguments, and with them the password.
                let code = error.code().unwrap_or("no reply to HELLO that is known");
                let words = format!("option events needs a server that speaks RESP3 ({code})");
                ConnectError::Unreachable(words.into())
            })
        })?;
        let mut id = Vec::new();
        if of_node {
            let mut asked = redis::cmd("CLUSTER");
            let answer = asked.arg("MYID").query_async(&mut connection.connection);
            id = answer.await.map_err(|error| unreachable(&error))?;
            // Channels are looked at on this connection.
            if self.options.db > 0 {
                let mut asked = redis::cmd("SELECT");
                let selected = asked.arg(self.options.db);
                let selected = selected.query_async(&mut connection.connection);
                let () = selected.await.map_err(|error| unreachable(&error))?;
            }
        }
        if let Some(publishing) = &self.options.publishing {
            let channel = if of_node {
                publishing.of_node(&id)
            } else {
                publishing.channel.clone()
            };
            let subscribing = connection.connection.subscribe(&channel);
            subscribing.await.map_err(|error| unreachable(&error))?;
        }
        if let Some(expires) = login.expires() {
            let renewed = connection.connection.clone();
            let renewal = renew(source, renewed, expires, address.to_string());
            connection.renewal = Some(tokio::spawn(renewal).abort_handle());
        }
        Ok(Heard {
            id,
            connection,
            task,
        })
    }
}
