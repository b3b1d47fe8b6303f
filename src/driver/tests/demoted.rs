//! A server that says that it is no primary any more, and keeps its connections: behind the same address there may
//! be the new one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{MS, bench::Bench, limits};
use crate::{
    command::Reply,
    driver::Limits,
    error::Error,
    scripted_store::{Dial, Fate, READONLY, Store, add, members, read, remove},
};

fn replica() -> Dial {
    Dial::Up(vec![Fate::Refuses; 10_000], true)
}

fn refused() -> crate::error::Result<Reply> {
    Err(Error::Store(READONLY.into()))
}

fn connections(store: &Store, dials: usize) -> usize {
    dials - store.0.lock().unwrap().dials.len()
}

#[tokio::test(start_paused = true)]
async fn its_calls_are_sent_again_to_the_next_one_in_order() {
    // Also without a fence: what was answered cannot take effect later.
    for fenced in [true, false] {
        let first = Dial::Up(vec![Fate::Good(1), Fate::Refuses], true);
        let store = Store::new([first, Dial::Up(vec![], fenced)]);
        let mut bench = Bench::start(&store, limits());
        bench.started().await;
        bench.call(0, &add("k", "old"));
        assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
        let begin = Instant::now();
        for (seq, command) in [add("k", "a"), read("k"), remove("k", "old"), read("k")]
            .into_iter()
            .enumerate()
        {
            bench.call(seq as u64 + 1, &command);
        }
        assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
        assert_eq!(bench.answer().await, (2, Ok(members(&["a", "old"]))));
        assert_eq!(bench.answer().await, (3, Ok(Reply::Done)));
        assert_eq!(bench.answer().await, (4, Ok(members(&["a"]))));
        assert!(begin.elapsed() < 110 * MS, "{:?}", begin.elapsed());
        assert_eq!(connections(&store, 2), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_other_one_the_errors_come_in_time_and_connections_are_few() {
    for command_timeout in [Some(5000 * MS), None] {
        let store = Store::new(vec![replica(); 1000]);
        let limits = Limits {
            command_timeout,
            ..limits()
        };
        let mut bench = Bench::start(&store, limits);
        bench.started().await;
        let begin = Instant::now();
        let mut slowest = Duration::ZERO;
        for seq in 0..3000 {
            let called = Instant::now();
            bench.call(2 * seq, &add("k", "a"));
            bench.call(2 * seq + 1, &read("k"));
            assert_eq!(bench.answer().await, (2 * seq, refused()));
            assert_eq!(bench.answer().await, (2 * seq + 1, Ok(members(&[]))));
            slowest = slowest.max(called.elapsed());
            sleep(10 * MS).await;
        }
        assert!(slowest < 110 * MS, "{slowest:?}");
        let (seconds, connections) = (begin.elapsed().as_secs(), connections(&store, 1000) as u64);
        // At most 2 s between two attempts, and no storm.
        assert!(
            connections > seconds / 2,
            "{connections} connections in {seconds} s"
        );
        assert!(
            connections < seconds + 5,
            "{connections} connections in {seconds} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_promoted_again_is_a_primary_like_another() {
    let mut fates = vec![Fate::Refuses];
    let first = Dial::Up(fates.clone(), true);
    fates.push(Fate::Refuses);
    let store = Store::new([first, Dial::Up(fates, true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, refused()));
    bench.call(1, &add("k", "a"));
    assert_eq!(bench.answer().await, (1, refused()), "asked a moment ago");
    bench.call(2, &add("k", "a"));
    assert_eq!(bench.answer().await, (2, Ok(Reply::Done)));
    assert_eq!(connections(&store, 2), 2, "the connection was kept");
}

#[tokio::test(start_paused = true)]
async fn clean_is_done_at_the_next_one_and_its_time_begins_anew() {
    let store = Store::new([
        Dial::Up(vec![Fate::Good(900), Fate::Refuses], true),
        Dial::Up(vec![Fate::Good(900)], true),
    ]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    bench.clean(1);
    bench.call(2, &read("k"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Removed(1))));
    assert_eq!(bench.answer().await, (2, Ok(members(&[]))));
}

#[tokio::test(start_paused = true)]
async fn where_the_manager_finds_the_primary_itself_calls_wait_for_it() {
    let mut dials = vec![Dial::Up(vec![Fate::Refuses], true); 4];
    dials.push(Dial::Up(vec![], true));
    let store = Store::new(dials);
    store.0.lock().unwrap().elects = true;
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert_eq!(connections(&store, 5), 5);
}

#[tokio::test(start_paused = true)]
async fn calls_that_may_not_wait_get_its_words() {
    let store = Store::new([replica()]);
    let limits = Limits {
        offline_queue: false,
        ..limits()
    };
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, refused()));
    sleep(200 * MS).await;
    bench.call(1, &add("k", "a"));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
}
