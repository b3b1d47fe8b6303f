//! Pages of many steps: only the first step is done in order with other calls, so that these do not wait for all of it.

use tokio::time::{Instant, sleep};

use super::{MS, bench::Bench, limits};
use crate::{
    command::{Reply, Request},
    driver::{Event, Limits},
    error::{Error, Result},
    scripted_store::{Dial, Fate, Store, add, members, read},
};

/// A store with a key of this number of members, of which a step takes 100 ms and finds one, and a depth of 1.
fn store(size: usize, dials: impl IntoIterator<Item = Dial>) -> std::sync::Arc<Store> {
    let store = Store::new(dials);
    {
        let mut script = store.0.lock().unwrap();
        let uids = (0..size).map(|uid| format!("u{uid}").into_bytes());
        script.sets.insert(b"list".to_vec(), uids.collect());
        script.depth = 1;
        script.pages.pause = 100 * MS;
        script.pages.width = 1;
    }
    store
}

/// The number of members of the page that was answered.
fn found(answer: (u64, Result<Reply>)) -> (u64, usize) {
    match answer {
        (seq, Ok(Reply::Page(page))) => (seq, page.names.len()),
        other => panic!("no page: {other:?}"),
    }
}

/// The number of connections that were made of so many.
fn connections(store: &Store, dials: usize) -> usize {
    dials - store.0.lock().unwrap().dials.len()
}

#[tokio::test(start_paused = true)]
async fn later_calls_wait_for_the_first_step_of_a_page_only() {
    let store = store(10, []);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    bench.page(0, "list", 5);
    bench.call(1, &add("k", "a"));
    bench.call(2, &read("k"));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (2, Ok(members(&["a"]))));
    let first = begin.elapsed();
    assert!((100 * MS..200 * MS).contains(&first), "{first:?}");
    assert_eq!(found(bench.answer().await), (0, 5));
    assert!(begin.elapsed() >= 500 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_long_is_overdue_and_its_connection_is_not() {
    let store = store(16, vec![Dial::Up(vec![], true); 2]);
    store.0.lock().unwrap().pages.pause = 300 * MS;
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    bench.page(0, "list", 16);
    let (seq, reply) = bench.answer().await;
    assert_eq!(
        (seq, reply.unwrap_err().code()),
        (0, "ERR_GLOBAL_CHANNEL_TIMEOUT")
    );
    assert!(begin.elapsed() < 1100 * MS);
    sleep(5000 * MS).await;
    bench.call(1, &add("k", "a"));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert_eq!(connections(&store, 2), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_ends_the_connection_and_the_page_is_read_over_the_next_one() {
    let store = store(16, vec![Dial::Up(vec![], true); 2]);
    store.0.lock().unwrap().pages.hangs = Some(3);
    let limits = Limits {
        command_timeout: Some(1000 * MS),
        ..limits()
    };
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    bench.page(0, "list", 5);
    sleep(500 * MS).await;
    // Its time is not over when the connection is given up.
    bench.page(1, "list", 1);
    let (seq, reply) = bench.answer().await;
    assert_eq!(
        (seq, reply.unwrap_err().code()),
        (0, "ERR_GLOBAL_CHANNEL_TIMEOUT")
    );
    store.0.lock().unwrap().pages.hangs = None;
    assert_eq!(found(bench.answer().await), (1, 1));
    assert_eq!(connections(&store, 2), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_connection_had_in_flight_is_done_again_in_order_pages_too() {
    for fate in [Fate::Breaks(0), Fate::Refuses] {
        let dials = [Dial::Up(vec![fate], true), Dial::Up(vec![], true)];
        let store = store(5, dials);
        let mut bench = Bench::start(&store, limits());
        bench.started().await;
        bench.page(0, "list", 3);
        bench.page(1, "list", 2);
        sleep(150 * MS).await;
        bench.call(2, &add("list", "a"));
        bench.page(3, "list", 3);
        // The first step of each, and what is sent behind it.
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(bench.answer().await);
        }
        answers.sort_by_key(|answer| answer.0);
        let begun = store.0.lock().unwrap().pages.begun;
        assert_eq!(begun, 2 + 3, "each once, and again those before the loss");
        let add = answers.remove(2);
        assert_eq!(add, (2, Ok(Reply::Done)));
        let pages: Vec<_> = answers.into_iter().map(found).collect();
        assert_eq!(pages, [(0, 3), (1, 2), (3, 3)]);
        let event = tokio::time::timeout(5000 * MS, bench.event()).await;
        assert!(event.is_err(), "each is answered once: {event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_page_but_no_longer_than_the_drain_time() {
    for (pause, is_read) in [(100 * MS, true), (400 * MS, false)] {
        let store = store(5, []);
        store.0.lock().unwrap().pages.pause = pause;
        let limits = Limits {
            command_timeout: None,
            ..limits()
        };
        let mut bench = Bench::start(&store, limits);
        bench.started().await;
        bench.page(0, "list", 5);
        sleep(pause + 10 * MS).await;
        bench.stop();
        let (seq, reply) = bench.answer().await;
        if is_read {
            assert_eq!(found((seq, reply)), (0, 5));
        } else {
            assert_eq!((seq, reply), (0, Err(Error::Stopped)));
        }
        assert!(matches!(bench.event().await, Some(Event::Stopped)));
        assert!(bench.event().await.is_none(), "nothing comes after the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_barrier_has_the_connection_for_itself() {
    let store = store(5, []);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    bench.page(0, "list", 5);
    bench.clean_under(1, b"list");
    bench.page(2, "list", 5);
    assert_eq!(found(bench.answer().await), (0, 5));
    assert!(begin.elapsed() >= 500 * MS);
    let batches = store.0.lock().unwrap().batches.clone();
    assert!(batches.iter().flatten().all(Request::is_barrier));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Removed(1))));
    assert_eq!(found(bench.answer().await), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn only_some_pages_are_read_at_the_same_time() {
    // A page has as many steps as the driver would begin pages meanwhile.
    let store = store(16, []);
    store.0.lock().unwrap().pages.pause = MS;
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for seq in 0..100 {
        bench.page(seq, "list", 16);
    }
    let mut answered = 0;
    while answered < 100 {
        assert_eq!(found(bench.answer().await).1, 16);
        answered += 1;
        let begun = store.0.lock().unwrap().pages.begun;
        assert!(begun <= answered + 10, "{begun} of which {answered} ended");
    }
}
