//! The order of calls behind operations on all frontends that are not finished: these wait for a scan, go on with
//! frontends that became known, or are executed in parts. What holds for all schedules is in [`super::random_order`].

use tokio::time::{Instant, sleep};

use super::{
    MS,
    bench::Bench,
    everywhere::{COUNT, LEAVE, answers, counted, left, put, sent},
    limits,
};
use crate::{
    command::{Op, ReadOp, Reply},
    driver::Limits,
    everywhere::MOST_KEYS,
    scripted_store::{Dial, Fate, Store, read},
};

const READ: Op = Op::Read(ReadOp::Members);

/// A driver over a store with member `u` on `old`, of which only a scan tells.
async fn with_old(store: &Store, fates: Vec<Fate>, limits: Limits) -> Bench {
    store.0.lock().unwrap().dials = [Dial::Up(fates, true)].into();
    let mut bench = Bench::start(&std::sync::Arc::new(store.clone()), limits);
    bench.started().await;
    put(store, "old", &["u"], false);
    bench
}

#[tokio::test(start_paused = true)]
async fn what_is_about_all_frontends_comes_after_an_operation_that_waits_for_the_scan() {
    for case in 0..4 {
        let store = Store::new([]);
        store.0.lock().unwrap().scan_pause = 100 * MS;
        let mut bench = with_old(&store, vec![], limits()).await;
        put(&store, "s1", &["u"], false);
        bench.everywhere(0, COUNT, &[], &[]);
        match case {
            // It knows a frontend that the first one does not.
            0 => bench.everywhere(1, LEAVE, &["u"], &["s1"]),
            1 => bench.destroy(1, &["s1"]),
            2 => bench.clean(1),
            _ => {}
        }
        if case < 3 {
            let answers = answers(&mut bench, 2).await;
            assert_eq!(answers, [Some(2), None], "case {case}");
            assert_eq!(left(&store), [""; 0], "case {case}");
            continue;
        }
        bench.everywhere(1, LEAVE, &["u"], &[]);
        bench.channels(2);
        assert_eq!(counted(&mut bench, 0).await, 2);
        assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
        match bench.answer().await {
            (2, Ok(Reply::Page(page))) => assert!(page.names.is_empty(), "{page:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn operations_that_wait_for_one_another_go_on_in_their_order() {
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 100 * MS;
    let mut bench = with_old(&store, vec![], limits()).await;
    put(&store, "gone", &["u"], true);
    put(&store, "s2", &["u"], false);
    bench.everywhere(0, COUNT, &[], &["s1"]);
    bench.everywhere(1, LEAVE, &["u"], &["s2"]);
    bench.everywhere(2, COUNT, &[], &[]);
    bench.add_on(3, "new", true);
    bench.everywhere(4, COUNT, &[], &[]);
    bench.everywhere(5, LEAVE, &["u"], &["s3"]);
    bench.everywhere(6, COUNT, &[], &[]);
    let expected = [Some(3), None, Some(0), None, Some(1), None, Some(0)];
    assert_eq!(answers(&mut bench, 7).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_read_by_server_type_waits_where_a_frontend_of_it_is_new() {
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 100 * MS;
    let mut bench = with_old(&store, vec![], limits()).await;
    // Two that have registered since the first call; only one is in the index.
    put(&store, "s2", &["u"], true);
    put(&store, "s3", &["u"], false);
    bench.everywhere(0, LEAVE, &["u"], &["s1"]);
    bench.count_on(1, &["s1", "s2", "s3"], &["s2", "s3"]);
    bench.count_on(2, &["s1", "s2", "s3"], &[]);
    assert_eq!(answers(&mut bench, 3).await, [None, Some(0), Some(0)]);
    assert_eq!(left(&store), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_front_of_which_another_one_was_overdue_waits_in_its_place() {
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 998 * MS;
    let mut bench = with_old(&store, vec![Fate::Good(5)], limits()).await;
    bench.everywhere(0, LEAVE, &["u"], &[]);
    sleep(7 * MS).await;
    // Its time is that of calls made 7 ms before.
    bench.add_on(1, "new", true);
    let (seq, reply) = bench.answer().await;
    let code = reply.unwrap_err().code();
    assert_eq!((seq, code), (1, "ERR_GLOBAL_CHANNEL_TIMEOUT"));
    bench.add_on(2, "new", false);
    assert_eq!(answers(&mut bench, 2).await, [None; 2]);
    assert_eq!(left(&store), ["P:n:new"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_in_the_place_of_one_that_was_refused() {
    let fates = vec![Fate::Breaks(0)];
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 100 * MS;
    let limits = Limits {
        offline_queue: false,
        ..limits()
    };
    let mut bench = with_old(&store, fates, limits).await;
    bench.call(0, &read("k"));
    assert!(bench.answer().await.1.is_err());
    bench.on(1, READ, "new", &[], Some(false));
    assert!(bench.answer().await.1.is_err());
    sleep(500 * MS).await;
    put(&store, "new", &["u"], false);
    bench.everywhere(2, LEAVE, &["u"], &[]);
    sleep(10 * MS).await;
    bench.add_on(3, "new", false);
    assert_eq!(answers(&mut bench, 2).await, [None; 2]);
    assert_eq!(left(&store), ["P:n:new"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_that_waits_for_the_scan_begins_when_it_ends_also_behind_others() {
    // All that may be in flight is, so that the call is not the first one that waits.
    let slow = vec![Fate::Good(850); 32];
    let fates = [vec![Fate::Good(1)], slow].concat();
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 800 * MS;
    let mut bench = with_old(&store, fates, limits()).await;
    put(&store, "older", &["u"], false);
    bench.everywhere(0, LEAVE, &["u"], &[]);
    for seq in 1..=33 {
        sleep(3 * MS).await;
        bench.call(seq, &read("k"));
    }
    bench.add_on(34, "new", true);
    let mut answers = Vec::new();
    for _ in 0..35 {
        answers.push(bench.answer().await);
    }
    let failed: Vec<_> = answers.iter().filter(|(_, reply)| reply.is_err()).collect();
    assert_eq!(failed.len(), 0, "{failed:?}");
    assert_eq!(left(&store), ["P:n:new"]);
}

#[tokio::test(start_paused = true)]
async fn no_batch_grows_with_the_number_of_frontends_and_each_part_has_its_time() {
    const FRONTENDS: usize = 2 * MOST_KEYS + 10;
    let store = Store::new([Dial::Up(vec![Fate::Good(700); 20], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for sid in 0..FRONTENDS {
        put(&store, &format!("s{sid}"), &["u", "v"], true);
    }
    // The index lists them in the order of their bytes, so this one is in the last part.
    let last = "s999";
    let begin = Instant::now();
    // All are known when the second one is called.
    bench.everywhere(0, COUNT, &[], &[]);
    assert_eq!(counted(&mut bench, 0).await, 2 * FRONTENDS as u64);
    bench.everywhere(1, LEAVE, &["u"], &[]);
    bench.add_on(2, last, false);
    bench.everywhere(3, COUNT, &[], &[]);
    let expected = [None, None, Some(FRONTENDS as u64 + 1)];
    assert_eq!(answers(&mut bench, 3).await, expected);
    assert!(begin.elapsed() > 4000 * MS, "{:?}", begin.elapsed());
    let keys = |batch: &Vec<String>| -> usize {
        let keys = batch.iter().map(|text| text.split(' ').count() - 1);
        keys.sum()
    };
    let most = sent(&store).iter().map(keys).max();
    // With a read of the index, and a call about one frontend.
    assert!(most.is_some_and(|most| most <= MOST_KEYS + 2), "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_in_parts_over_the_next_connection_and_later_calls_come_after_it() {
    // The first operation takes three batches, and the next one is lost in its second part.
    let fates = [vec![Fate::Good(1); 4], vec![Fate::Breaks(0)]].concat();
    let store = Store::new([Dial::Up(fates, true), Dial::Up(vec![Fate::Breaks(1)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for sid in 0..=MOST_KEYS {
        put(&store, &format!("s{sid}"), &["u"], true);
    }
    bench.everywhere(0, COUNT, &[], &[]);
    assert_eq!(counted(&mut bench, 0).await, MOST_KEYS as u64 + 1);
    bench.everywhere(1, LEAVE, &["u"], &[]);
    bench.add_on(2, "s0", false);
    bench.everywhere(3, COUNT, &[], &[]);
    assert_eq!(answers(&mut bench, 3).await, [None, None, Some(1)]);
    assert_eq!(left(&store), ["P:n:s0"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_on_behind_later_calls_is_answered_within_its_own_time() {
    let good = vec![Fate::Good(1), Fate::Good(600), Fate::Hangs];
    let store = Store::new([]);
    let mut bench = with_old(&store, [vec![Fate::Good(1)], good].concat(), limits()).await;
    bench.everywhere(0, COUNT, &[], &[]);
    assert_eq!(counted(&mut bench, 0).await, 1);
    put(&store, "gone", &["u"], true);
    let begin = Instant::now();
    bench.everywhere(1, COUNT, &[], &[]);
    sleep(300 * MS).await;
    bench.call(2, &read("k"));
    let (seq, reply) = bench.answer().await;
    let code = reply.unwrap_err().code();
    assert_eq!((seq, code), (1, "ERR_GLOBAL_CHANNEL_TIMEOUT"));
    assert!(begin.elapsed() < 1010 * MS, "{:?}", begin.elapsed());
}
