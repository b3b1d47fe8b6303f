//! `clean` is a barrier: it runs alone, may take long, and what is called after it waits for it. How long
//! its steps may take, and when the time of the others begins.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{MS, bench::Bench, limits};
use crate::{
    command::Reply,
    driver::Limits,
    scripted_store::{Dial, Fate, Store, add, members, read},
};

#[tokio::test(start_paused = true)]
async fn the_time_of_calls_made_after_it_begins_when_it_ends() {
    let fates = vec![Fate::Good(50), Fate::Steps(10, 500), Fate::Good(900)];
    let store = Store::new([Dial::Up(fates, true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    bench.clean(1);
    bench.call(2, &add("k", "b"));
    sleep(3000 * MS).await;
    bench.call(3, &read("k"));
    let done = [Reply::Done, Reply::Removed(1), Reply::Done];
    for (seq, reply) in (0..).zip(done) {
        assert_eq!(bench.answer().await, (seq, Ok(reply)));
    }
    assert_eq!(bench.answer().await, (3, Ok(members(&["b"]))));
}

#[tokio::test(start_paused = true)]
async fn their_time_is_bounded_whatever_becomes_of_it() {
    // The connection breaks during the clean; the next one hangs.
    let store = Store::new([
        Dial::Up(vec![Fate::Steps(10, 500), Fate::Breaks(0)], true),
        Dial::Up(vec![Fate::Hangs], true),
    ]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.clean(0);
    bench.clean(1);
    bench.call(2, &add("k", "b"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Removed(0))));
    let (seq, reply) = bench.answer().await;
    let code = reply.unwrap_err().code();
    assert_eq!((seq, code), (1, "ERR_GLOBAL_CHANNEL_DISCONNECTED"));
    let begin = Instant::now();
    let (seq, reply) = bench.answer().await;
    let code = reply.unwrap_err().code();
    assert_eq!((seq, code), (2, "ERR_GLOBAL_CHANNEL_TIMEOUT"));
    let took = begin.elapsed();
    assert!(took >= 999 * MS && took < 1010 * MS, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn while_there_is_no_connection_it_and_what_waits_for_it_have_their_time_from_the_call() {
    let store = Store::new([Dial::Up(vec![Fate::Breaks(0)], true)]);
    store.0.lock().unwrap().dials.extend(vec![Dial::Down; 100]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    bench.call(0, &read("k"));
    bench.clean(1);
    bench.call(2, &add("k", "b"));
    for seq in 0..3 {
        let (answered, reply) = bench.answer().await;
        let code = reply.unwrap_err().code();
        assert_eq!((answered, code), (seq, "ERR_GLOBAL_CHANNEL_TIMEOUT"));
    }
    assert!(begin.elapsed() < 1010 * MS, "{:?}", begin.elapsed());
}

/// What became of a `clean`, and of a call after it, and how long it took. `starting`: it is a part of `start`.
async fn hung(fates: Vec<Fate>, limits: Limits, starting: bool) -> (&'static str, Duration) {
    let store = Store::new([Dial::Up(fates, true)]);
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    let begin = Instant::now();
    if starting {
        bench.clean_first(0);
    } else {
        bench.clean(0);
    }
    bench.call(1, &add("k", "a"));
    let (seq, reply) = bench.answer().await;
    assert_eq!(seq, 0);
    let took = begin.elapsed();
    // Over another connection.
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    (reply.unwrap_err().code(), took)
}

#[tokio::test(start_paused = true)]
async fn each_of_its_steps_has_the_time_limit_of_a_call() {
    let (code, took) = hung(vec![Fate::Hangs], limits(), false).await;
    assert_eq!(code, "ERR_GLOBAL_CHANNEL_TIMEOUT");
    assert!(took >= 1000 * MS && took < 1010 * MS, "{took:?}");

    // The third step takes too long.
    let fates = vec![Fate::StepsThenHangs(2, 900)];
    let (code, took) = hung(fates, limits(), false).await;
    assert_eq!(code, "ERR_GLOBAL_CHANNEL_TIMEOUT");
    assert!(took >= 2800 * MS && took < 2810 * MS, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn as_a_part_of_start_it_has_the_time_limit_of_that_too() {
    for (command_timeout, start_timeout, expected) in [
        (Some(5000 * MS), Some(1000 * MS), 1000 * MS),
        (Some(1000 * MS), Some(5000 * MS), 1000 * MS),
        (None, Some(1000 * MS), 1000 * MS),
    ] {
        let limits = Limits {
            command_timeout,
            start_timeout,
            ..limits()
        };
        let (code, took) = hung(vec![Fate::Hangs], limits, true).await;
        assert_eq!(code, "ERR_GLOBAL_CHANNEL_TIMEOUT");
        assert!(took >= expected && took < expected + 10 * MS, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_time_limit_it_is_waited_for() {
    let store = Store::new([Dial::Up(vec![Fate::Steps(1, 3_600_000)], true)]);
    let limits = Limits {
        command_timeout: None,
        ..limits()
    };
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    bench.clean(0);
    assert_eq!(bench.answer().await, (0, Ok(Reply::Removed(0))));
}
