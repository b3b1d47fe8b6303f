//! Steps beside the calls: none waits for them, and each is answered once.

use super::{MS, bench::Bench, limits};
use crate::{
    command::Reply,
    driver::Event,
    error::Error,
    pages::PageQuery,
    scripted_store::{Dial, Fate, Store, add, read},
};

/// A step that the store in memory never answers.
fn step() -> PageQuery {
    PageQuery::of_enter(b"P:a:s1".to_vec(), b"P@members:{s1}".to_vec(), 7, None)
}

#[tokio::test(start_paused = true)]
async fn calls_do_not_wait_for_a_step_and_a_stop_ends_it() {
    let store = Store::new([Dial::Up(vec![], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.query(7, &step());
    bench.query(8, &step());
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    tokio::time::sleep(5000 * MS).await;
    bench.call(1, &read("k"));
    assert_eq!(bench.answer().await.0, 1);
    bench.stop();
    assert_eq!(bench.answer().await, (7, Err(Error::Stopped)));
    assert_eq!(bench.answer().await, (8, Err(Error::Stopped)));
    assert!(matches!(bench.event().await, Some(Event::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn a_step_fails_with_its_connection_and_the_next_one_runs_on_the_next() {
    let store = Store::new([Dial::Up(vec![Fate::Breaks(0)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.query(7, &step());
    bench.query(8, &step());
    bench.call(0, &add("k", "a"));
    let (seq, reply) = bench.answer().await;
    let code = reply.expect_err("it is lost").code();
    assert_eq!((seq, code), (7, "ERR_GLOBAL_CHANNEL_DISCONNECTED"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    bench.stop();
    assert_eq!(bench.answer().await, (8, Err(Error::Stopped)));
}
