//! A TCP socket whose replies are awaited either by the runtime or by the event loop of the JavaScript thread. With lone calls,
//! the JavaScript thread sends the command and reads the reply itself: each wake of a second thread would cost more than the
//! call. With many calls in flight, or a long reply, the runtime does it, beside the JavaScript thread.
//!
//! [`LoneSocket`] moves the socket between the two. It is moved to the event loop by the JavaScript thread only, and back by
//! any thread that has borrowed the driver ([`crate::driver`]), so by the runtime before it polls the driver for whatever
//! reason, such as a deadline: an event loop that is blocked leaves no reply unread.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream as Detached},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::shared_task::SharedTask;

/// The bytes that the event loop reads at once; the rest of a longer reply is left to the runtime.
const MOST: usize = 1 << 15;

/// How often [`LoneSocket::read_all`] polls the task, which reads about 1 MiB each time: together more than the receive
/// buffer of a socket holds.
const TURNS: usize = 8;

/// A socket, and the task that reads it.
#[derive(Debug, Clone)]
pub struct LoneSocket {
    socket: Arc<Socket>,
    task: Arc<SharedTask>,
}

/// The stream for the task.
pub(crate) struct LoneStream(Arc<Socket>);

#[derive(Debug)]
pub(crate) struct Socket {
    inner: Mutex<Inner>,
    /// Whether the event loop has it; changed with `inner` locked.
    detached: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    side: Side,
    /// How many bytes may be read before the event loop reports more.
    readable: usize,
    /// Whether there may be more than that.
    more: bool,
    /// Whether it has ever been moved: then there may be another descriptor of it.
    shared: bool,
    /// Whether writing has failed.
    broken: bool,
    /// The bytes that have come since this was cleared.
    came: usize,
}

#[derive(Debug)]
enum Side {
    Runtime(TcpStream),
    EventLoop(Detached),
    Gone,
}

impl LoneSocket {
    /// Joins a socket and the task that reads it.
    pub(crate) fn new(socket: Arc<Socket>, task: Arc<SharedTask>) -> Self {
        Self { socket, task }
    }

    /// Returns whether the event loop has it.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.socket.detached.load(SeqCst)
    }

    /// Returns whether both are the same socket.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.socket, &other.socket)
    }

    /// Moves it to the event loop, which has to call [`crate::driver::DriverHandle::readable`] when there is something to
    /// read. Returns a descriptor for that, which stays valid when the socket is closed.
    pub fn detach(&self) -> io::Result<Detached> {
        let inner = &mut *self.socket.lock();
        let stream = match std::mem::replace(&mut inner.side, Side::Gone) {
            Side::Runtime(stream) => stream,
            side => {
                inner.side = side;
                return Err(io::ErrorKind::NotConnected.into());
            }
        };
        // Ends the runtime's interest in it.
        let stream = stream.into_std()?;
        let twin = stream.try_clone();
        inner.side = Side::EventLoop(stream);
        (inner.readable, inner.more) = (0, false);
        inner.shared = true;
        self.socket.detached.store(true, SeqCst);
        if twin.is_err() {
            self.socket.attach(inner, self.task.waker());
        }
        twin
    }

    /// Reads what has come, a long reply only in part. Returns whether that was all.
    #[must_use]
    pub fn read(&self) -> bool {
        self.read_up_to(MOST) == Some(true)
    }

    /// Reads all that has come, before a deadline is applied. Returns whether that was all. `came` is called if it was anything:
    /// more may follow at once, because the window of an unread socket is closed.
    #[must_use]
    pub fn read_all(&self, came: impl FnOnce()) -> bool {
        self.socket.lock().came = 0;
        let all = self.read_turns();
        if self.socket.lock().came > 0 {
            came();
        }
        all
    }

    fn read_turns(&self) -> bool {
        for _ in 0..TURNS {
            match self.read_up_to(usize::MAX) {
                Some(false) => {}
                done => return done.is_some(),
            }
        }
        false
    }

    /// Returns whether that was all; `None` if another thread polls the task.
    fn read_up_to(&self, most: usize) -> Option<bool> {
        let mut task = self.task.borrow()?;
        self.socket.lock().readable = most;
        task.poll();
        let inner = &mut *self.socket.lock();
        let more = std::mem::take(&mut inner.more) | (std::mem::take(&mut inner.readable) > 0);
        Some(!more)
    }

    /// Returns it to the runtime. Needs the runtime's context.
    pub fn attach(&self) {
        let inner = &mut *self.socket.lock();
        if self.is_detached() {
            self.socket.attach(inner, self.task.waker());
        }
    }

    /// Returns it to the runtime, after reading what has come: an answer must not be late because the event loop was blocked.
    /// Needs the runtime's context.
    pub fn reclaim(&self, came: impl FnOnce()) {
        if self.is_detached() {
            let _ = self.read_all(came);
            self.attach();
        }
    }
}

