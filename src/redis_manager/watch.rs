//! Listening to the sentinels: a link ends when its server is not the primary any more, or is about to be
//! none, and not only when that server gets to say so. Which one is the primary is asked in
//! [`super::sentinel`].
//!
//! All sentinels are listened to, because only the one that leads a failover tells of it before the new
//! primary takes writes. From then on the old one acknowledges what nobody will have: Sentinel demotes it
//! seconds later, if it is alive. So nothing is sent to it meanwhile, unless the failover takes too long.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt as _;
use redis::{Msg, RedisConnectionInfo, aio::PubSub};
use tokio::{
    sync::broadcast::{Receiver, Sender, channel, error::RecvError},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Address,
    connect::unreachable,
    sentinel::{LIMIT, Primary, Sentinels},
};
use crate::manager::ConnectError;

/// What sentinels publish: `NAME OLD-HOST OLD-PORT HOST PORT`.
const SWITCHED: &str = "+switch-master";

/// About the replica that is promoted: `slave … @ NAME OLD-HOST OLD-PORT`. The first comes a moment before
/// it is told so, the second when it has become a primary, which may be long before [`SWITCHED`].
const PROMOTES: [&str; 2] = ["+failover-state-send-slaveof-noone", "+promoted-slave"];

/// After so much silence a sentinel is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest pause before a sentinel that is gone is looked for again.
const RARELY: Duration = Duration::from_secs(5);

/// How long a failover may keep us from a primary that it has not replaced yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often is asked meanwhile.
const STEP: Duration = Duration::from_millis(100);

/// How many news are kept for a link that has not read them. One that has missed some takes the worst for granted.
const UNREAD: usize = 64;

/// What a sentinel tells.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    /// The primary is another one than this, or will be at once.
    Leaves(Address),
    /// It is this one now.
    Is(Address),
    /// A sentinel was not listened to for a while, and this is what it says now.
    Says(Primary),
}

/// The sentinels of one primary. They are listened to from the first question on, until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    sentinels: Arc<Sentinels>,
    news: Sender<News>,
    listeners: Mutex<JoinSet<()>>,
    /// When a failover was found under way.
    waits: Mutex<Option<Instant>>,
    /// The last primary that was connected to.
    last: Mutex<Option<Address>>,
}

/// A primary, and the news since it was found.
pub(super) struct Found {
    pub(super) primary: Primary,
    news: Receiver<News>,
}

