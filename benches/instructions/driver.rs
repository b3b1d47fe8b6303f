//! The driver over a store that answers at once, on simulated time: from the inbox to the answers.

use std::sync::{Arc, Mutex};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use globalchannel::{
    command::{Command, Reply},
    driver::Limits,
    driver::{Driver, Event, Inbox, Input, Outlet},
    error::Result,
    keys::Key,
    known_sids::KnownSids,
    manager::{ConnectError, Connected, Connection, Lost, Manager},
    pages::{Entered, KeyFilter, PageSource, Step, StepFuture},
    removal::Removal,
    stats::Stats,
    steps::Steps,
};
use tokio::{runtime::Builder, sync::Notify};

use super::{ROUNDS, add_commands, measured};

struct Store;

impl Manager for Store {
    type Connection = Self;

    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, std::result::Result<Connected<Self>, ConnectError>> {
        let connected = Connected {
            connection: Store,
            closed: std::future::pending().boxed(),
            fenced: true,
            note: None,
        };
        std::future::ready(Ok(connected)).boxed()
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

/// Empty lists: pages are not measured.
impl PageSource for Store {
    fn members(&self, _: &[u8], _: Option<&[u8]>, _: usize) -> StepFuture {
        std::future::ready(Ok(Step::default())).boxed()
    }

    fn keys(&self, _: &KeyFilter, _: Option<&[u8]>, _: usize) -> StepFuture {
        std::future::ready(Ok(Step::default())).boxed()
    }

    fn counts(&self, _: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn enter(
        &self,
        _: [Key; 2],
        _: Option<Vec<u8>>,
        _: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        std::future::ready(Ok(Entered::default())).boxed()
    }
}

impl Connection for Store {
    fn pages(&self) -> Arc<dyn PageSource> {
        Arc::new(Self)
    }

    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        let replies = batch.iter().map(|_| Ok(Reply::Done)).collect();
        std::future::ready(Ok(replies)).boxed()
    }

    fn found(&self, _: &[u8]) -> BoxStream<'static, Result<Vec<Key>>> {
        stream::empty().boxed()
    }

    fn clean(
        &self,
        _: &Removal,
        _: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.execute(&[])
    }
}

#[derive(Clone, Default)]
struct Out(Arc<(Mutex<Vec<Event>>, Notify)>);

impl Outlet for Out {
    fn deliver(&self, events: &mut Vec<Event>) {
        let (all, notify) = &*self.0;
        all.lock().expect("no panic").append(events);
        notify.notify_one();
    }
}

impl Out {
    /// Waits for so many events, and takes them.
    async fn events(&self, count: usize) -> Vec<Event> {
        let (all, notify) = &*self.0;
        loop {
            notify.notified().await;
            let mut all = all.lock().expect("no panic");
            if all.len() >= count {
                return std::mem::take(&mut *all);
            }
        }
    }
}

pub(super) fn adds() {
    let clock = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = clock.expect("a runtime");
    let (inbox, out) = (Arc::new(Inbox::default()), Out::default());
    let stats = Arc::new(Stats::default());
    runtime.spawn({
        let (inbox, out) = (inbox.clone(), out.clone());
        async {
            let sids = KnownSids::default();
            Driver::new(Arc::new(Store), Limits::default(), inbox, out, stats, sids)
                .run()
                .await;
        }
    });
    runtime.block_on(out.events(1)); // started
    let commands = add_commands(512);
    let mut input = Input::default();
    for _ in 0..ROUNDS {
        for (seq, command) in (0..).zip(&commands) {
            input.calls.push(seq, command);
        }
        let events = measured(|| {
            inbox.push(&mut input);
            runtime.block_on(out.events(commands.len()))
        });
        assert!(
            events
                .iter()
                .all(|event| matches!(event, Event::Answer(_, Ok(_))))
        );
    }
}
