//! Random steps on both sides.

use std::{io::Read as _, io::Write as _, sync::mpsc::channel};

use proptest::{collection::vec, prelude::*};

use super::bench::Bench;
use crate::lone_socket::LoneSocket;

/// What is done with a socket.
#[derive(Debug, Clone)]
enum Step {
    /// The peer sends so many bytes.
    Peer(usize),
    /// The task sends so many.
    Task(usize),
    Detach,
    Read,
    Attach,
    Reclaim,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_usize..3000).prop_map(Step::Peer),
        1 => (30_000_usize..60_000).prop_map(Step::Peer),
        4 => (1_usize..3000).prop_map(Step::Task),
        6 => Just(Step::Detach),
        6 => Just(Step::Read),
        1 => Just(Step::Attach),
        1 => Just(Step::Reclaim),
    ];
    vec(step, 1..40)
}

/// Returns the bytes of a stream of numbers from one place to another.
fn numbers(from: usize, to: usize) -> Vec<u8> {
    let byte = |place: usize| u8::try_from(place % 251).unwrap_or_default();
    (from..to).map(byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whenever it is moved, and however the bytes are divided, all of them come, once and in order.
    #[test]
    fn no_byte_is_lost_between_the_sides(steps in steps()) {
        let mut bench = Bench::new();
        let (mut sent, mut said) = (0, 0);
        let mut twins = Vec::new();
        // It waits while the other side does not read.
        let (pass, passed) = channel::<Vec<u8>>();
        let mut to = bench.peer.try_clone().expect("a socket");
        let sender = std::thread::spawn(move || passed.iter().all(|bytes| to.write_all(&bytes).is_ok()));
        for step in steps {
            match step {
                Step::Peer(size) => {
                    pass.send(numbers(sent, sent + size)).expect("a thread");
                    sent += size;
                }
                Step::Task(size) => {
                    bench.say.send(numbers(said, said + size)).expect("a task");
                    said += size;
                }
                // As the driver does it, with the task in its hands.
                Step::Detach => {
                    twins.extend(bench.within(LoneSocket::detach));
                    bench.poll();
                }
                Step::Read => {
                    if bench.socket.is_detached() && !bench.within(LoneSocket::read) {
                        bench.within(LoneSocket::attach);
                    }
                }
                Step::Attach => bench.within(LoneSocket::attach),
                Step::Reclaim => bench.within(|socket| socket.reclaim(|| ())),
            }
        }
        bench.within(|socket| socket.reclaim(|| ()));
        drop(pass);
        prop_assert_eq!(bench.heard(sent), numbers(0, sent));
        prop_assert!(sender.join().expect("a thread"));
        let mut got = vec![0; said];
        bench.peer.read_exact(&mut got).expect("written");
        prop_assert_eq!(got, numbers(0, said));
        prop_assert_eq!(bench.came(), 0);
    }
}
