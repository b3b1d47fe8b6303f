//! Operations on all frontends: the index is written before members are added, and what it names is found, in call order.

use tokio::time::{Instant, sleep};

use super::{MS, bench::Bench, limits};
use crate::{
    command::{Op, ReadOp, Reply, Request, Value, WriteOp},
    scripted_store::{Dial, Fate, Store, add, members, read},
};

pub(super) const COUNT: Op = Op::Read(ReadOp::Count);
pub(super) const LEAVE: Op = Op::Write(WriteOp::Remove);

/// Puts members there as another process does, which writes the index first.
pub(super) fn put(store: &Store, sid: &str, uids: &[&str], indexed: bool) {
    let sets = &mut store.0.lock().unwrap().sets;
    if indexed {
        let index = sets.entry(b"P@sids".to_vec()).or_default();
        index.insert(sid.as_bytes().to_vec());
    }
    let set = sets.entry(format!("P:n:{sid}").into_bytes()).or_default();
    set.extend(uids.iter().map(|uid| uid.as_bytes().to_vec()));
}

pub(super) fn left(store: &Store) -> Vec<String> {
    let sets = &store.0.lock().unwrap().sets;
    let keys = sets.keys().filter(|key| key.starts_with(b"P:"));
    keys.map(|key| String::from_utf8_lossy(key).into_owned())
        .collect()
}

/// The commands that were executed, batch by batch: `SADD P:n:s1`.
pub(super) fn sent(store: &Store) -> Vec<Vec<String>> {
    let batches = &store.0.lock().unwrap().batches;
    let text = |request: &Request| {
        let command = request.command().expect("a command");
        let keys = command
            .keys()
            .iter()
            .map(|key| String::from_utf8_lossy(key));
        let keys: Vec<_> = keys.collect();
        format!("{} {}", command.op().redis_name(), keys.join(" "))
    };
    batches
        .iter()
        .map(|batch| batch.iter().map(text).collect())
        .collect()
}

/// The answers to this number of calls, in the order of the calls; a count is a number.
pub(super) async fn answers(bench: &mut Bench, count: usize) -> Vec<Option<u64>> {
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(bench.answer().await);
    }
    answers.sort_unstable_by_key(|(seq, _)| *seq);
    let number = |(_, reply)| match reply {
        Ok(Reply::Values(values)) => Some(values.iter().flatten().filter_map(Value::int).sum()),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    };
    answers.into_iter().map(number).collect()
}

