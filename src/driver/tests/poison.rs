//! A call that makes the store close the connection, each time: the others do not suffer with it.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use tokio::time::Instant;

use super::{MS, bench::Bench, limits};
use crate::{
    command::{Command, Reply, Value},
    driver::Limits,
    error::Result,
    scripted_store::{Dial, Fate, Store, add, members, read},
};

const DISCONNECTED: &str = "ERR_GLOBAL_CHANNEL_DISCONNECTED";

fn poisoned(dials: Vec<Dial>) -> std::sync::Arc<Store> {
    let store = Store::new(dials);
    store.0.lock().unwrap().poison = Some(b"poison".to_vec());
    store
}

/// Calls all in one go; the answers in their order, and how long that took.
async fn call_all(commands: &[Command], limits: Limits) -> (Vec<Result<Reply>>, Duration, usize) {
    let store = poisoned(vec![Dial::Up(vec![], true); 1000]);
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    let begin = Instant::now();
    for (seq, command) in commands.iter().enumerate() {
        bench.call(seq as u64, command);
    }
    let mut answers = Vec::new();
    for seq in 0..commands.len() {
        let (answered, reply) = bench.answer().await;
        assert_eq!(answered, seq as u64, "in call order, each once");
        answers.push(reply);
    }
    let connections = 1000 - store.0.lock().unwrap().dials.len();
    (answers, begin.elapsed(), connections)
}

#[tokio::test(start_paused = true)]
async fn it_is_found_and_all_others_are_done() {
    // In one batch, over several, and alone.
    for (count, at) in [(100, 50), (100, 0), (100, 99), (5000, 3000), (1, 0)] {
        for command_timeout in [Some(5000 * MS), None] {
            let limits = Limits {
                command_timeout,
                ..limits()
            };
            let mut commands: Vec<_> = (0..count).map(|i| add("k", &i.to_string())).collect();
            commands[at] = add("k", "poison");
            let (answers, took, connections) = call_all(&commands, limits).await;
            for (i, answer) in answers.into_iter().enumerate() {
                if i == at {
                    let error = answer.unwrap_err();
                    assert_eq!(error.code(), DISCONNECTED);
                    let cause = error.cause().unwrap_or_default();
                    assert!(
                        cause.contains("this call") && cause.contains("broken"),
                        "{cause}"
                    );
                } else {
                    assert_eq!(answer, Ok(Reply::Done), "{i} of {count}");
                }
            }
            assert!(took < 4000 * MS, "{took:?} for {at} of {count}");
            assert!(
                connections <= 7,
                "{connections} connections for {at} of {count}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_breaks_the_connection_a_few_times_has_no_such_call() {
    for count in [1, 2, 100] {
        let store = Store::new(vec![Dial::Up(vec![Fate::Breaks(0)], true); 3]);
        let mut bench = Bench::start(&store, limits());
        bench.started().await;
        for seq in 0..count {
            bench.call(seq, &add("k", "a"));
        }
        for seq in 0..count {
            assert_eq!(bench.answer().await, (seq, Ok(Reply::Done)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_such_a_store_a_burst_is_soon_as_fast_as_before() {
    const CALLS: u64 = 20_000;
    let far = Dial::Up(vec![Fate::Good(20); 2000], true);
    let breaks = Dial::Up(vec![Fate::Breaks(0)], true);
    let store = Store::new([breaks.clone(), breaks, far]);
    let mut bench = Bench::start(
        &store,
        Limits {
            command_timeout: Some(5000 * MS),
            ..limits()
        },
    );
    bench.started().await;
    for seq in 0..CALLS {
        bench.call(seq, &add("k", "a"));
    }
    for seq in 0..CALLS {
        assert_eq!(bench.answer().await, (seq, Ok(Reply::Done)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever is called, and wherever such calls are among it: they fail, all others succeed, in their order.
    #[test]
    fn only_such_calls_fail(ops in prop::collection::vec((0..12u8, 0..40u64), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let limits = Limits { command_timeout: None, ..limits() };
        let call = |(op, member): &(u8, u64)| match op {
            0 if *member < 10 => add("k", "poison"),
            1..4 => read("k"),
            _ => add("k", &member.to_string()),
        };
        let commands: Vec<_> = ops.iter().map(call).collect();
        let (answers, ..) = runtime.block_on(call_all(&commands, limits));
        let mut added = BTreeSet::new();
        for (command, answer) in commands.iter().zip(answers) {
            match command.members().get(0) {
                Some(b"poison") => {
                    prop_assert_eq!(answer.unwrap_err().code(), DISCONNECTED);
                }
                Some(member) => {
                    added.insert(String::from_utf8(member.to_vec()).expect("text"));
                    prop_assert_eq!(answer, Ok(Reply::Done));
                }
                _ => {
                    // One that is sent again may show what was called after it.
                    let known: Vec<&str> = added.iter().map(String::as_str).collect();
                    let Ok(Reply::Values(values)) = answer else {
                        return Err(TestCaseError::fail("a read failed"));
                    };
                    let json = values[0].as_ref().ok().and_then(Value::list).expect("a list").json();
                    let missing = |member: &&str| !json.contains(&format!("\"{member}\""));
                    prop_assert!(!known.iter().any(missing), "{:?}", members(&known));
                }
            }
        }
    }
}
