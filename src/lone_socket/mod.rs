//! A TCP or Unix socket whose replies are awaited either by the runtime or by the event loop of the JavaScript thread.
//! With lone calls, the JavaScript thread sends the command and reads the reply itself: each wake of a second thread
//! would cost more than the call. With many calls in flight, or a long reply, the runtime does it, beside the
//! JavaScript thread.
//!
//! [`LoneSocket`] moves the socket between the two. It is moved to the event loop by the JavaScript thread only, and back by
//! any thread that has borrowed the driver ([`crate::driver`]), so by the runtime before it polls the driver for whatever
//! reason, such as a deadline: an event loop that is blocked leaves no reply unread. The task that speaks the protocol reads and
//! writes it through [`LoneStream`], and does not know on which side it is.

mod lone_stream;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::TcpStream as Detached,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Waker,
};

use tokio::net::TcpStream;

pub(crate) use self::lone_stream::LoneStream;
use crate::shared_task::SharedTask;

/// The bytes that the event loop reads before something is answered; the rest of a longer reply is left to the runtime.
const MOST: usize = 1 << 18;

/// How often [`LoneSocket::reclaim`] polls the task, which reads about 1 MiB each time: together more than the receive
/// buffer of a socket holds.
const TURNS: usize = 8;

/// A socket, and the task that reads it.
#[derive(Debug, Clone)]
pub struct LoneSocket {
    socket: Arc<Socket>,
    task: Arc<SharedTask>,
}

#[derive(Debug)]
pub(crate) struct Socket {
    inner: Mutex<Inner>,
    /// Whether the event loop has it; changed with `inner` locked.
    detached: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    side: Side,
    /// Whether there may be something to read that the event loop has reported.
    readable: bool,
    /// How many bytes may be read while the event loop has it.
    left: usize,
    /// Whether it has ever been moved: then there may be another descriptor of it.
    shared: bool,
    /// Whether writing has failed.
    broken: bool,
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
        (inner.readable, inner.left) = (false, MOST);
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
        self.poll_task() == Some(true)
    }

    /// Notes that something was answered: what comes next is another reply.
    pub fn answered(&self) {
        self.socket.lock().left = MOST;
    }

    /// Polls the task, which reads what has come. Returns whether that was all; `None` if another thread polls the task.
    fn poll_task(&self) -> Option<bool> {
        let mut task = self.task.borrow()?;
        self.socket.lock().readable = true;
        task.poll();
        Some(!std::mem::take(&mut self.socket.lock().readable))
    }

    /// Returns it to the runtime. Needs the runtime's context.
    pub fn attach(&self) {
        let inner = &mut *self.socket.lock();
        if self.is_detached() {
            self.socket.attach(inner, self.task.waker());
        }
    }

    /// Returns it to the runtime, after reading what has come: an answer must not be late because the event loop was blocked.
    /// `came` is called if it was anything: more may follow at once, because the window of an unread socket is closed. Needs
    /// the runtime's context.
    pub fn reclaim(&self, came: impl FnOnce()) {
        if !self.is_detached() {
            return;
        }
        self.socket.lock().left = usize::MAX;
        for _ in 0..TURNS {
            if self.poll_task() != Some(false) {
                break;
            }
        }
        if self.socket.lock().left < usize::MAX {
            came();
        }
        self.attach();
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
