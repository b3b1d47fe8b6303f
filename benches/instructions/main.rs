//! The hot paths of the core, each driven a fixed number of times with fixed inputs, for
//! scripts/instructions.js, which runs one path after the other under callgrind and compares the
//! instructions with those recorded. Here: the list of paths, what is counted, and the paths that need
//! no fixture; those of the member cache are in [`session`], those of the driver in [`driver`].
//!
//! A plain program and not gungraun (formerly iai-callgrind): that would bring 18 crates, a runner
//! of the very same version with 195 to be installed beside it, and still leave the comparison
//! with committed counts to us. What we need of callgrind is one number per path.

mod driver;
mod session;

use std::hint::black_box;

use globalchannel::{
    command::{Command, Member, WriteOp},
    keys::{Key, KeyLayout},
    list::List,
    packed::Packed,
};

/// How often each path is driven. Enough to level what hash tables with random seeds cost.
const ROUNDS: usize = 16;

struct Path {
    name: &'static str,
    /// What the instructions are divided by: items of one round.
    items: usize,
    run: fn(),
}

const PATHS: &[Path] = &[
    path("key-1000", 1000, keys),
    path("pack-512-adds", 512, pack),
    path("unpack-512-adds", 512, unpack),
    path("list-1000-plain", 1000, list_plain),
    path("list-1000-escaped", 1000, list_escaped),
    path("session-64-cached-reads", 64, session::cached_reads),
    path(
        "session-64-cached-pushes-3-keys",
        64,
        session::cached_pushes,
    ),
    path("session-512-adds", 512, session::adds),
    path("session-64-loads-of-100", 64, session::loads),
    path("invalidate-100-of-10000", 100, session::invalidations),
    path("driver-512-adds", 512, driver::adds),
];

const fn path(name: &'static str, items: usize, run: fn()) -> Path {
    Path { name, items, run }
}

/// Drives the path of this name, or lists all: name, items in all rounds.
fn main() {
    let name = std::env::args().nth(1);
    match PATHS.iter().find(|path| Some(path.name) == name.as_deref()) {
        Some(path) => (path.run)(),
        None => PATHS
            .iter()
            .for_each(|path| println!("{} {}", path.name, path.items * ROUNDS)),
    }
}

/// Runs the part of a path that is counted: callgrind finds this function by its name. The caller drops the result,
/// uncounted, because in the addon it is dropped outside the core.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

fn uid(number: usize) -> Member {
    format!("user{number:012}").into_bytes()
}

fn key(channel: usize, frontend: usize) -> Key {
    let (name, sid) = (
        format!("channel-{channel:05}"),
        format!("connector-{frontend}"),
    );
    KeyLayout::new("").key(&name, &sid)
}

/// Makes commands that each add another user, to 64 channels in turn.
fn add_commands(count: usize) -> Vec<Command> {
    let add = |number| Command::write_members(WriteOp::Add, key(number % 64, 1), [uid(number)]);
    (0..count).map(add).collect()
}

fn keys() {
    let layout = KeyLayout::new("");
    for _ in 0..ROUNDS {
        measured(|| {
            for _ in 0..1000 {
                black_box(layout.key(black_box("channel-00001"), black_box("connector-1")));
            }
        });
    }
}

fn pack() {
    let commands = add_commands(512);
    let mut packed = Packed::default();
    for _ in 0..ROUNDS {
        measured(|| {
            for (seq, command) in (0..).zip(&commands) {
                packed.push(seq, command);
            }
        });
        let _ = packed.unpack(|_, _, _| ());
    }
}

fn unpack() {
    let commands = add_commands(512);
    let mut packed = Packed::default();
    for _ in 0..ROUNDS {
        for (seq, command) in (0..).zip(&commands) {
            packed.push(seq, command);
        }
        let mut unpacked = Vec::with_capacity(512);
        measured(|| packed.unpack(|seq, _, request| unpacked.push((seq, request))));
    }
}

fn list_plain() {
    list(&(0..1000).map(uid).collect::<Vec<_>>());
}

fn list_escaped() {
    let member = |number| format!("\"u\" \\{number:08}\n\u{e9}").into_bytes();
    list(&(0..1000).map(member).collect::<Vec<_>>());
}

fn list(members: &[Member]) {
    for _ in 0..ROUNDS {
        let list = measured(|| List::new(black_box(members)));
        assert_eq!(list.map(|list| list.len()), Ok(members.len()));
    }
}
