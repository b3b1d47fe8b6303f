//! The sentinels of one primary, asked and listened to: all that any of them says enters one state
//! ([`super::election`]), and every connection to a primary is made and kept by it.
//!
//! All of them are listened to, because only the one that leads a failover tells of it before the new primary takes
//! writes. From then on the old one acknowledges what is thrown away: Sentinel demotes it seconds later, if it is
//! alive. So those that are listed are asked for the others. One task keeps the connection to each.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Address,
    election::{Election, News, Verdict, Voice},
    listener::{LIMIT, Listener, Spot},
    roster::Roster,
    sentinel::{Other, Sentinels},
    stream,
};
use crate::manager::ConnectError;

/// A sentinel that has not been asked for so long is asked again: whether it is there, whom it knows.
const IDLE: Duration = Duration::from_secs(5);

/// The longest pause before a sentinel that is gone is looked for again, if nothing is asked of it.
const RARELY: Duration = Duration::from_secs(5);

/// Once in so much time a connection that was lost is made again without a pause.
const CALM: Duration = Duration::from_secs(1);

/// How often a name is looked up again, since what is behind it comes and goes.
const LOOK_UP: Duration = Duration::from_secs(10);

/// How often all are asked while a failover is under way.
const STEP: Duration = Duration::from_millis(100);

/// See the module. They are asked and listened to from the first question on, until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    /// The task that keeps the others.
    keeper: Mutex<JoinSet<()>>,
    /// Since when a connection has been looked for, over several attempts.
    since: Mutex<Option<Instant>>,
    /// The last primary that was connected to.
    last: Mutex<Option<Address>>,
}

#[derive(Debug)]
struct Shared {
    sentinels: Sentinels,
    election: Mutex<Election>,
    roster: Mutex<Roster>,
    /// The election has changed.
    moved: watch::Sender<()>,
    /// A question has come to its end.
    settled: watch::Sender<()>,
    /// When all were asked last.
    round: watch::Sender<Instant>,
    voices: AtomicU64,
}

