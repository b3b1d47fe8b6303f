//! A socket on either side, over loopback, with a task that writes what it is given and passes on what it reads.

use std::{
    future::poll_fn,
    io::Write as _,
    net::{TcpListener, TcpStream as Detached},
    pin::Pin,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{
    lone_socket::{LoneSocket, LoneStream},
    runtime::Runtime,
    shared_task::SharedTask,
};

pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// What the task tells of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Came(Vec<u8>),
    Ended,
    WriteFailed,
}

pub(super) struct Bench {
    pub(super) socket: LoneSocket,
    pub(super) peer: Detached,
    /// To the task, for the peer.
    pub(super) say: UnboundedSender<Vec<u8>>,
    pub(super) news: Receiver<News>,
    runtime: Arc<Runtime>,
}

impl Bench {
    pub(super) fn new() -> Self {
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
    pub(super) fn detached() -> (Self, Detached) {
        let mut bench = Self::new();
        bench.peer.write_all(b"hello").expect("connected");
        assert_eq!(bench.heard(5), b"hello");
        let twin = bench.within(LoneSocket::detach).expect("a descriptor");
        bench.until_free();
        (bench, twin)
    }

    pub(super) fn within<T>(&self, each: impl FnOnce(&LoneSocket) -> T) -> T {
        let _context = self.runtime.enter();
        each(&self.socket)
    }

    /// Lets the peer send bytes, and waits until they are there to be read.
    pub(super) fn receive(&mut self, twin: &Detached, bytes: &[u8]) {
        self.peer.write_all(bytes).expect("connected");
        until(|| twin.peek(&mut [0]).is_ok());
    }

    /// Polls the task on this thread.
    pub(super) fn poll(&self) {
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
    pub(super) fn read(&self) -> bool {
        self.until_free();
        self.within(LoneSocket::read)
    }

    /// Returns what the task has read, which is to be so many bytes.
    pub(super) fn heard(&self, length: usize) -> Vec<u8> {
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
    pub(super) fn came(&self) -> usize {
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

pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "it never came");
        std::thread::yield_now();
    }
}