impl Watch {
    pub(super) fn new(sentinels: Sentinels) -> Self {
        Self {
            sentinels: Arc::new(sentinels),
            news: channel(UNREAD).0,
            listeners: Mutex::default(),
            waits: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Finds the primary; while a failover is under way, the next one.
    pub(super) async fn find(&self) -> Result<Found, ConnectError> {
        self.listen();
        loop {
            let news = self.news.subscribe();
            let primary = self.sentinels.primary().await?;
            // Kept beyond this attempt, which may have less time.
            let since = *lock(&self.waits).get_or_insert_with(Instant::now);
            if !primary.leaves || since.elapsed() > PATIENCE {
                *lock(&self.waits) = None;
                return Ok(Found { primary, news });
            }
            sleep(STEP).await;
        }
    }

    /// Completes at the next news.
    pub(super) fn next(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut news = self.news.subscribe();
        async move { drop(news.recv().await) }
    }

    /// Notes that there is a connection to the primary; a line for the log if it was another one before.
    pub(super) fn moved_to(&self, address: &Address) -> Option<String> {
        let before = lock(&self.last).replace(address.clone());
        let moved = before.is_some_and(|before| before != *address);
        moved.then(|| format!("the primary is {address} now"))
    }

    fn listen(&self) {
        let mut listeners = lock(&self.listeners);
        if listeners.is_empty() {
            for address in self.sentinels.addresses.clone() {
                listeners.spawn(listen(self.sentinels.clone(), address, self.news.clone()));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Found {
    /// Completes when it is not the primary any more.
    pub(super) async fn replaced(self) {
        let Self { primary, mut news } = self;
        loop {
            let replaced = match news.recv().await {
                Ok(News::Leaves(address)) => address == primary.address,
                Ok(News::Is(address)) => address != primary.address,
                Ok(News::Says(now)) => now.epoch > primary.epoch && now.address != primary.address,
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => std::future::pending().await,
            };
            if replaced {
                return;
            }
        }
    }
}

/// Listens to one sentinel, for ever.
async fn listen(sentinels: Arc<Sentinels>, address: Address, news: Sender<News>) {
    let mut pauses = pauses();
    loop {
        if let Ok(Ok(subscribed)) = timeout(LIMIT, subscribe(&sentinels, &address)).await {
            pauses = self::pauses();
            // Something may have happened before.
            if let Ok(primary) = sentinels.ask(&address).await {
                let _ = news.send(News::Says(primary));
            }
            hear(subscribed, &sentinels.name, &news).await;
        }
        sleep(pauses.next().unwrap_or(RARELY)).await;
    }
}

fn pauses() -> ExponentialBackoff {
    // The crate adds up to the pause itself as jitter, after the cap: so cap at half.
    ExponentialBuilder::new()
        .with_jitter()
        .with_max_delay(RARELY / 2)
        .with_min_delay(Duration::from_millis(100))
        .without_max_times()
        .build()
}

async fn subscribe(sentinels: &Sentinels, address: &Address) -> Result<PubSub, ConnectError> {
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = &sentinels.username {
        info = info.set_username(username);
    }
    if sentinels.username.is_some() || sentinels.password.is_some() {
        info = info.set_password(sentinels.password.as_deref().unwrap_or_default());
    }
    let stream = sentinels.reach(address).await?;
    let subscribed = async {
        let mut sentinel = PubSub::new(&info, stream).await?;
        sentinel
            .subscribe(&[SWITCHED, PROMOTES[0], PROMOTES[1]])
            .await?;
        Ok(sentinel)
    };
    subscribed
        .await
        .map_err(|error: redis::RedisError| unreachable(&error))
}

/// Passes on what a sentinel tells, until it is gone.
async fn hear(sentinel: PubSub, name: &str, news: &Sender<News>) {
    let (mut sink, mut messages) = sentinel.split();
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => {
                if let Some(read) = read(&message, name) {
                    // Nobody listens while there is no link.
                    let _ = news.send(read);
                }
            }
            Ok(None) => return,
            Err(_) => match timeout(LIMIT, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

fn read(message: &Msg, name: &str) -> Option<News> {
    let text: String = message.get_payload().ok()?;
    parse(message.get_channel_name(), &text, name)
}

fn parse(channel: &str, text: &str, name: &str) -> Option<News> {
    let words: Vec<_> = text.split(' ').collect();
    match words.as_slice() {
        [of, _, _, host, port] if channel == SWITCHED && *of == name => {
            address(host, port).map(News::Is)
        }
        [.., "@", of, host, port] if PROMOTES.contains(&channel) && *of == name => {
            address(host, port).map(News::Leaves)
        }
        _ => None,
    }
}

fn address(host: &str, port: &str) -> Option<Address> {
    Some(Address::Tcp(host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn at(port: u16) -> Address {
        Address::Tcp("10.0.0.1".into(), port)
    }

    #[test]
    fn what_sentinels_publish_is_read_for_this_name_only() {
        let switched = "mine 10.0.0.1 1 10.0.0.1 2";
        assert_eq!(parse(SWITCHED, switched, "mine"), Some(News::Is(at(2))));
        let promotes = "slave 10.0.0.1:2 10.0.0.1 2 @ mine 10.0.0.1 1";
        for channel in PROMOTES {
            let read = parse(channel, promotes, "mine");
            assert_eq!(read, Some(News::Leaves(at(1))), "{channel}");
        }
        for name in ["min", "mine ", "other"] {
            assert_eq!(parse(SWITCHED, switched, name), None, "{name}");
            assert_eq!(parse(PROMOTES[0], promotes, name), None, "{name}");
        }
    }

    #[tokio::test]
    async fn a_link_ends_by_news_of_its_own_end_only() {
        let says = |port, epoch| {
            let address = at(port);
            News::Says(Primary {
                address,
                epoch,
                leaves: true,
            })
        };
        for (news, ends) in [
            (News::Leaves(at(1)), true),
            (News::Leaves(at(2)), false),
            (News::Is(at(1)), false),
            (News::Is(at(2)), true),
            (says(2, 8), true),
            // Who has missed what we know.
            (says(2, 7), false),
            (says(2, 0), false),
            (says(1, 9), false),
        ] {
            let (sender, receiver) = channel(UNREAD);
            let found = Found {
                primary: Primary {
                    address: at(1),
                    epoch: 7,
                    leaves: false,
                },
                news: receiver,
            };
            sender.send(news.clone()).expect("somebody listens");
            drop(sender);
            let ended = found.replaced().now_or_never().is_some();
            assert_eq!(ended, ends, "{news:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_news() {
        for text in [
            "",
            "x",
            "x ",
            "x 1 2 3",
            "x 10.0.0.1 1 10.0.0.1 port",
            "@ x 1",
        ] {
            for channel in [SWITCHED, PROMOTES[0], "+sdown"] {
                assert_eq!(parse(channel, text, "x"), None, "{channel} {text}");
            }
        }
    }
}
