//! The writes of the index of frontends that are the driver's own: none is lost, and they do not pile up.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    MS,
    bench::Bench,
    everywhere::{COUNT, counted, put, sent},
    limits,
};
use crate::{
    command::Reply,
    driver::{Event, Limits},
    scripted_store::{Dial, Fate, Store},
};

/// A driver that has added on a frontend, and whose connections close as soon as they are open, this number of times.
async fn flapping(store: &Store, times: usize, limits: Limits) -> Bench {
    let first = Dial::Closes(100 * MS);
    let closing = vec![Dial::Closes(Duration::ZERO); times];
    store.0.lock().unwrap().dials = [vec![first], closing].concat().into();
    let mut bench = Bench::start(&Arc::new(store.clone()), limits);
    bench.started().await;
    bench.add_on(0, "s1", true);
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    bench
}

#[tokio::test(start_paused = true)]
async fn connections_that_close_again_and_again_leave_one_write() {
    let store = Store::new([]);
    let limits = Limits {
        command_timeout: None,
        ..limits()
    };
    let _bench = flapping(&store, 10, limits).await;
    sleep(60_000 * MS).await;
    // Each connection has one, also the last one, which stays open.
    let batches = sent(&store).split_off(1);
    assert_eq!(batches, vec![vec!["SADD P@sids"]; 11]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_one_while_the_store_is_away() {
    let store = Store::new([]);
    let mut bench = flapping(&store, 1, limits()).await;
    store.0.lock().unwrap().dials.extend(vec![Dial::Down; 100]);
    sleep(400 * MS).await;
    let begin = Instant::now();
    bench.stop();
    assert!(matches!(bench.event().await, Some(Event::Stopped)));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_overdue_comes_in_front_of_the_next_member() {
    // A store that loses nothing, so that a reconnect alone is no reason to write.
    for offline_queue in [true, false] {
        let fates = vec![Fate::Good(1), Fate::Good(1), Fate::Breaks(0)];
        let first = Dial::Up(fates, true);
        let store = Store::new([vec![first], vec![Dial::Down; 6]].concat());
        store.0.lock().unwrap().keeps = true;
        let limits = Limits {
            offline_queue,
            ..limits()
        };
        let mut bench = Bench::start(&store, limits);
        bench.started().await;
        put(&store, "s0", &["u"], true);
        bench.everywhere(0, COUNT, &[], &[]);
        assert_eq!(counted(&mut bench, 0).await, 1);
        bench.add_on(1, "s1", true);
        assert!(bench.answer().await.1.is_err());
        bench.add_on(2, "s2", true);
        assert!(bench.answer().await.1.is_err());
        sleep(60_000 * MS).await;
        bench.add_on(3, "s1", false);
        assert_eq!(bench.answer().await, (3, Ok(Reply::Done)));
        let last: Vec<_> = sent(&store).split_off(3).concat();
        assert_eq!(last, ["SADD P@sids", "SADD P:n:s1"], "{offline_queue}");
        assert_eq!(store.0.lock().unwrap().sets[&b"P@sids"[..]].len(), 3);
    }
}
