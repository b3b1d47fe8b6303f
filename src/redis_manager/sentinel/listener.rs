//! A connection to one sentinel, for questions and messages: in RESP3 one socket, on which both keep their order; two
//! for a sentinel that does not speak it (before Redis 6). The set of sentinels is in [`super::set`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError,
    RedisResult, Value,
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
        first_line::FirstLine,
        login::{Login, renew},
        server_address::Address,
        server_errors::{unreachable, words},
        stream::{self, Socket},
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
    /// What the sentinel said first on it, until it has answered.
    first: Option<FirstLine>,
    /// Why the password is not needed, in the sentinel's words.
    needless: Option<Arc<str>>,
    /// The tasks of the sockets; the connection ends with the first of them.
    sockets: JoinSet<()>,
    /// The task that replaces the login before it expires, if it does and the connection is RESP3: in RESP2 the socket
    /// for messages takes no `AUTH`.
    _renewals: JoinSet<()>,
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
        login: Login,
    ) -> Result<Self, ConnectError> {
        if !plain {
            let socket = reach(sentinels, addr).await?;
            let first = socket.first.clone();
            match Self::open_resp3(sentinels, addr, socket, hear.clone(), &login).await {
                Ok(listener) => return Ok(listener),
                Err(error) if error.is_io_error() => {
                    return Err(sentinels.unanswered(&error, &first));
                }
                // It does not speak RESP3, or the password is wrong, which RESP2 reports in the sentinel's own words.
                Err(_) => {}
            }
        }
        Self::open_resp2(sentinels, addr, hear, login).await
    }

    async fn open_resp3(
        sentinels: &Sentinels,
        addr: &SentinelAddr,
        socket: Socket,
        hear: OnEvent,
        login: &Login,
    ) -> Result<Self, RedisError> {
        let Socket { stream, first, .. } = socket;
        let info = login
            .put_into(settings())
            .set_protocol(ProtocolVersion::RESP3);
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
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        let mut sockets = JoinSet::new();
        sockets.spawn(task);
        let mut renewals = JoinSet::new();
        let subscribed = connection.subscribe(&channels()).await;
        let not_subscribed = match subscribed {
            Err(error) if error.is_io_error() => return Err(error),
            subscribed => subscribed.err().map(|error| error.to_string().into()),
        };
        if let Some(expires) = login.expires() {
            let place = format!("sentinel {}", addr.named);
            let renewal = renew(sentinels.source(), connection.clone(), expires, place);
            // Not one of the sockets: its end would be that of the connection.
            renewals.spawn(renewal);
        }
        Ok(Self {
            connection,
            first: Some(first),
            needless: None,
            _renewals: renewals,
            sockets,
            not_subscribed,
        })
    }

    async fn open_resp2(
        sentinels: &Sentinels,
        addr: &SentinelAddr,
        hear: OnEvent,
        login: Login,
    ) -> Result<Self, ConnectError> {
        let Socket { stream, first, .. } = reach(sentinels, addr).await?;
        let info = settings().set_protocol(ProtocolVersion::RESP2);
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (mut connection, task) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| sentinels.unanswered(&error, &first))?;
        let mut sockets = JoinSet::new();
        sockets.spawn(task);
        let needless = log_in(&mut connection, &login, sentinels, &first).await?;
        let own = reach(sentinels, addr).await?;
        let info = match needless {
            Some(_) => settings(),
            None => login.put_into(settings()),
        };
        let subscribed = async {
            let mut messages = PubSub::new(&info, own.stream).await?;
            messages.subscribe(&channels()).await?;
            Ok::<_, RedisError>(messages)
        };
        let not_subscribed = match subscribed.await {
            Ok(messages) => {
                sockets.spawn(follow(messages, sentinels.name.clone(), hear));
                None
            }
            Err(error) if error.is_io_error() => {
                return Err(sentinels.unanswered(&error, &own.first));
            }
            Err(error) => Some(error.to_string().into()),
        };
        Ok(Self {
            connection,
            first: (!login.is_some()).then_some(first),
            needless,
            _renewals: JoinSet::new(),
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
        let replies = send(&mut self.connection, &sentinels.questions()).await;
        let replies = replies.map_err(|error| match &self.first {
            Some(first) => sentinels.unanswered(&error, first),
            None => unreachable(&error),
        })?;
        self.first = None;
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
) -> RedisResult<Vec<Value>> {
    connection
        .send_packed_commands(pipeline, 0, pipeline.len())
        .await
}

/// Logs in over RESP2, so that a wrong password is reported in the sentinel's own words. Returns its words if it needs
/// no password. `first` is what it said first.
async fn log_in(
    connection: &mut MultiplexedConnection,
    login: &Login,
    sentinels: &Sentinels,
    first: &FirstLine,
) -> Result<Option<Arc<str>>, ConnectError> {
    let mut auth = Pipeline::new();
    if !login.authenticate(&mut auth) {
        return Ok(None);
    }
    let answers = send(connection, &auth).await;
    let unanswered = |error| login.may_pass(sentinels.unanswered(&error, first));
    let mut answers = answers.map_err(unanswered)?;
    match answers.pop() {
        Some(Value::ServerError(error)) if login.is_needless(&error) => Ok(Some(words(&error))),
        Some(Value::ServerError(error)) => Err(login.refused(&error)),
        _ => Ok(None),
    }
}

async fn reach(sentinels: &Sentinels, addr: &SentinelAddr) -> Result<Socket, ConnectError> {
    let host = match &addr.named {
        Address::Tcp(host, _) => host.clone(),
        Address::Unix(_) => addr.at.ip().to_string(),
    };
    stream::open_at(addr.at, &host, sentinels.tls.as_ref()).await
}

fn settings() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_skip_set_lib_name()
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
