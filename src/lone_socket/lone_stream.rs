//! The socket as the task that speaks the protocol reads and writes it, on whichever side it is.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream as Detached},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{Inner, Side, Socket};

/// The stream for the task; dropping it closes the socket.
pub(crate) struct LoneStream(Arc<Socket>);

impl LoneStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(Socket {
            inner: Mutex::new(Inner {
                side: Side::Runtime(stream),
                readable: false,
                left: 0,
                shared: false,
                broken: false,
            }),
            detached: AtomicBool::new(false),
        }))
    }

    pub(crate) fn socket(&self) -> Arc<Socket> {
        self.0.clone()
    }

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
                    (inner.broken, inner.readable, inner.left) = (true, true, usize::MAX);
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
        // With nothing left the rest is the runtime's.
        while self.readable && self.left > 0 {
            let room = buffer.initialize_unfilled();
            let most = room.len().min(self.left);
            match stream.read(&mut room[..most]) {
                Ok(size) => {
                    // Less than there was room for: that was all. If more comes, the event loop reports it.
                    self.readable = size == most;
                    self.left -= size;
                    buffer.advance(size);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
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
            // With one buffer the plain system call takes less.
            |to| match buffers {
                [all] => to.write(all),
                _ => to.write_vectored(buffers),
            },
            |to, cx| to.poll_write_vectored(cx, buffers),
        )
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
