//! A connection to one sentinel, for questions and messages: in RESP3 one socket, on which both keep their order; two
//! for a sentinel that does not speak it (before Redis 6). The set of sentinels is in [`super::set`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError,
    Value,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    election::FailoverEvent,
    events::{channels, parse, pushed},
    protocol::{AUTH, SentinelReply, Sentinels},
};
use crate::{
    manager::ConnectError,
    redis_manager::{
        server_address::Address,
        server_errors::{connect_error, needs_no_password, unreachable, words},
        stream::{self, Stream},
    },
};

/// How long a sentinel may take to connect, and to answer.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

/// How long a socket for messages only may be silent before it is pinged.
const SILENCE: Duration = Duration::from_secs(5);

/// Called for each message, with whether it arrived on the socket of the answers.
pub(super) type OnEvent = Arc<dyn Fn(FailoverEvent, bool) + Send + Sync>;

/// A connection to one sentinel. Dropping it closes its sockets.
pub(super) struct SentinelListener {
    connection: MultiplexedConnection,
    /// Why the password is not needed, in the sentinel's words.
    needless: Option<Arc<str>>,
    /// The tasks of the sockets; the connection ends with the first of them.
    sockets: JoinSet<()>,
    /// Why it could not subscribe, in the sentinel's words.
    pub(super) not_subscribed: Option<Arc<str>>,
}

/// The address of a sentinel, and the host name that its certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentinelAddr {
    pub(super) at: SocketAddr,
    pub(super) named: Address,
}

impl SentinelListener {
    /// Connects, and subscribes before anything is asked, so that no message is missed in between.
    pub(super) async fn open(
        sentinels: &Sentinels,
        addr: &SentinelAddr,
        hear: OnEvent,
        plain: bool,
    ) -> Result<Self, ConnectError> {
        if !plain {
            match Self::open_resp3(sentinels, addr, hear.clone()).await? {
                Ok(listener) => return Ok(listener),
                Err(error) if error.is_io_error() => return Err(unreachable(&error)),
                // It does not speak RESP3, or the password is wrong, which RESP2 reports in the sentinel's own words.
                Err(_) => {}
            }
        }
        Self::open_resp2(sentinels, addr, hear).await
    }

    async fn open_resp3(
        sentinels: &Sentinels,
        addr: &SentinelAddr,
        hear: OnEvent,
    ) -> Result<Result<Self, RedisError>, ConnectError> {
        let stream = reach(sentinels, addr).await?;
        let info = credentials(sentinels).set_protocol(ProtocolVersion::RESP3);
        let name = sentinels.name.clone();
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_push_sender(move |push: PushInfo| {
                if let Some(news) = pushed(&push, &name) {
                    hear(news, true);
                }
                Ok::<(), ()>(())
            });
        let (mut connection, task) =
            match MultiplexedConnection::new_with_config(&info, stream, config).await {
                Ok(open) => open,
                Err(error) => return Ok(Err(error)),
            };
        let mut sockets = JoinSet::new();
        sockets.spawn(task);
        let subscribed = connection.subscribe(&channels()).await;
        let not_subscribed = match subscribed {
            Err(error) if error.is_io_error() => return Ok(Err(error)),
            subscribed => subscribed.err().map(|error| error.to_string().into()),
        };
        Ok(Ok(Self {
            connection,
            needless: None,
            sockets,
            not_subscribed,
        }))
    }

    async fn open_resp2(
        sentinels: &Sentinels,
        addr: &SentinelAddr,
        hear: OnEvent,
    ) -> Result<Self, ConnectError> {
        let stream = reach(sentinels, addr).await?;
        let info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(ProtocolVersion::RESP2);
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (mut connection, task) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| unreachable(&error))?;
        let mut sockets = JoinSet::new();
        sockets.spawn(task);
        let needless = log_in(&mut connection, sentinels).await?;
        let stream = reach(sentinels, addr).await?;
        let info = match needless {
            Some(_) => RedisConnectionInfo::default().set_skip_set_lib_name(),
            None => credentials(sentinels),
        };
        let subscribed = async {
            let mut messages = PubSub::new(&info, stream).await?;
            messages.subscribe(&channels()).await?;
            Ok::<_, RedisError>(messages)
        };
        let not_subscribed = match subscribed.await {
            Ok(messages) => {
                sockets.spawn(follow(messages, sentinels.name.clone(), hear));
                None
            }
            Err(error) if error.is_io_error() => return Err(unreachable(&error)),
            Err(error) => Some(error.to_string().into()),
        };
        Ok(Self {
            connection,
            needless,
            sockets,
            not_subscribed,
        })
    }

    /// Asks the sentinel; returns its reply and when it was asked.
    pub(super) async fn ask(
        &mut self,
        sentinels: &Sentinels,
    ) -> Result<(SentinelReply, Instant), ConnectError> {
        let asked = Instant::now();
        let replies = send(&mut self.connection, &sentinels.questions()).await?;
        let mut reply = sentinels.read(&replies)?;
        let needless = self.needless.iter().cloned();
        reply.denied.extend(needless.map(|words| (AUTH, words)));
        Ok((reply, asked))
    }

    /// Completes when a socket has ended.
    pub(super) async fn ended(&mut self) {
        self.sockets.join_next().await;
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, ConnectError> {
    let sent = connection.send_packed_commands(pipeline, 0, pipeline.len());
    sent.await.map_err(|error| unreachable(&error))
}

/// Logs in over RESP2, so that a wrong password is reported in the sentinel's own words. Returns its words if it needs
/// no password.
async fn log_in(
    connection: &mut MultiplexedConnection,
    sentinels: &Sentinels,
) -> Result<Option<Arc<str>>, ConnectError> {
    if sentinels.username.is_none() && sentinels.password.is_none() {
        return Ok(None);
    }
    let mut auth = Pipeline::new();
    auth.cmd("AUTH").arg(&sentinels.username);
    auth.arg(sentinels.password.as_deref().unwrap_or_default());
    match send(connection, &auth).await?.pop() {
        // With a user every refusal counts: there may be no such user.
        Some(Value::ServerError(error))
            if sentinels.username.is_none() && needs_no_password(&error) =>
        {
            Ok(Some(words(&error)))
        }
        Some(Value::ServerError(error)) => Err(connect_error(&error)),
        _ => Ok(None),
    }
}

async fn reach(
    sentinels: &Sentinels,
    addr: &SentinelAddr,
) -> Result<Box<dyn Stream>, ConnectError> {
    let host = match &addr.named {
        Address::Tcp(host, _) => host.clone(),
        Address::Unix(_) => addr.at.ip().to_string(),
    };
    stream::open_at(addr.at, &host, sentinels.tls.as_ref()).await
}

fn credentials(sentinels: &Sentinels) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = &sentinels.username {
        info = info.set_username(username);
    }
    if sentinels.username.is_some() || sentinels.password.is_some() {
        info = info.set_password(sentinels.password.as_deref().unwrap_or_default());
    }
    info
}

/// Passes on the messages of a socket that is used for nothing else, until it is closed.
async fn follow(messages: PubSub, name: String, hear: OnEvent) {
    let (mut sink, mut messages) = messages.split();
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => {
                let text: Option<String> = message.get_payload().ok();
                let channel = message.get_channel_name();
                if let Some(news) = text.and_then(|text| parse(channel, &text, &name)) {
                    hear(news, false);
                }
            }
            Ok(None) => return,
            Err(_) => match timeout(LIMIT, sink.ping::<Value>()).await {
                Ok(Ok(_)) => {}
                _ => return,
            },
        }
    }
}