impl Watch {
    pub(super) fn new(sentinels: Sentinels) -> Self {
        let shared = Shared {
            roster: Mutex::new(Roster::new(&sentinels.addresses)),
            sentinels,
            election: Mutex::default(),
            moved: watch::channel(()).0,
            settled: watch::channel(()).0,
            round: watch::channel(Instant::now()).0,
            voices: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
            keeper: Mutex::default(),
            since: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Finds the primary; while a failover is under way, the next one.
    pub(super) async fn find(&self) -> Result<Address, ConnectError> {
        self.start();
        let since = *lock(&self.since).get_or_insert_with(Instant::now);
        let shared = &self.shared;
        loop {
            let mut moved = shared.moved.subscribe();
            let round = Instant::now();
            shared.round.send_replace(round);
            shared.settle(round).await;
            if !lock(&shared.roster).answered_since(round) {
                let noes = lock(&shared.roster).noes();
                return Err(shared.sentinels.nowhere(&noes));
            }
            let now = Instant::now();
            let verdict = lock(&shared.election).verdict(since, now);
            match verdict {
                Verdict::Connect(address) => return Ok(address),
                // They have answered meanwhile, and are gone.
                Verdict::Unknown => sleep(STEP).await,
                Verdict::Wait(until) => tokio::select! {
                    () = sleep_until(until.min(now + STEP)) => {}
                    _ = moved.changed() => {}
                },
            }
        }
    }

    /// Completes at the next news.
    pub(super) fn next(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut moved = self.shared.moved.subscribe();
        let shared = self.shared.clone();
        async move {
            let _ = moved.changed().await;
            drop(shared);
        }
    }

    /// Completes when a connection to `address` must not be kept.
    pub(super) fn left(&self, address: &Address) -> impl Future<Output = ()> + Send + 'static {
        let (shared, address) = (self.shared.clone(), address.clone());
        async move {
            let mut moved = shared.moved.subscribe();
            while !lock(&shared.election).forbids(&address, Instant::now()) {
                let _ = moved.changed().await;
            }
        }
    }

    /// Notes that there is a connection to the primary; lines for the log.
    pub(super) fn connected(&self, address: &Address) -> Vec<String> {
        *lock(&self.since) = None;
        let before = lock(&self.last).replace(address.clone());
        let moved = before.is_some_and(|before| before != *address);
        let moved = moved.then(|| format!("the primary is {address} now"));
        let notes = lock(&self.shared.roster).notes();
        moved.into_iter().chain(notes).collect()
    }

    fn start(&self) {
        let mut keeper = lock(&self.keeper);
        if keeper.is_empty() {
            keeper.spawn(keep(self.shared.clone()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Waits for the answers of those that were asked at `round`.
    async fn settle(&self, round: Instant) {
        let mut settled = self.settled.subscribe();
        loop {
            let until = lock(&self.roster).waits(round);
            let Some(until) = until.filter(|until| Instant::now() < *until) else {
                return;
            };
            tokio::select! {
                () = sleep_until(until) => {}
                _ = settled.changed() => {}
            }
        }
    }

    fn hear(&self, voice: Voice, news: News) {
        if lock(&self.election).publishes(voice, news, Instant::now()) {
            self.moved.send_replace(());
        }
    }
}

/// Keeps a task for each listed name, and one for each sentinel that is found. Dropping it ends them.
async fn keep(shared: Arc<Shared>) {
    let (found, mut finds) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for address in shared.sentinels.addresses.clone() {
        tasks.spawn(look_up(shared.clone(), address, found.clone()));
    }
    loop {
        tokio::select! {
            Some(spot) = finds.recv() => {
                tasks.spawn(attend(shared.clone(), spot, found.clone()));
            }
            _ = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// Follows what is behind a listed name.
async fn look_up(shared: Arc<Shared>, address: Address, found: mpsc::UnboundedSender<Spot>) {
    let mut round = shared.round.subscribe();
    loop {
        let all = stream::resolve(&address).await;
        let new = lock(&shared.roster).resolved(&address, all, Instant::now());
        for spot in new {
            let _ = found.send(spot);
        }
        shared.settled.send_replace(());
        let next = Instant::now() + LOOK_UP;
        sleep(STEP).await;
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                // Sooner where all are asked, and there is nobody to ask.
                _ = round.changed() => if lock(&shared.roster).lacks(&address) { break },
            }
        }
    }
}

/// Talks to one sentinel until it is none of them any more.
async fn attend(shared: Arc<Shared>, spot: Spot, found: mpsc::UnboundedSender<Spot>) {
    let mut round = shared.round.subscribe();
    let mut pauses = pauses();
    let mut plain = false;
    let mut hurried: Option<Instant> = None;
    loop {
        round.mark_unchanged();
        let asked = Instant::now();
        // Two voices, in case that it speaks over two sockets.
        let voice = shared.voices.fetch_add(2, Ordering::Relaxed);
        let hear = {
            let shared = shared.clone();
            Arc::new(move |news, same: bool| shared.hear(voice + u64::from(!same), news))
        };
        let opening = Listener::open(&shared.sentinels, &spot, hear, plain);
        match timeout(LIMIT, opening).await {
            Ok(Ok(listener)) => {
                let attended = talk(&shared, &spot, listener, voice, &found).await;
                let now = Instant::now();
                lock(&shared.election).gone(voice, now);
                lock(&shared.roster).lost(spot.at, now);
                match attended {
                    Ended::Needless => {
                        lock(&shared.roster).forget(spot.at);
                        shared.settled.send_replace(());
                        return;
                    }
                    Ended::Answered => pauses = self::pauses(),
                    Ended::Never => {}
                }
                // What it tells meanwhile is not heard: so at once, unless that was just done.
                if hurried.is_none_or(|hurried| now.duration_since(hurried) > CALM) {
                    hurried = Some(now);
                    shared.settled.send_replace(());
                    continue;
                }
            }
            Ok(Err(no)) => {
                // Something in between may end a connection on HELLO.
                plain = !plain && matches!(no, ConnectError::Unreachable(_));
                lock(&shared.roster).settled(spot.at, asked, Some(no));
            }
            Err(_) => lock(&shared.roster).silent(spot.at, asked),
        }
        shared.settled.send_replace(());
        if !lock(&shared.roster).keeps(spot.at, Instant::now()) {
            return;
        }
        tokio::select! {
            () = sleep(pauses.next().unwrap_or(RARELY)) => {}
            _ = round.changed() => {}
        }
    }
}

/// How it went with a connection to a sentinel.
enum Ended {
    /// It was not needed.
    Needless,
    Answered,
    Never,
}

/// Asks a sentinel whenever all are asked, and listens to it, until the connection is gone.
async fn talk(
    shared: &Shared,
    spot: &Spot,
    mut listener: Listener,
    voice: Voice,
    found: &mpsc::UnboundedSender<Spot>,
) -> Ended {
    let mut round = shared.round.subscribe();
    let mut ended = Ended::Never;
    loop {
        round.mark_unchanged();
        let at = Instant::now();
        match timeout(LIMIT, listener.ask(&shared.sentinels)).await {
            Ok(Ok((told, asked))) => {
                let deaf = listener.deaf.clone();
                if !lock(&shared.roster).told(spot.at, &told, deaf) {
                    return Ended::Needless;
                }
                ended = Ended::Answered;
                let answer = told.answer;
                let now = Instant::now();
                if lock(&shared.election).answers(voice, answer, asked, now) {
                    shared.moved.send_replace(());
                }
                for other in told.others {
                    discover(shared, other, found).await;
                }
                lock(&shared.roster).settled(spot.at, at, None);
            }
            Ok(Err(no)) => {
                lock(&shared.roster).settled(spot.at, at, Some(no));
                return ended;
            }
            Err(_) => {
                lock(&shared.roster).silent(spot.at, at);
                return ended;
            }
        }
        shared.settled.send_replace(());
        tokio::select! {
            _ = round.changed() => {}
            () = sleep(IDLE) => {}
            () = listener.ended() => return ended,
        }
    }
}

/// A sentinel that another one knows: before the other's answer counts, so that a look-up waits for this one too.
async fn discover(shared: &Shared, other: Other, found: &mpsc::UnboundedSender<Spot>) {
    let Ok(all) = stream::resolve(&other.address).await else {
        return;
    };
    // An announced name has one address.
    if let Some(at) = all.into_iter().next() {
        let named = other.address;
        let new = lock(&shared.roster).discovered(Spot { at, named }, &other.id, Instant::now());
        if let Some(spot) = new {
            let _ = found.send(spot);
        }
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