impl Socket {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns it to the runtime. The task, whose `waker` this is, then polls it there: only that registers the runtime's
    /// interest in it.
    fn attach(&self, inner: &mut Inner, waker: &Waker) {
        inner.side = match std::mem::replace(&mut inner.side, Side::Gone) {
            Side::EventLoop(stream) => {
                TcpStream::from_std(stream).map_or(Side::Gone, Side::Runtime)
            }
            side => side,
        };
        self.detached.store(false, SeqCst);
        waker.wake_by_ref();
    }
}

impl LoneStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(Socket {
            inner: Mutex::new(Inner {
                side: Side::Runtime(stream),
                readable: 0,
                more: false,
                shared: false,
                broken: false,
                came: 0,
            }),
            detached: AtomicBool::new(false),
        }))
    }

    pub(crate) fn socket(&self) -> Arc<Socket> {
        self.0.clone()
    }
}

impl Drop for LoneStream {
    fn drop(&mut self) {
        let inner = &mut *self.0.lock();
        let stream = match std::mem::replace(&mut inner.side, Side::Gone) {
            Side::Runtime(stream) if inner.shared => stream.into_std().ok(),
            Side::EventLoop(stream) => Some(stream),
            _ => None,
        };
        // The event loop's descriptor would keep the connection open. It becomes readable by this, and is closed.
        let _ = stream.map(|stream| stream.shutdown(Shutdown::Both));
        self.0.detached.store(false, SeqCst);
    }
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
}

impl Inner {
    /// Reads within the event loop.
    fn read(&mut self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Side::EventLoop(stream) = &mut self.side else {
            return gone();
        };
        while self.readable > 0 {
            let room = buffer.initialize_unfilled();
            let most = room.len().min(self.readable);
            match stream.read(&mut room[..most]) {
                Ok(size) => {
                    // Less than there was room for: that was all. If more comes, the event loop reports it.
                    self.readable = if size < most { 0 } else { self.readable - size };
                    self.more = size == most && self.readable == 0;
                    self.came += size;
                    buffer.advance(size);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = 0,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // The task is polled again when the event loop reports more, or when it is attached.
        Poll::Pending
    }
}

impl AsyncRead for LoneStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.lock();
        match &mut inner.side {
            Side::Runtime(stream) => Pin::new(stream).poll_read(cx, buffer),
            Side::EventLoop(_) => inner.read(buffer),
            Side::Gone => gone(),
        }
    }
}

impl LoneStream {
    /// Writes; a socket that takes no more is returned to the runtime, which waits until it does.
    fn write(
        &self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut Detached) -> io::Result<usize>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.lock();
        if let Side::EventLoop(stream) = &mut inner.side {
            match write(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.attach(inner, cx.waker());
                }
                Err(_) if !inner.broken => {
                    // The task fails its oldest request for this error, but replies that came before it still count. So it
                    // reads first, which mostly tells of the error too; if not, the next attempt does.
                    (inner.broken, inner.readable) = (true, usize::MAX);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                written => return Poll::Ready(written),
            }
        }
        match &mut inner.side {
            Side::Runtime(stream) => poll(Pin::new(stream), cx),
            _ => gone(),
        }
    }
}

impl AsyncWrite for LoneStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |to| to.write(bytes), |to, cx| to.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0.lock().side {
            Side::Runtime(stream) => Pin::new(stream).poll_shutdown(cx),
            Side::EventLoop(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
            Side::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(
            cx,
            |to| to.write_vectored(buffers),
            |to, cx| to.poll_write_vectored(cx, buffers),
        )
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
