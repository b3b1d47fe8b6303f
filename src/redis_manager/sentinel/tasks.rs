//! The tasks that talk to the sentinels: one for each listed name, which resolves it, and one for each sentinel, which
//! keeps a connection to it, asks it whenever a primary is looked for, and passes what it says to the election.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    election::ConnectionId,
    listener::{LIMIT, SentinelAddr, SentinelListener},
    protocol::{Other, Sentinels},
    shared::{STEP, Shared, lock},
};
use crate::{
    app::Level,
    manager::ConnectError,
    redis_manager::{server_address::Address, stream},
};

/// A sentinel that was not asked for this time is asked again: whether it is alive, and which others it knows.
const IDLE: Duration = Duration::from_secs(5);

/// The longest pause between attempts to reconnect to a sentinel while nothing is asked.
const RARELY: Duration = Duration::from_secs(5);

/// A lost connection is reopened without a pause once in this time.
const CALM: Duration = Duration::from_secs(1);

/// How often a name is resolved again, because its addresses may change.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Runs a task for each listed name, and one for each sentinel that is found. Dropping the future ends them.
pub(super) async fn keep(shared: Arc<Shared>) {
    let (found, mut finds) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for address in shared.sentinels.addresses.clone() {
        tasks.spawn(look_up(shared.clone(), address, found.clone()));
    }
    loop {
        tokio::select! {
            Some(addr) = finds.recv() => {
                tasks.spawn(attend(shared.clone(), addr, found.clone()));
            }
            _ = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// Resolves a listed name again and again.
async fn look_up(
    shared: Arc<Shared>,
    address: Address,
    found: mpsc::UnboundedSender<SentinelAddr>,
) {
    let mut round = shared.round.subscribe();
    loop {
        let all = stream::resolve(&address).await;
        let new = lock(&shared.set).resolved(&address, all, Instant::now());
        for addr in new {
            let _ = found.send(addr);
        }
        shared.settled.send_replace(());
        let next = Instant::now() + LOOK_UP;
        sleep(STEP).await;
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                // Sooner if all sentinels are asked and none behind this name is connected.
                _ = round.changed() => if lock(&shared.set).lacks(&address) { break },
            }
        }
    }
}

/// Talks to one sentinel until it is removed from the set.
async fn attend(
    shared: Arc<Shared>,
    addr: SentinelAddr,
    found: mpsc::UnboundedSender<SentinelAddr>,
) {
    let mut round = shared.round.subscribe();
    let mut pauses = pauses();
    let mut plain = false;
    let mut hurried: Option<Instant> = None;
    loop {
        round.mark_unchanged();
        let asked = Instant::now();
        // Two ids, for a sentinel whose messages arrive on a socket of their own.
        let id = shared.connection_ids.fetch_add(2, Ordering::Relaxed);
        let hear = {
            let shared = shared.clone();
            Arc::new(move |news, same: bool| shared.observe(id + u64::from(!same), news))
        };
        let sentinels = &shared.sentinels;
        let opening = async {
            // Without the limit of the sentinel: a function of the app may take longer.
            let login = sentinels.source().login().await?;
            let opening = SentinelListener::open(sentinels, &addr, hear, plain, login);
            Ok(timeout(LIMIT, opening).await)
        };
        let mut reached = true;
        let opened = match opening.await {
            Ok(opened) => opened,
            Err(failed) => {
                // Nothing was sent.
                reached = false;
                Ok(Err(failed))
            }
        };
        match opened {
            Ok(Ok(listener)) => {
                let attended = talk(&shared, &addr, listener, id, &found).await;
                let now = Instant::now();
                lock(&shared.election).gone(id, now);
                lock(&shared.set).lost(addr.at, now);
                match attended {
                    Ended::Needless => {
                        lock(&shared.set).forget(addr.at);
                        shared.settled.send_replace(());
                        return;
                    }
                    // A sentinel that answers and closes the connection each time counts as gone, too.
                    Ended::Answered if now.duration_since(asked) > RARELY => {
                        pauses = self::pauses();
                    }
                    Ended::Answered | Ended::Never => {}
                }
                // Its messages are missed meanwhile: so at once, unless that was just done.
                if hurried.is_none_or(|hurried| now.duration_since(hurried) > CALM) {
                    hurried = Some(now);
                    shared.settled.send_replace(());
                    continue;
                }
            }
            Ok(Err(no)) => {
                // A proxy may close a connection on HELLO.
                if reached {
                    plain = !plain && matches!(no, ConnectError::Unreachable(_));
                }
                let no = no.map(|words| sentinels.redact(words));
                lock(&shared.set).settled(addr.at, asked, Some(no));
            }
            Err(_) => lock(&shared.set).silent(addr.at, asked, sentinels.silent()),
        }
        shared.settled.send_replace(());
        if !lock(&shared.set).keeps(addr.at, Instant::now()) {
            return;
        }
        tokio::select! {
            () = sleep(pauses.next().unwrap_or(RARELY)) => {}
            _ = round.changed() => {}
        }
    }
}

/// How a connection to a sentinel has ended.
enum Ended {
    /// It was not needed.
    Needless,
    Answered,
    Never,
}

/// Asks a sentinel whenever all are asked, and handles its messages, until the connection is gone.
async fn talk(
    shared: &Arc<Shared>,
    addr: &SentinelAddr,
    mut listener: SentinelListener,
    id: ConnectionId,
    found: &mpsc::UnboundedSender<SentinelAddr>,
) -> Ended {
    let mut round = shared.round.subscribe();
    let mut ended = Ended::Never;
    let mut names = Names::default();
    loop {
        round.mark_unchanged();
        let at = Instant::now();
        match timeout(LIMIT, listener.ask(&shared.sentinels)).await {
            Ok(Ok((mut told, asked))) => {
                let redact = |words: Arc<str>| shared.sentinels.redact(words);
                for (_, words) in &mut told.denied {
                    *words = redact(words.clone());
                }
                let not_subscribed = listener.not_subscribed.clone().map(redact);
                if !lock(&shared.set).told(addr.at, &told, not_subscribed) {
                    return Ended::Needless;
                }
                ended = Ended::Answered;
                let answer = told.answer;
                let now = Instant::now();
                if lock(&shared.election).answers(id, answer, asked, now) {
                    shared.moved.send_replace(());
                }
                for other in told.others {
                    names.discover(shared, other, found);
                }
                lock(&shared.set).settled(addr.at, at, None);
            }
            Ok(Err(no)) => {
                let no = no.map(|words| shared.sentinels.redact(words));
                lock(&shared.set).settled(addr.at, at, Some(no));
                return ended;
            }
            Err(_) => {
                lock(&shared.set).silent(addr.at, at, shared.sentinels.silent());
                return ended;
            }
        }
        shared.settled.send_replace(());
        let idle = at + IDLE;
        loop {
            tokio::select! {
                _ = round.changed() => break,
                () = sleep_until(idle) => break,
                () = listener.ended() => return ended,
                () = names.looked_up() => {}
            }
        }
    }
}

/// Resolves the names of sentinels that another one knows, and asks a function of the app which addresses to use. In
/// parallel with the questions, because a name server or that function may be slow, and the sentinel that named them has
/// answered already.
#[derive(Default)]
struct Names {
    tasks: JoinSet<Address>,
    /// Each name is resolved once at a time, because an abandoned look-up keeps its thread.
    under_way: HashSet<Address>,
}

impl Names {
    /// Adds a sentinel that another one knows. One at an IP address is added before the other's answer counts, so that
    /// a search waits for it too.
    fn discover(
        &mut self,
        shared: &Arc<Shared>,
        other: Other,
        found: &mpsc::UnboundedSender<SentinelAddr>,
    ) {
        let sentinels = &shared.sentinels;
        let mapped = sentinels.nat_map.at_once(&other.address);
        if let Some((at, named)) = mapped.and_then(|named| Some((ip_address(&named)?, named))) {
            join(shared, SentinelAddr { at, named }, &other.id, found);
        } else if self.under_way.insert(other.address.clone()) {
            let (shared, found) = (shared.clone(), found.clone());
            self.tasks.spawn(async move {
                let Sentinels { nat_map, app, .. } = &shared.sentinels;
                match nat_map.apply(app, &other.address).await {
                    Ok(named) => {
                        // An announced name has one address.
                        let all = stream::resolve(&named).await.unwrap_or_default();
                        if let Some(at) = all.into_iter().next() {
                            join(&shared, SentinelAddr { at, named }, &other.id, &found);
                        }
                    }
                    Err(error) => {
                        let line =
                            format!("sentinel {} is not listened to: {error}", other.address);
                        app.log_once(Level::Warn, line);
                    }
                }
                other.address
            });
        }
    }

    /// Completes at the end of a look-up.
    async fn looked_up(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(name)) => {
                self.under_way.remove(&name);
            }
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

fn join(
    shared: &Shared,
    addr: SentinelAddr,
    id: &str,
    found: &mpsc::UnboundedSender<SentinelAddr>,
) {
    let new = lock(&shared.set).discovered(addr, id, Instant::now());
    if let Some(addr) = new {
        let _ = found.send(addr);
    }
}

fn ip_address(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp(host, port) => Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, *port)),
        Address::Unix(_) => None,
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
