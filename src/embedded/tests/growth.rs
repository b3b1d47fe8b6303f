//! Batches whose transaction finds no room in the map: it is repeated with a larger one, without an effect on the
//! answers or on the lists in memory.

use std::fs;

use super::{
    histories::verdict,
    world::{add, run},
};
use crate::command::{Command, Member, ReadOp, WriteOp};

/// More than twice the room that a store begins with, in parts that are smaller than what a batch adds
/// to it, so that it is outgrown in the middle of batches.
const BATCHES: usize = 60;

fn large(batch: usize, part: usize) -> Command {
    let uid = |n: usize| -> Member { format!("{batch}-{part}-{n:0>480}").into_bytes() };
    let key = format!("large:{batch}-{part}").into_bytes();
    Command::write_members(WriteOp::Add, key, (0..300).map(uid))
}

fn read(keys: &[&str]) -> Command {
    let keys = keys.iter().map(|&key| key.into()).collect();
    Command::read(ReadOp::Members, keys)
}

#[test]
fn a_batch_that_outgrows_the_map_takes_effect_once_and_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut batches = Vec::new();
    for batch in 0..BATCHES {
        let uid = format!("{batch}");
        let mut commands = Vec::new();
        for part in 0..4 {
            commands.extend([
                // Read before it is changed, in between, and after.
                read(&["k", "l"]),
                add("k", &[&format!("{uid}-{part}")]),
                large(batch, part),
                read(&["k"]),
                Command::write_members(WriteOp::Remove, b"k".to_vec(), [uid.clone().into_bytes()]),
                add("l", &[&uid]),
            ]);
        }
        let keys = vec![b"l".to_vec()];
        commands.extend([Command::write(WriteOp::Delete, keys), add("l", &[&uid])]);
        batches.push((0, commands));
        // Of those who have a memory of their own, or none.
        for connection in [1, 3, 0] {
            batches.push((connection, vec![read(&["k", "l"])]));
        }
    }
    let outcome = run(verdict(folder.path(), batches));
    assert_eq!(outcome, Ok(()));
    let data = fs::metadata(folder.path().join("a/data.mdb")).expect("it is there");
    assert!(data.len() > 33 << 20, "{} bytes", data.len());
}
