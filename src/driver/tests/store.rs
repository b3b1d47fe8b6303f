//! A store in memory whose links break as a script says, and a harness that drives a driver over
//! it in simulated time.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::mpsc;

use crate::{
    command::{Command, Reply},
    driver::{Driver, Event, Inbox, Input, Outlet},
    error::Result,
    keys::Key,
    list::List,
    manager::{ConnectError, Connected, Link, Lost, Manager},
    options::Limits,
};

/// What becomes of an attempt to connect.
#[derive(Debug, Clone)]
pub(super) enum Dial {
    /// A link that treats its batches so, one after the other, and the rest well. `bool`: fenced.
    Up(Vec<Fate>, bool),
    /// Nobody there.
    Down,
    /// The store says no.
    Refused,
}

/// What becomes of a batch.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// Executed, answered after so many milliseconds.
    Good(u64),
    /// So many commands are executed, then the link breaks.
    Breaks(usize),
    /// Never executed, never answered.
    Hangs,
}

#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) dials: VecDeque<Dial>,
    /// Batches as they were executed.
    pub(super) batches: Vec<Vec<Command>>,
    pub(super) sets: HashMap<Key, BTreeSet<Vec<u8>>>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Store(pub(super) Arc<Mutex<Script>>);

pub(super) struct StoreLink {
    store: Store,
    fates: Mutex<VecDeque<Fate>>,
}

impl Store {
    pub(super) fn new(dials: impl IntoIterator<Item = Dial>) -> Arc<Self> {
        let store = Self::default();
        store.0.lock().unwrap().dials = dials.into_iter().collect();
        Arc::new(store)
    }

    fn apply(&self, command: &Command) -> Reply {
        let sets = &mut self.0.lock().unwrap().sets;
        match command {
            Command::Add { key, members } => {
                sets.entry(key.clone())
                    .or_default()
                    .extend(members.iter().cloned());
            }
            Command::Remove { key, members } => {
                let set = sets.entry(key.clone()).or_default();
                set.retain(|member| !members.contains(member));
            }
            Command::Delete { keys } => sets.retain(|key, _| !keys.contains(key)),
            Command::Clean { .. } => sets.clear(),
            Command::Members { keys } => {
                let list = |key| List::new(sets.get(key).into_iter().flatten()).map(Arc::new);
                return Reply::Members(keys.iter().map(list).collect());
            }
        }
        Reply::Done
    }
}

impl Manager for Store {
    type Link = StoreLink;

    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, std::result::Result<Connected<StoreLink>, ConnectError>> {
        let dial = self.0.lock().unwrap().dials.pop_front();
        let outcome = match dial.unwrap_or(Dial::Up(Vec::new(), true)) {
            Dial::Up(fates, fenced) => Ok(Connected {
                link: StoreLink {
                    store: (*self).clone(),
                    fates: Mutex::new(fates.into()),
                },
                closed: std::future::pending().boxed(),
                fenced,
                note: None,
            }),
            Dial::Down => Err(ConnectError::Unreachable("down".into())),
            Dial::Refused => Err(ConnectError::Refused("WRONGPASS no".into())),
        };
        std::future::ready(outcome).boxed()
    }

    fn describe(&self) -> String {
        "the test store".to_owned()
    }
}

impl Link for StoreLink {
    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let mut fates = self.fates.lock().unwrap();
        let fate = fates.front().cloned().unwrap_or(Fate::Good(1));
        // After a break or a hang nothing of this link gets through any more.
        if matches!(fate, Fate::Good(_)) {
            fates.pop_front();
        } else {
            fates.truncate(1);
        }
        let executed = match fate {
            Fate::Good(_) => batch.len(),
            Fate::Breaks(count) => count.min(batch.len()),
            Fate::Hangs => 0,
        };
        let replies: Vec<_> = batch[..executed]
            .iter()
            .map(|c| Ok(self.store.apply(c)))
            .collect();
        let done = batch[..executed].iter().map(|&c| c.clone()).collect();
        self.store.0.lock().unwrap().batches.push(done);
        if let Fate::Breaks(_) = fate {
            // The rest of the commands on this link is lost with it.
            *fates = [Fate::Breaks(0)].into();
        }
        async move {
            match fate {
                Fate::Good(ms) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    Ok(replies)
                }
                Fate::Breaks(_) => Err(Lost("broken".into())),
                Fate::Hangs => std::future::pending().await,
            }
        }
        .boxed()
    }
}

#[derive(Clone)]
struct Channel(mpsc::UnboundedSender<Event>);

impl Outlet for Channel {
    fn deliver(&self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            let _ = self.0.send(event);
        }
    }
}

/// A driver at work.
pub(super) struct Bench {
    inbox: Arc<Inbox>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Bench {
    pub(super) fn start(store: &Arc<Store>, limits: Limits) -> Self {
        let inbox = Arc::new(Inbox::default());
        let (sender, events) = mpsc::unbounded_channel();
        let driver = Driver::new(
            store.clone(),
            limits,
            inbox.clone(),
            Channel(sender),
            Arc::default(),
        );
        tokio::spawn(driver.run());
        Self { inbox, events }
    }

    pub(super) fn call(&self, seq: u64, command: &Command) {
        let mut input = Input::default();
        input.calls.push(seq, command);
        self.inbox.push(&mut input);
    }

    pub(super) fn stop(&self) {
        self.inbox.push(&mut Input {
            stop: true,
            ..Input::default()
        });
    }

    /// Everything that comes, log lines too.
    pub(super) fn events(&mut self) -> &mut mpsc::UnboundedReceiver<Event> {
        &mut self.events
    }

    /// The next event that is no log line.
    pub(super) async fn event(&mut self) -> Option<Event> {
        loop {
            match self.events.recv().await? {
                Event::Log(_) => {}
                event => return Some(event),
            }
        }
    }

    /// The next event, which must be the answer to a call.
    pub(super) async fn answer(&mut self) -> (u64, Result<Reply>) {
        match self.event().await {
            Some(Event::Answer(seq, reply)) => (seq, reply),
            other => panic!("an answer was due, not {other:?}"),
        }
    }

    /// Waits for the first link.
    pub(super) async fn started(&mut self) {
        let event = self.event().await;
        assert!(matches!(event, Some(Event::Started)), "{event:?}");
    }
}

pub(super) fn add(key: &str, member: &str) -> Command {
    Command::Add {
        key: key.into(),
        members: vec![member.into()],
    }
}

pub(super) fn remove(key: &str, member: &str) -> Command {
    Command::Remove {
        key: key.into(),
        members: vec![member.into()],
    }
}

pub(super) fn read(key: &str) -> Command {
    Command::Members {
        keys: vec![key.into()],
    }
}

pub(super) fn members(members: &[&str]) -> Reply {
    Reply::Members(vec![List::new(members).map(Arc::new)])
}
