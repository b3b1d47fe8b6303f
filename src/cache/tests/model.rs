//! A bounded model of the rules: for small programs of our calls and other clients' moves, every order in which they,
//! the server and the socket can take their steps.

use super::world::{Move, Step, World, count, delete, leave_all, read, write};
use crate::command::Command;

/// Goes through every order of the steps; the first history that may not be.
fn explore(world: World, visited: &mut u64) -> Result<(), String> {
    let steps = world.steps();
    let Some((last, others)) = steps.split_last() else {
        *visited += 1;
        return world.verdict();
    };
    let mut take = |mut world: World, step: Step| {
        world.step(step);
        explore(world, visited).map_err(|what| format!("{step:?}\n{what}"))
    };
    for step in others {
        take(world.clone(), *step)?;
    }
    // Mostly there is one step only, and most of the time would be spent on copies.
    take(world, *last)
}

/// What we call. Keys j, k and l are in memory, l is empty; m is not in memory, but was read before.
fn programs() -> Vec<Vec<Command>> {
    let calls = || {
        [
            read("k"),
            read("kj"),
            read("l"),
            read("m"),
            write('k'),
            delete("kj"),
        ]
    };
    let mut programs: Vec<Vec<Command>> = calls().map(|call| vec![call]).into();
    programs.push(vec![read("kl")]);
    for call in [read("k"), read("kj"), write('k'), delete("kj"), count('k')] {
        programs.push(vec![call.clone(), count('k')]);
        programs.push(vec![count('k'), call]);
    }
    for call in [read("k"), read("kj"), read("m"), write('k')] {
        programs.push(vec![call.clone(), leave_all()]);
        programs.push(vec![leave_all(), call]);
    }
    for first in calls() {
        programs.extend(calls().map(|second| vec![first.clone(), second]));
    }
    programs
}

fn moves() -> Vec<Vec<Move>> {
    use Move::{Expire, Flush, Leave, Remove, Return, Write};
    vec![
        vec![Write('k')],
        vec![Write('j')],
        vec![Write('l')],
        vec![Write('m')],
        vec![Flush],
        vec![Expire('k')],
        vec![Write('k'), Write('k')],
        vec![Write('k'), Write('j')],
        vec![Flush, Write('m')],
        vec![Expire('k'), Write('l')],
        vec![Remove('m')],
        vec![Remove('k'), Write('k')],
        vec![Leave('k')],
        vec![Leave('l')],
        vec![Leave('k'), Return('k', true)],
        vec![Leave('k'), Return('k', false)],
        vec![Leave('l'), Return('l', true)],
    ]
}

/// How many histories there are, or the first that may not be.
pub(super) fn check() -> Result<u64, String> {
    let mut visited = 0;
    for calls in programs() {
        for moves in moves() {
            // The longest ones are left to the random tests, but for what a load meets.
            if calls.len() + moves.len() > 3 && calls != [read("m"), read("m")] {
                continue;
            }
            // For a key whose slot is elsewhere each answer is the same, whatever else is called.
            if calls.len() > 1 && moves.iter().any(|of| matches!(of, Move::Leave(_))) {
                continue;
            }
            let world = World::new(calls.clone(), moves.clone());
            explore(world, &mut visited)
                .map_err(|what| format!("{calls:?} against {moves:?}:\n{what}"))?;
        }
    }
    Ok(visited)
}

#[test]
fn no_order_of_steps_shows_what_may_not_be_seen() {
    let visited = check().unwrap_or_else(|what| panic!("{what}"));
    assert!(visited > 10_000, "only {visited} histories");
}
