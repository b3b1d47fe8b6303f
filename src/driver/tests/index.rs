//! The writes of the index of frontends that are the driver's own: none is lost, and they do not pile up.

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

fn writes(store: &Store) -> usize {
    let batches = sent(store);
    let all = batches.iter().flatten();
    all.filter(|text| *text == "SADD P@sids").count()
}

#[tokio::test(start_paused = true)]
async fn connections_that_close_again_and_again_leave_one_write() {
    let fates = vec![Fate::Good(1), Fate::Breaks(0)];
    let flapping = vec![Dial::Up(vec![Fate::Breaks(0)], true); 10];
    let dials = [vec![Dial::Up(fates, true)], flapping, vec![Dial::Down; 3]];
    let store = Store::new(dials.concat());
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for sid in 0..3_u32 {
        bench.add_on(u64::from(sid), &format!("s{sid}"), true);
    }
    for seq in 0..3 {
        assert_eq!(bench.answer().await, (seq, Ok(Reply::Done)));
    }
    // This one is lost with its connection, and with the next ones until its time is over.
    bench.add_on(3, "s3", true);
    assert!(bench.answer().await.1.is_err());
    sleep(60_000 * MS).await;
    let before = writes(&store);
    assert!(before <= 4, "{before} writes");
    assert_eq!(sent(&store).last().map(Vec::len), Some(1));
    assert_eq!(store.0.lock().unwrap().sets[&b"P@sids"[..]].len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_one_while_the_store_is_away() {
    let fates = vec![Fate::Good(1)];
    let away = vec![Dial::Down; 1000];
    let store = Store::new([vec![Dial::Up(fates, true)], away].concat());
    store.0.lock().unwrap().dials[0] = Dial::Up(vec![Fate::Good(1), Fate::Breaks(0)], true);
    store.0.lock().unwrap().dials[1] = Dial::Up(vec![Fate::Breaks(0)], true);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.add_on(0, "s1", true);
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    bench.everywhere(1, COUNT, &[], &[]);
    assert!(bench.answer().await.1.is_err());
    let begin = Instant::now();
    bench.stop();
    assert!(matches!(bench.event().await, Some(Event::Stopped)));
    assert_eq!(begin.elapsed(), 0 * MS);
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
