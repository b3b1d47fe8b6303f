//! Batches that overlap, as they do over a network: the memory must be filled and stay so.

use std::sync::Arc;

use crate::{
    cache::{Answer, Bounds, Broken, Sent, Session, Wire},
    command::Command,
    list::List,
    stats::Stats,
};

fn answers(sent: &Sent) -> Vec<Answer> {
    let answer = |wire: &Wire| match wire {
        Wire::Members(_) => Answer::List(List::new(["u"]).map(Arc::new)),
        Wire::Touch(keys) => Answer::Touched(Some(keys.len())),
        Wire::Write(_) => Answer::Wrote(Ok(())),
    };
    sent.wire.iter().map(answer).collect()
}

#[test]
fn reads_that_always_overlap_fill_the_memory() {
    let bounds = Bounds {
        max_bytes: 1 << 20,
        released: Arc::default(),
    };
    let stats = Arc::new(Stats::default());
    let mut session = Session::new(Some(bounds), stats.clone(), Broken::default());
    let read = Command::Members {
        keys: vec![b"k".to_vec()],
    };
    let mut before = session.form(&[&read]);
    for _ in 0..10 {
        let next = session.form(&[&read]);
        let settled = session.settle(before.no, answers(&before));
        assert!(settled.again.is_none());
        before = next;
    }
    assert_eq!(stats.cache.misses.get(), 2);
    assert_eq!(stats.cache.hits.get(), 8);
    assert_eq!(stats.cache.rereads.get(), 0);
}
