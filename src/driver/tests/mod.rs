//! The driver over connections that break, in simulated time: what it promises, case by case. The
//! promise that covers all cases at once is in [`random`].

mod barrier;
mod bench;
mod beside;
mod demoted;
mod everywhere;
mod heartbeat;
mod idle;
mod index;
mod order;
mod pages;
mod poison;
mod random;
mod random_order;
mod waited;

use std::time::Duration;

use tokio::time::Instant;

use self::bench::Bench;
use super::Event;
use crate::{
    command::Reply,
    driver::Limits,
    error::Error,
    scripted_store::{Dial, Fate, Store, add, members, read, remove},
};

const MS: Duration = Duration::from_millis(1);

fn limits() -> Limits {
    Limits {
        command_timeout: Some(1000 * MS),
        ..Limits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_when_the_connection_broke_is_sent_again_in_order() {
    let store = Store::new([Dial::Up(vec![Fate::Breaks(1)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for (seq, command) in [add("k", "a"), remove("k", "a"), read("k")]
        .into_iter()
        .enumerate()
    {
        bench.call(seq as u64, &command);
    }
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (2, Ok(members(&[]))));
}

#[tokio::test(start_paused = true)]
async fn without_a_fence_a_write_that_was_sent_is_reported_and_a_read_is_sent_again() {
    let store = Store::new([
        Dial::Up(vec![Fate::Breaks(0)], true),
        Dial::Up(vec![], false),
    ]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    bench.call(1, &read("k"));
    let (seq, reply) = bench.answer().await;
    assert_eq!(
        (seq, reply.map_err(|error| error.code())),
        (0, Err("ERR_GLOBAL_CHANNEL_DISCONNECTED"))
    );
    assert_eq!(bench.answer().await.0, 1);
    assert!(store.0.lock().unwrap().sets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_within_its_time_though_the_store_hangs_and_then_recovers() {
    let store = Store::new([Dial::Up(vec![Fate::Hangs], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    let begin = Instant::now();
    bench.call(0, &add("k", "a"));
    let (_, reply) = bench.answer().await;
    assert_eq!(reply.unwrap_err().code(), "ERR_GLOBAL_CHANNEL_TIMEOUT");
    let took = begin.elapsed();
    assert!(took >= 1000 * MS && took < 1010 * MS, "{took:?}");
    bench.call(1, &add("k", "b"));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
}

#[tokio::test(start_paused = true)]
async fn calls_made_without_a_connection_wait_for_it_or_fail_at_once_as_the_option_says() {
    for offline_queue in [true, false] {
        let store = Store::new([Dial::Up(vec![Fate::Breaks(0)], true), Dial::Down]);
        let mut bench = Bench::start(
            &store,
            Limits {
                offline_queue,
                ..limits()
            },
        );
        bench.started().await;
        bench.call(0, &read("k"));
        bench.call(1, &add("k", "a"));
        for seq in 0..2 {
            let (answered, reply) = bench.answer().await;
            assert_eq!(answered, seq);
            match reply {
                Ok(_) => assert!(offline_queue),
                Err(error) => {
                    assert!(!offline_queue);
                    assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_DISCONNECTED");
                    assert_eq!(error.cause(), Some("broken"));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_begin_short_grow_and_are_capped() {
    let store = Store::new(vec![Dial::Down; 40]);
    let mut bench = Bench::start(
        &store,
        Limits {
            retry_cap: 400 * MS,
            ..limits()
        },
    );
    let mut times = Vec::new();
    while let Some(event) = bench.events().recv().await {
        match event {
            Event::Log(_) => times.push(Instant::now()),
            _ => break,
        }
    }
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] <= 102 * MS, "{:?}", pauses[0]);
    assert!(pauses.iter().all(|&pause| pause <= 402 * MS), "{pauses:?}");
    assert!(
        pauses[10..].iter().any(|&pause| pause > 200 * MS),
        "{pauses:?}"
    );
    assert!(
        pauses[10..].windows(2).any(|pair| pair[0] != pair[1]),
        "no jitter: {pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stirs_ends_the_pause() {
    let store = Store::new(vec![Dial::Down; 10]);
    let mut bench = Bench::start(&store, limits());
    for _ in 0..10 {
        let event = bench.events().recv().await;
        assert!(matches!(event, Some(Event::Log(_))), "{event:?}");
    }
    let begin = Instant::now();
    store.0.lock().unwrap().stir.notify_one();
    bench.started().await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn giving_up_answers_everybody_and_everybody_who_comes_later() {
    let store = Store::new([
        Dial::Up(vec![Fate::Breaks(0)], true),
        Dial::Down,
        Dial::Down,
    ]);
    let mut bench = Bench::start(
        &store,
        Limits {
            max_attempts: Some(2),
            ..limits()
        },
    );
    bench.started().await;
    bench.call(0, &add("k", "a"));
    let code = |reply: crate::error::Result<Reply>| reply.unwrap_err().code();
    assert_eq!(
        code(bench.answer().await.1),
        "ERR_GLOBAL_CHANNEL_DISCONNECTED"
    );
    bench.call(1, &add("k", "a"));
    assert_eq!(
        code(bench.answer().await.1),
        "ERR_GLOBAL_CHANNEL_DISCONNECTED"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_fails_at_once_when_refused_and_after_its_time_when_nobody_answers() {
    let begin = Instant::now();
    let mut bench = Bench::start(&Store::new([Dial::Refused]), limits());
    let event = bench.event().await;
    assert!(
        matches!(&event, Some(Event::StartFailed(Error::Store(words))) if &**words == "WRONGPASS no")
    );
    assert!(begin.elapsed() < 10 * MS);

    let limits = Limits {
        start_timeout: Some(5000 * MS),
        ..limits()
    };
    let mut bench = Bench::start(&Store::new(vec![Dial::Down; 1000]), limits);
    let event = bench.event().await;
    assert!(
        matches!(&event, Some(Event::StartFailed(Error::Unreachable { .. }))),
        "{event:?}"
    );
    assert!(begin.elapsed() >= 5000 * MS && begin.elapsed() < 5020 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_answers_but_no_longer_than_the_drain_time() {
    let store = Store::new([Dial::Up(vec![Fate::Good(300), Fate::Hangs], true)]);
    let mut bench = Bench::start(
        &store,
        Limits {
            command_timeout: None,
            ..limits()
        },
    );
    bench.started().await;
    bench.call(0, &add("k", "a"));
    tokio::time::sleep(10 * MS).await;
    bench.call(1, &add("k", "b"));
    bench.stop();
    let begin = Instant::now();
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (1, Err(Error::Stopped)));
    assert!(matches!(bench.event().await, Some(Event::Stopped)));
    assert!(begin.elapsed() >= 1000 * MS && begin.elapsed() < 1020 * MS);
    assert!(bench.event().await.is_none(), "nothing comes after the end");
}

#[tokio::test(start_paused = true)]
async fn clean_runs_alone_between_what_was_called_before_and_after_it() {
    let store = Store::new([Dial::Up(vec![Fate::Good(50), Fate::Good(5000)], true)]);
    let mut bench = Bench::start(
        &store,
        Limits {
            command_timeout: Some(60_000 * MS),
            ..limits()
        },
    );
    bench.started().await;
    bench.call(0, &add("k", "a"));
    bench.clean(1);
    bench.call(2, &add("k", "b"));
    bench.call(3, &read("k"));
    let done = [Reply::Done, Reply::Removed(1), Reply::Done];
    for (seq, reply) in (0..).zip(done) {
        assert_eq!(bench.answer().await, (seq, Ok(reply)));
    }
    assert_eq!(bench.answer().await.1, Ok(members(&["b"])));
    let batches = store
        .0
        .lock()
        .unwrap()
        .batches
        .iter()
        .map(Vec::len)
        .collect::<Vec<_>>();
    assert_eq!(batches, [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_is_noticed_also_when_its_only_call_had_waited_for_it() {
    // The call waits through the pause before the second connection, which then hangs: when the call's
    // time is over, that connection has not had all of its own.
    let store = Store::new([
        Dial::Up(vec![Fate::Breaks(0)], true),
        Dial::Down,
        Dial::Down,
        Dial::Up(vec![Fate::Hangs], true),
    ]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    let (_, reply) = bench.answer().await;
    assert_eq!(reply.unwrap_err().code(), "ERR_GLOBAL_CHANNEL_TIMEOUT");
    tokio::time::sleep(2000 * MS).await;
    bench.call(1, &add("k", "b"));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_nothing_before_it_breaks_does_not_end_the_outage() {
    let flapping = vec![Dial::Up(vec![Fate::Breaks(0)], true); 1000];
    let store = Store::new(flapping);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &read("k"));
    assert!(bench.answer().await.1.is_err());
    let dialed = 1000 - store.0.lock().unwrap().dials.len();
    assert!(dialed < 10, "{dialed} connections in a second");
}
