//! A harness that drives a driver over a store in memory, in simulated time.

use std::sync::Arc;

use tokio::{sync::mpsc, time::Instant};

use crate::{
    command::{Code, Command, Op, ReadOp, Reply, WriteOp},
    driver::Limits,
    driver::{Driver, Event, Inbox, Input, Outlet},
    error::Result,
    keys::KeyLayout,
    known_sids::KnownSids,
    packed::Mark,
    pages::PageQuery,
    scripted_store::Store,
    size_limits::Sizes,
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
            KnownSids::new(&KeyLayout::new("P"), Sizes::REDIS),
        );
        tokio::spawn(driver.run());
        Self { inbox, events }
    }

    pub(super) fn call(&self, seq: u64, command: &Command) {
        let mut input = Input::default();
        input.calls.push(seq, command);
        self.inbox.push(&mut input);
    }

    /// An operation on channel `n` on all frontends.
    pub(super) fn everywhere(&self, seq: u64, op: Op, members: &[&str], sids: &[&str]) {
        let mut input = Input::default();
        let rest = members.iter().chain(sids).map(|text| text.as_bytes());
        input.calls.everywhere([&b"P:n:"[..]], rest);
        let count = u32::try_from(members.len()).expect("few");
        input.calls.end_call(seq, Code::Everywhere(op, count));
        self.inbox.push(&mut input);
    }

    /// The removal of channel `n` on all frontends.
    pub(super) fn destroy(&self, seq: u64, sids: &[&str]) {
        let mut input = Input::default();
        let sids = sids.iter().map(|sid| sid.as_bytes());
        input
            .calls
            .everywhere([], [&b"P:"[..], b"P:n:"].into_iter().chain(sids));
        input.calls.end_call(seq, Code::CleanChannels(1));
        self.inbox.push(&mut input);
    }

    /// Adds `u` to channel `n` on a frontend, as the first call about it for some time, or as a later one.
    pub(super) fn add_on(&self, seq: u64, sid: &str, is_first: bool) {
        let adds = is_first.then_some(true);
        self.on(seq, Op::Write(WriteOp::Add), sid, &["u"], adds);
    }

    /// An operation on channel `n` on a frontend, marked or not; whether the mark says that it adds members.
    pub(super) fn on(&self, seq: u64, op: Op, sid: &str, members: &[&str], adds: Option<bool>) {
        let mut input = Input::default();
        let calls = &mut input.calls;
        calls.bytes().extend(format!("P:n:{sid}").as_bytes());
        calls.end_key();
        for member in members {
            calls.bytes().extend(member.as_bytes());
            calls.end_item();
        }
        if let Some(adds) = adds {
            let len = sid.len();
            calls.mark(Mark { len, tail: 0, adds });
        }
        calls.end_call(seq, Code::Command(op));
        self.inbox.push(&mut input);
    }

    /// A count of channel `n` on all servers of a type, of which the driver has not heard of some before.
    pub(super) fn count_on(&self, seq: u64, sids: &[&str], new: &[&str]) {
        let mut input = Input::default();
        let calls = &mut input.calls;
        for sid in new {
            calls.tell(sid.as_bytes());
        }
        for sid in sids {
            calls.bytes().extend(format!("P:n:{sid}").as_bytes());
            calls.end_key();
        }
        calls.end_call(seq, Code::Command(Op::Read(ReadOp::Count)));
        self.inbox.push(&mut input);
    }

    /// A page of all channels.
    pub(super) fn channels(&self, seq: u64) {
        let mut input = Input::default();
        let query = PageQuery::of_channels(&KeyLayout::new("P"), (b"*", &[]), 0, None, 100);
        input.calls.push_page(seq, &query);
        self.inbox.push(&mut input);
    }

    /// A page of so many members of a key.
    pub(super) fn page(&self, seq: u64, key: &str, limit: usize) {
        self.query(seq, &PageQuery::of_members(key.as_bytes(), 0, None, limit));
    }

    /// A page of any kind.
    pub(super) fn query(&self, seq: u64, query: &PageQuery) {
        let mut input = Input::default();
        input.calls.push_page(seq, query);
        self.inbox.push(&mut input);
    }

    pub(super) fn clean(&self, seq: u64) {
        self.clean_under(seq, b"");
    }

    pub(super) fn clean_under(&self, seq: u64, stem: &[u8]) {
        let mut input = Input::default();
        input.calls.push_clean(seq, stem);
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
            stop: Some(Instant::now()),
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
