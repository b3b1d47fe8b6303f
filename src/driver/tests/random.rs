//! Random calls over connections that break, hang and refuse at random: what holds in every case.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use super::{MS, bench::Bench};
use crate::{
    command::{Reply, Value},
    driver::Event,
    driver::Limits,
    error::Result,
    scripted_pages::PageScript,
    scripted_store::{Dial, Fate, Store, add, read, remove},
};

#[derive(Debug, Clone)]
enum Op {
    Add(u8),
    Remove(u8),
    Read,
    Page,
    Pause(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..3u8).prop_map(Op::Add),
        3 => (0..3u8).prop_map(Op::Remove),
        2 => Just(Op::Read),
        1 => Just(Op::Page),
        2 => (0..700u64).prop_map(Op::Pause),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0..300u64).prop_map(Fate::Good),
        1 => (0..4usize).prop_map(Fate::Breaks),
        1 => Just(Fate::Hangs),
        1 => Just(Fate::Refuses),
    ]
}

fn dial() -> impl Strategy<Value = Dial> {
    prop_oneof![
        3 => (prop::collection::vec(fate(), 0..6), any::<bool>()).prop_map(|(f, b)| Dial::Up(f, b)),
        1 => Just(Dial::Down),
        // After the start a refusal is an outage like another: passwords are rotated.
        1 => Just(Dial::Refused),
    ]
}

/// How many batches are in flight, how long a step of a page takes, and after how many of them none is answered.
fn steps() -> impl Strategy<Value = (usize, u64, Option<usize>)> {
    let hangs = prop::option::weighted(0.2, 0..20usize);
    (prop_oneof![Just(1), Just(32)], 0..350u64, hangs)
}

/// Runs the calls and gives every answer, in the order of the answers.
async fn run(
    ops: &[Op],
    dials: Vec<Dial>,
    (depth, pause, hangs): (usize, u64, Option<usize>),
    drain: bool,
) -> Vec<(u64, Result<Reply>)> {
    let up = std::iter::once(Dial::Up(vec![], true));
    let store = Store::new(up.chain(dials));
    // The first connection is spent at once, so that the random ones are for the calls.
    store.0.lock().unwrap().dials[0] = Dial::Up(vec![Fate::Good(1), Fate::Breaks(0)], true);
    {
        let mut script = store.0.lock().unwrap();
        script.depth = depth;
        script.pages = PageScript {
            pause: Duration::from_millis(pause),
            width: 1,
            hangs,
            begun: 0,
        };
    }
    let limits = Limits {
        command_timeout: Some(1000 * MS),
        drain: if drain {
            Duration::from_secs(3600)
        } else {
            200 * MS
        },
        ..Limits::default()
    };
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    let mut seq = 0;
    for op in ops {
        let command = match op {
            Op::Add(member) => add("k", &member.to_string()),
            Op::Remove(member) => remove("k", &member.to_string()),
            Op::Read => read("k"),
            Op::Page => {
                bench.page(seq, "k", 10);
                seq += 1;
                continue;
            }
            Op::Pause(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                continue;
            }
        };
        bench.call(seq, &command);
        seq += 1;
    }
    bench.stop();
    let mut answers = Vec::new();
    loop {
        match bench.event().await {
            Some(Event::Answer(seq, reply)) => answers.push((seq, reply)),
            Some(Event::Stopped) => return answers,
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Each call has exactly one answer, whatever the connections do and whenever the stop comes; and a
    /// read or a page that was answered shows every member whose last call before it was acknowledged. (Where
    /// a later call has the opposite effect, a read that was sent again may show that already.)
    #[test]
    fn every_call_has_one_answer_and_acknowledged_writes_are_seen(
        ops in prop::collection::vec(op(), 0..60),
        dials in prop::collection::vec(dial(), 0..6),
        steps in steps(),
        drain in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let answers = runtime.block_on(run(&ops, dials, steps, drain));
        let count = answers.len();
        let mut answers: HashMap<u64, _> = answers.into_iter().collect();
        prop_assert_eq!(answers.len(), count, "a call was answered twice");

        // Per member: whether it is in; nothing where a call failed, which may or may not count.
        let mut known: HashMap<u8, Option<bool>> = HashMap::new();
        let calls: Vec<_> = ops.iter().filter(|op| !matches!(op, Op::Pause(_))).collect();
        for (seq, op) in (0..).zip(&calls) {
            let undone_later = |member: u8, is_in: bool| {
                calls[usize::try_from(seq).unwrap()..].iter().any(|later| match later {
                    Op::Add(other) => *other == member && !is_in,
                    Op::Remove(other) => *other == member && is_in,
                    _ => false,
                })
            };
            let answer = answers.remove(&seq);
            let Some(answer) = answer else {
                return Err(TestCaseError::fail(format!("call {seq} has no answer")));
            };
            match (op, answer) {
                (Op::Add(member), answer) => {
                    known.insert(*member, answer.is_ok().then_some(true));
                }
                (Op::Remove(member), answer) => {
                    known.insert(*member, answer.is_ok().then_some(false));
                }
                (_, Ok(Reply::Values(values))) => {
                    let list = values[0].as_ref().ok().and_then(Value::list).expect("a list");
                    for (member, is_in) in &known {
                        if let Some(is_in) = is_in && !undone_later(*member, *is_in) {
                            prop_assert_eq!(list.json().contains(&format!("\"{member}\"")), *is_in);
                        }
                    }
                }
                (Op::Page, Ok(Reply::Page(page))) => {
                    for (member, is_in) in &known {
                        if let Some(is_in) = is_in && !undone_later(*member, *is_in) {
                            let name = member.to_string().into_bytes();
                            prop_assert_eq!(page.names.contains(&name), *is_in);
                        }
                    }
                }
                (_, other) => prop_assert!(other.is_err()),
            }
        }
        prop_assert!(answers.is_empty(), "answers to calls that were not made");
    }
}
