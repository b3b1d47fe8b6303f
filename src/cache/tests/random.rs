//! Random programs, longer than the model can exhaust, in random orders of steps.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::world::{Move, Step, World, count, delete, leave_all, read, write};
use crate::command::Command;

fn call() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => prop::sample::select(vec!["k", "j", "l", "n"]).prop_map(read),
        4 => prop::sample::select(vec!["kj", "jl", "jkl"]).prop_map(read),
        2 => prop::sample::select(vec!['k', 'j', 'l', 'n']).prop_map(count),
        3 => prop::sample::select(vec!['k', 'j', 'l']).prop_map(write),
        1 => prop::sample::select(vec!["k", "kj", "jkl"]).prop_map(delete),
        1 => Just(()).prop_map(|()| leave_all()),
    ]
}

fn other() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => prop::sample::select(vec!['k', 'j', 'l']).prop_map(Move::Write),
        2 => prop::sample::select(vec!['k', 'j', 'l', 'n']).prop_map(Move::Remove),
        1 => Just(Move::Flush),
        1 => prop::sample::select(vec!['k', 'j']).prop_map(Move::Expire),
        1 => prop::sample::select(vec!['k', 'l']).prop_map(Move::Leave),
        1 => (prop::sample::select(vec!['k', 'l']), any::<bool>())
            .prop_map(|(key, exists)| Move::Return(key, exists)),
    ]
}

/// Takes steps as `choices` say, then what is left.
fn run(calls: Vec<Command>, moves: Vec<Move>, choices: &[u8]) -> World {
    let mut world = World::new(calls, moves);
    for choice in choices {
        let mut steps = world.steps();
        // Small batches are the interesting ones.
        steps.retain(|step| !matches!(step, Step::Form(4..)));
        let Some(step) = steps.get(usize::from(*choice) % steps.len().max(1)) else {
            break;
        };
        world.step(*step);
    }
    world.finish();
    world
}

fn case() -> impl Strategy<Value = (Vec<Command>, Vec<Move>, Vec<u8>)> {
    (
        prop::collection::vec(call(), 1..14),
        prop::collection::vec(other(), 0..8),
        prop::collection::vec(any::<u8>(), 0..120),
    )
}

/// The first of so many histories, always the same ones, that may not be.
pub(super) fn search(cases: usize) -> Option<String> {
    let mut runner = TestRunner::deterministic();
    (0..cases).find_map(|_| {
        let (calls, moves, choices) = case().new_tree(&mut runner).ok()?.current();
        run(calls, moves, &choices).verdict().err()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_every_call_is_answered_with_what_may_be_seen(
        (calls, moves, choices) in case(),
    ) {
        let world = run(calls, moves, &choices);
        world.verdict().map_err(TestCaseError::fail)?;
    }
}
