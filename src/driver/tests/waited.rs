//! What a connection is told of the queue: which of the last batches were sent after a call was made. A later batch may
//! use the answers of those, but not across a page or a `clean` that was called in between.

use super::{bench::Bench, limits};
use crate::scripted_store::{Dial, Store, read};

/// The store, with batches of one call, after these calls were made at once; `c` is a clean.
async fn told(calls: &str) -> Vec<(u32, bool)> {
    let store = Store::new([Dial::Up(vec![], true)]);
    store.0.lock().unwrap().batch_size = 1;
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for (seq, call) in (0..).zip(calls.chars()) {
        match call {
            'c' => bench.clean(seq),
            _ => bench.call(seq, &read("k")),
        }
    }
    for _ in 0..calls.len() {
        bench.answer().await.1.unwrap();
    }
    bench.call(100, &read("k"));
    bench.answer().await.1.unwrap();
    let queues = store.0.lock().unwrap().queues.clone();
    queues
        .into_iter()
        .map(|queue| (queue.waited, queue.is_behind))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_waited_for_the_batches_that_were_sent_after_it_was_made() {
    let expected = [(0, true), (1, true), (2, false), (0, false)];
    assert_eq!(told("rrr").await, expected);
}

#[tokio::test(start_paused = true)]
async fn batches_before_a_clean_do_not_count_after_it() {
    let expected = [(0, true), (1, true), (0, true), (1, false), (0, false)];
    assert_eq!(told("rrcrr").await, expected);
}
