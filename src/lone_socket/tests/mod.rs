//! What each side reads and writes of a socket over loopback, and what it leaves to the other.

mod bench;
mod random;

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
};

use self::bench::{Bench, DEADLINE, News, until};
use super::{LoneSocket, MOST};

#[test]
fn on_this_side_it_is_read_when_it_is_asked_to_be() {
    let (mut bench, twin) = Bench::detached();
    assert!(bench.socket.is_detached());
    for part in [&b"a"[..], b"bc"] {
        bench.receive(&twin, part);
        assert_eq!(bench.came(), 0, "the runtime does not read it");
        assert!(bench.read());
        assert_eq!(bench.news.try_recv(), Ok(News::Came(part.to_vec())));
    }
    assert!(bench.read(), "nothing is all there is");
    assert_eq!(bench.came(), 0);
    bench.within(LoneSocket::attach);
    assert!(!bench.socket.is_detached());
    bench.peer.write_all(b"def").expect("connected");
    assert_eq!(bench.heard(3), b"def");
}

#[test]
fn on_this_side_it_is_written_by_who_polls_the_task() {
    let (mut bench, _twin) = Bench::detached();
    let mut loan = bench.socket.task.borrow().expect("it is free");
    bench.say.send(b"get".to_vec()).expect("a task");
    loan.poll();
    let mut got = [0; 3];
    bench.peer.read_exact(&mut got).expect("written");
    assert_eq!(&got, b"get");
    // It is read by the thread that polls it.
    assert!(!bench.socket.read());
}

#[test]
fn it_is_taken_back_after_what_has_come_was_read() {
    let (mut bench, twin) = Bench::detached();
    bench.receive(&twin, b"reply");
    let mut came = 0;
    bench.within(|socket| socket.reclaim(|| came += 1));
    assert_eq!(bench.news.try_recv(), Ok(News::Came(b"reply".to_vec())));
    assert!(!bench.socket.is_detached());
    bench.within(|socket| socket.reclaim(|| came += 1));
    assert_eq!(came, 1, "the runtime had it already");
    drop(twin);
    let _twin = bench.within(LoneSocket::detach).expect("a descriptor");
    bench.within(|socket| socket.reclaim(|| came += 1));
    assert_eq!(came, 1, "nothing has come");
}

#[test]
fn of_a_long_reply_a_part_is_read_here() {
    let (mut bench, twin) = Bench::detached();
    let reply = vec![7; 3 * MOST];
    bench.receive(&twin, &reply);
    // The receive buffer may hold less.
    while bench.read() {
        until(|| twin.peek(&mut [0]).is_ok());
    }
    let here = bench.came();
    assert!(here > 0 && here <= MOST, "{here}");
    bench.within(LoneSocket::attach);
    assert_eq!(bench.heard(reply.len() - here).len(), reply.len() - here);
}

#[test]
fn so_it_is_with_one_that_comes_slowly() {
    let (mut bench, twin) = Bench::detached();
    let part = vec![7; 1000];
    let (mut sent, mut here) = (0, 0);
    loop {
        bench.receive(&twin, &part);
        sent += part.len();
        let is_all = bench.read();
        here += bench.came();
        assert!(here <= MOST, "{here}");
        if !is_all {
            break;
        }
    }
    bench.within(LoneSocket::attach);
    assert_eq!(bench.heard(sent - here).len(), sent - here);
}

#[test]
fn many_short_replies_are_no_long_one() {
    let (mut bench, twin) = Bench::detached();
    let part = vec![7; 1000];
    for _ in 0..2 * MOST / part.len() {
        bench.receive(&twin, &part);
        assert!(bench.read());
        bench.socket.answered();
    }
}

#[test]
fn its_end_is_read_on_this_side() {
    let (bench, twin) = Bench::detached();
    bench.peer.shutdown(Shutdown::Write).expect("connected");
    until(|| twin.peek(&mut [0]).is_ok());
    let _ = bench.read();
    assert_eq!(bench.news.try_recv(), Ok(News::Ended));
}

#[test]
fn what_came_before_a_write_failed_is_read_first() {
    let (mut bench, twin) = Bench::detached();
    bench.receive(&twin, b"reply");
    // From now on writing fails, and reading does not.
    twin.shutdown(Shutdown::Write).expect("connected");
    bench.say.send(b"get".to_vec()).expect("a task");
    bench.poll();
    let news = [(); 2].map(|()| bench.news.recv_timeout(DEADLINE));
    let expected = [News::Came(b"reply".to_vec()), News::WriteFailed];
    assert_eq!(news, expected.map(Ok));
}

#[test]
fn what_the_network_does_not_take_is_left_to_the_runtime() {
    let (mut bench, _twin) = Bench::detached();
    let long = vec![7; 32 << 20];
    bench.say.send(long.clone()).expect("a task");
    until(|| {
        bench.poll();
        !bench.socket.is_detached()
    });
    let mut got = vec![0; long.len()];
    bench.peer.read_exact(&mut got).expect("written");
    assert_eq!(got, long);
}

#[test]
fn its_descriptor_on_this_side_does_not_keep_it_open() {
    let (mut bench, twin) = Bench::detached();
    bench.peer.shutdown(Shutdown::Write).expect("connected");
    until(|| twin.peek(&mut [0]).is_ok());
    let _ = bench.read();
    // The task has ended, and with it the stream.
    assert_eq!(bench.peer.read(&mut [0]).expect("an end"), 0);
    assert!(!bench.socket.is_detached());
    assert!(bench.within(LoneSocket::detach).is_err());
}