/// The number that a count has answered.
pub(super) async fn counted(bench: &mut Bench, seq: u64) -> u64 {
    match bench.answer().await {
        (number, Ok(Reply::Values(values))) if number == seq => {
            values.iter().flatten().filter_map(Value::int).sum()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_index_is_written_in_front_of_an_add_and_again_at_the_next_connection() {
    let store = Store::new([Dial::Up(vec![Fate::Good(1), Fate::Breaks(1)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.add_on(0, "s1", true);
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    bench.add_on(1, "s1", false);
    bench.add_on(2, "s2", true);
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (2, Ok(Reply::Done)));
    // One write has all of them.
    let again = ["SADD P@sids", "SADD P:n:s1", "SADD P:n:s2"];
    assert_eq!(
        sent(&store),
        [
            &["SADD P@sids", "SADD P:n:s1"][..],
            &["SADD P:n:s1"],
            &again
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_index_names_is_asked_besides_and_in_a_second_round_only_then() {
    let store = Store::new([]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "s1", &["a"], true);
    put(&store, "gone", &["a", "b"], true);
    bench.everywhere(0, COUNT, &[], &["s1"]);
    assert_eq!(counted(&mut bench, 0).await, 3);
    put(&store, "gone", &["c"], true);
    let before = sent(&store).len();
    bench.everywhere(1, COUNT, &[], &["s1"]);
    assert_eq!(counted(&mut bench, 1).await, 4);
    let sent = sent(&store).split_off(before);
    assert_eq!(sent, [["SMEMBERS P@sids", "SCARD P:n:s1 P:n:gone"]]);
}

#[tokio::test(start_paused = true)]
async fn the_first_one_finds_what_no_index_names() {
    let store = Store::new([]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "old", &["a"], false);
    put(&store, "older", &["b"], false);
    bench.everywhere(0, COUNT, &[], &[]);
    bench.call(1, &read("P:n:old"));
    assert_eq!(bench.answer().await, (1, Ok(members(&["a"]))));
    assert_eq!(counted(&mut bench, 0).await, 2);
    // Together they read the index once.
    let before = sent(&store).len();
    bench.everywhere(2, COUNT, &[], &[]);
    bench.everywhere(3, LEAVE, &["a"], &[]);
    assert_eq!(counted(&mut bench, 2).await, 2);
    assert_eq!(bench.answer().await, (3, Ok(Reply::Done)));
    assert_eq!(left(&store), ["P:n:older"]);
    let batches = sent(&store).split_off(before);
    let reads = batches
        .iter()
        .flatten()
        .filter(|text| text.contains("@sids"));
    assert_eq!(reads.count(), 1, "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_scan_delays_only_calls_about_frontends_that_are_unknown() {
    let store = Store::new([]);
    store.0.lock().unwrap().scan_pause = 400 * MS;
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    for old in 0..20 {
        put(&store, &format!("old-{old}"), &["a"], false);
    }
    let begin = Instant::now();
    bench.everywhere(0, COUNT, &[], &["s1"]);
    bench.add_on(1, "s1", true);
    sleep(50 * MS).await;
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert!(begin.elapsed() < 100 * MS, "{:?}", begin.elapsed());
    // Its time begins when the scan is over.
    bench.add_on(2, "new", true);
    assert_eq!(answers(&mut bench, 2).await, [Some(20), None]);
    assert!(begin.elapsed() > 4000 * MS, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn later_calls_about_a_frontend_that_was_unknown_come_after_it() {
    let store = Store::new([Dial::Up(vec![Fate::Good(10); 20], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "gone", &["u"], true);
    // The scan of the first one is over, and "new" is not known.
    bench.everywhere(0, COUNT, &[], &[]);
    assert_eq!(counted(&mut bench, 0).await, 1);
    put(&store, "new", &["u"], true);
    bench.everywhere(1, LEAVE, &["u"], &["s1"]);
    bench.add_on(2, "s1", true);
    sleep(MS).await;
    bench.add_on(3, "new", true);
    assert_eq!(answers(&mut bench, 3).await, [None; 3]);
    assert_eq!(left(&store), ["P:n:new", "P:n:s1"]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_over_the_next_connection() {
    let fates = vec![Fate::Breaks(2)];
    let store = Store::new([Dial::Up(fates, true), Dial::Up(vec![Fate::Breaks(1)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "s1", &["a"], true);
    put(&store, "gone", &["a"], true);
    put(&store, "old", &["a"], false);
    bench.everywhere(0, COUNT, &[], &["s1"]);
    bench.everywhere(1, LEAVE, &["a"], &["s1"]);
    bench.everywhere(2, COUNT, &[], &["s1"]);
    assert_eq!(answers(&mut bench, 3).await, [Some(3), None, Some(0)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_it_and_its_time_is_limited() {
    let store = Store::new([]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "old", &["a"], false);
    bench.everywhere(0, COUNT, &[], &[]);
    bench.stop();
    assert_eq!(counted(&mut bench, 0).await, 1);

    let fates = vec![Fate::Good(1), Fate::Hangs];
    let store = Store::new([Dial::Up(fates, true), Dial::Up(vec![Fate::Hangs], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "gone", &["a"], true);
    bench.everywhere(0, COUNT, &[], &[]);
    let begin = Instant::now();
    let (seq, reply) = bench.answer().await;
    assert_eq!(
        (seq, reply.unwrap_err().code()),
        (0, "ERR_GLOBAL_CHANNEL_TIMEOUT")
    );
    assert!(begin.elapsed() < 1100 * MS, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn channels_go_on_every_frontend_and_what_is_called_later_stays() {
    let store = Store::new([]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    put(&store, "old", &["a"], false);
    put(&store, "h:1", &["a"], true);
    put(&store, "x:y", &["a"], false);
    bench.call(0, &add("P:m:s1", "a"));
    bench.destroy(1, &["s1"]);
    bench.call(2, &add("P:n:s1", "b"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (1, Ok(Reply::Done)));
    assert_eq!(bench.answer().await, (2, Ok(Reply::Done)));
    // The key of channel n on x:y, which no index names, is that of channel n:x on y.
    assert_eq!(left(&store), ["P:m:s1", "P:n:s1", "P:n:x:y"]);
}
