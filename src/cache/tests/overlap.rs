//! Batches that overlap, as they do over a network: the memory must be filled and stay so.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    cache::{Answer, Invalidation, Sent, Session, Wire},
    command::{Command, ReadOp, Reply},
    list::List,
    list_lru::Bounds,
    manager::Queue,
    stats::Stats,
};

fn answers(sent: &Sent) -> Vec<Answer> {
    let list = || List::new(["u"]).map(Arc::new);
    let answer = |wire: &Wire| match wire {
        Wire::Members(_) => Answer::List(list()),
        Wire::Tracked(_) => Answer::Tracked {
            granted: true,
            pushes: 0,
            list: list(),
        },
        Wire::Forget(_) => Answer::Forgot(true),
        Wire::Touch(keys) => Answer::Touched(Some(keys.len())),
        Wire::Command { .. } => Answer::Command(Ok(Reply::Done)),
    };
    sent.wire.iter().map(answer).collect()
}

fn session() -> (Session, Arc<Stats>) {
    let bounds = Bounds::new(1 << 20, Arc::default());
    let stats = Arc::new(Stats::default());
    let session = Session::new(Some(bounds), stats.clone());
    (session, stats)
}

fn read(keys: &str) -> Command {
    let keys = keys.chars().map(|key| key.to_string().into_bytes());
    Command::read(ReadOp::Members, keys.collect())
}

#[test]
fn reads_that_always_overlap_fill_the_memory() {
    let (mut session, stats) = session();
    let mut before = session.form(&[&read("k")], Queue::default());
    for _ in 0..10 {
        let next = session.form(&[&read("k")], Queue::default());
        let settled = session.settle(before.no, answers(&before));
        assert!(settled.again.is_none());
        before = next;
    }
    // Two are under way before the first answer says that the list is worth tracking, and two more before the tracked
    // one is answered.
    assert_eq!(stats.cache.misses.get(), 4);
    assert_eq!(stats.cache.hits.get(), 6);
    assert_eq!(stats.cache.rereads.get(), 0);
}

#[test]
fn a_change_does_not_have_other_lists_read_again_for_ever() {
    let (mut session, stats) = session();
    for _ in 0..2 {
        let warm = session.form(&[&read("abc")], Queue::default());
        session.settle(warm.no, answers(&warm));
    }
    let mut sent = VecDeque::from([
        session.form(&[&read("abc")], Queue::default()),
        session.form(&[&read("a")], Queue::default()),
    ]);
    session.invalidate(Invalidation::Key(b"c"));
    for _ in 0..100 {
        sent.push_back(session.form(&[&read("a")], Queue::default()));
        let oldest = sent.pop_front().expect("there are two at least");
        let settled = session.settle(oldest.no, answers(&oldest));
        sent.extend(settled.again);
    }
    assert!(stats.cache.rereads.get() < 10, "{:?}", stats.cache);
}
