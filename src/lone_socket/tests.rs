//! A socket on either side, over loopback, with a task that writes what it is given and passes on what it reads.

use std::{
    future::poll_fn,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener},
    pin::Pin,
    sync::mpsc::{Receiver, channel},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use proptest::{collection::vec, prelude::*};
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::*;
use crate::runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(20);

/// What the task tells of.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Came(Vec<u8>),
    Ended,
    WriteFailed,
}

struct Bench {
    socket: LoneSocket,
    peer: Detached,
    /// To the task, for the peer.
    say: UnboundedSender<Vec<u8>>,
    news: Receiver<News>,
    runtime: Arc<Runtime>,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::share().expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = Detached::connect(listener.local_addr().expect("an address")).expect("accepted");
        own.set_nonblocking(true).expect("a socket");
        let (peer, _) = listener.accept().expect("a peer");
        peer.set_read_timeout(Some(DEADLINE)).expect("a socket");
        peer.set_write_timeout(Some(DEADLINE)).expect("a socket");
        let context = runtime.enter();
        let stream = LoneStream::new(TcpStream::from_std(own).expect("a socket"));
        drop(context);
        let socket = stream.socket();
        let (say, said) = unbounded_channel();
        let (tell, news) = channel();
        let mut wire = Talk {
            stream,
            said,
            rest: Vec::new(),
            given: 0,
        };
        let run = async move {
            loop {
                let heard = poll_fn(|cx| wire.poll(cx)).await;
                let is_last = !matches!(heard, News::Came(_));
                let _ = tell.send(heard);
                if is_last {
                    return;
                }
            }
        };
        let task = SharedTask::new(run.boxed());
        runtime.spawn(task.runner(|| ()));
        Self {
            socket: LoneSocket::new(socket, task),
            peer,
            say,
            news,
            runtime,
        }
    }

    /// Moves the socket to this thread, after its task has registered it with the runtime, and waits until no other thread
    /// polls that.
    fn detached() -> (Self, Detached) {
        let mut bench = Self::new();
        bench.peer.write_all(b"hello").expect("connected");
        assert_eq!(bench.heard(5), b"hello");
        let twin = bench.within(LoneSocket::detach).expect("a descriptor");
        bench.until_free();
        (bench, twin)
    }

    fn within<T>(&self, each: impl FnOnce(&LoneSocket) -> T) -> T {
        let _context = self.runtime.enter();
        each(&self.socket)
    }

    /// Lets the peer send bytes, and waits until they are there to be read.
    fn receive(&mut self, twin: &Detached, bytes: &[u8]) {
        self.peer.write_all(bytes).expect("connected");
        until(|| twin.peek(&mut [0]).is_ok());
    }

    /// Polls the task on this thread.
    fn poll(&self) {
        let _context = self.runtime.enter();
        until(|| {
            let loan = self.socket.task.borrow();
            loan.map(|mut loan| loan.poll()).is_some()
        });
    }

    /// Waits until no other thread polls the task: what it tells comes before its poll has ended.
    fn until_free(&self) {
        until(|| self.socket.task.borrow().is_some());
    }

    /// Reads what has come, when no other thread polls the task.
    fn read(&self) -> bool {
        self.until_free();
        self.within(LoneSocket::read)
    }

    /// Returns what the task has read, which is to be so many bytes.
    fn heard(&self, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            match self.news.recv_timeout(DEADLINE) {
                Ok(News::Came(bytes)) => all.extend(bytes),
                other => panic!("{other:?} after {} of {length} bytes", all.len()),
            }
        }
        all
    }

    /// Returns how many bytes the task has read meanwhile.
    fn came(&self) -> usize {
        let all = self.news.try_iter().map(|news| match news {
            News::Came(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        });
        all.sum()
    }
}

/// The task.
struct Talk {
    stream: LoneStream,
    said: UnboundedReceiver<Vec<u8>>,
    rest: Vec<u8>,
    /// How many bytes of it are written.
    given: usize,
}

impl Talk {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        loop {
            if self.given == self.rest.len() {
                let Poll::Ready(Some(said)) = self.said.poll_recv(cx) else {
                    break;
                };
                (self.rest, self.given) = (said, 0);
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.rest[self.given..]) {
                Poll::Ready(Ok(size)) => self.given += size,
                Poll::Ready(Err(_)) => return Poll::Ready(News::WriteFailed),
                Poll::Pending => break,
            }
        }
        let mut bytes = [0; 4096];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        Poll::Ready(match read {
            Ok(()) if !buffer.filled().is_empty() => News::Came(buffer.filled().to_vec()),
            _ => News::Ended,
        })
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "it never came");
        std::thread::yield_now();
    }
}

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
    // Whoever polls it reads.
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
