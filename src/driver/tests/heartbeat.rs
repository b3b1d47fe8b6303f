//! A connection that is silent is asked for a sign of life, and given up without one.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    sync::Notify,
    time::{Instant, advance, sleep},
};

use super::{MS, bench::Bench, limits};
use crate::{
    command::Reply,
    driver::{Event, Limits},
    heartbeat::{LIMIT, SILENT, until_dead},
    scripted_store::{Dial, Fate, Store, add, read},
};

/// What a connection has that gives no sign of life: the promise is ten seconds.
const FOUND: Duration = Duration::from_secs(9);

fn for_ever() -> Limits {
    Limits {
        command_timeout: None,
        ..limits()
    }
}

/// The next log line, and when it came.
async fn log(bench: &mut Bench) -> (String, Instant) {
    loop {
        match bench.events().recv().await {
            Some(Event::Log(line)) => return (line, Instant::now()),
            Some(_) => {}
            None => panic!("the driver has ended"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_found_though_nothing_is_in_flight() {
    let store = Store::new([Dial::Silent(vec![], 0)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    let (line, at) = log(&mut bench).await;
    assert!(line.contains("no sign of life"), "{line}");
    assert!(at - begin < FOUND, "{:?}", at - begin);
    let (line, _) = log(&mut bench).await;
    assert!(line.contains("connected again"), "{line}");
    assert_eq!(store.0.lock().unwrap().asked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_found_though_calls_may_wait_for_ever_and_they_are_sent_again() {
    let store = Store::new([Dial::Silent(vec![Fate::Hangs], 0)]);
    let mut bench = Bench::start(&store, for_ever());
    bench.started().await;
    let begin = Instant::now();
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert!(begin.elapsed() < FOUND, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_now_and_then_do_not_hide_that_nothing_is_answered() {
    let store = Store::new([Dial::Silent(vec![Fate::Hangs; 100], 0)]);
    let mut bench = Bench::start(&store, for_ever());
    bench.started().await;
    let begin = Instant::now();
    for seq in 0..20 {
        bench.call(seq, &read("k"));
        sleep(500 * MS).await;
    }
    assert_eq!(bench.answer().await.0, 0);
    assert!(begin.elapsed() < Duration::from_secs(10) + 100 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lives_is_kept_and_asked_once_in_a_few_idle_seconds() {
    let store = Store::new([Dial::Silent(vec![], usize::MAX)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    sleep(Duration::from_secs(3600)).await;
    let asked = store.0.lock().unwrap().asked;
    assert!((1000..=1200).contains(&asked), "{asked} times in an hour");
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert!(store.0.lock().unwrap().dials.is_empty());
    assert!(bench.events().try_recv().is_err(), "quiet");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_calls_is_not_asked() {
    let store = Store::new([Dial::Silent(vec![], 0)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for seq in 0..60 {
        bench.call(seq, &read("k"));
        assert_eq!(bench.answer().await.0, seq);
        sleep(2000 * MS).await;
    }
    assert_eq!(store.0.lock().unwrap().asked, 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_for_less_than_the_limit_keeps_its_connection() {
    let store = Store::new([Dial::Silent(vec![Fate::Good(4500)], 0)]);
    let mut bench = Bench::start(&store, for_ever());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert!(
        bench.events().try_recv().is_err(),
        "the connection was not lost"
    );
}

/// Of a connection of a cluster as of a connection.
#[tokio::test(start_paused = true)]
async fn when_this_process_stood_still_the_time_to_answer_begins_anew() {
    let answer = Arc::new(Notify::new());
    let asked = answer.clone();
    let dying = tokio::spawn(until_dead(move || {
        let asked = asked.clone();
        let sign = async move {
            asked.notified().await;
            Ok(())
        };
        Some(sign.boxed())
    }));
    sleep(SILENT + MS).await;
    // The answer has come meanwhile, but was not read yet when the timer is looked at.
    advance(Duration::from_secs(60)).await;
    sleep(MS).await;
    assert!(!dying.is_finished());
    answer.notify_one();
    sleep(SILENT + MS).await;
    // It was asked again, and does not answer.
    sleep(LIMIT).await;
    assert!(dying.is_finished());
}
