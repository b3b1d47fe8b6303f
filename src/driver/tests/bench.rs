//! A harness that drives a driver over a store in memory, in simulated time.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    command::{Command, Reply},
    driver::Limits,
    driver::{Driver, Event, Inbox, Input, Outlet},
    error::Result,
    scripted_store::Store,
};

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

    pub(super) fn clean(&self, seq: u64) {
        let mut input = Input::default();
        input.calls.push_clean(seq, b"");
        self.inbox.push(&mut input);
    }

    /// A `clean` that is a part of `start`.
    pub(super) fn clean_first(&self, seq: u64) {
        let mut input = Input {
            starting: true,
            ..Input::default()
        };
        input.calls.push_clean(seq, b"");
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
                Event::Log(_) | Event::Note(..) => {}
                event => return Some(event),
            }
        }
    }

    /// The next event, which must be the answer to a call. That of a write is [`Reply::Done`], whatever it changed: what
    /// is sent again may find everything done.
    pub(super) async fn answer(&mut self) -> (u64, Result<Reply>) {
        match self.event().await {
            Some(Event::Answer(seq, Ok(Reply::Changed(_)))) => (seq, Ok(Reply::Done)),
            Some(Event::Answer(seq, reply)) => (seq, reply),
            other => panic!("an answer was due, not {other:?}"),
        }
    }

    /// Waits for the first connection.
    pub(super) async fn started(&mut self) {
        let event = self.event().await;
        assert!(matches!(event, Some(Event::Started)), "{event:?}");
    }
}
