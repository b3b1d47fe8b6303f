//! What a server says first on a connection, so that a server that says why and closes is understood. Such a reason is
//! easily lost: writing to the closed connection fails before the reason is read, and redis-rs ignores an error that
//! comes before anything was asked.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use redis::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::server_errors::{NO_REDIS, closing_error};
use crate::manager::ConnectError;

/// The longest line that is kept; that of protected mode has some 1,000 bytes.
const LONGEST: usize = 4096;

/// The first line that the server has sent on one connection, as far as it has arrived.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstLine(Arc<Mutex<Vec<u8>>>);

impl FirstLine {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes that have arrived. Returns whether more are wanted.
    fn push(&self, bytes: &[u8]) -> bool {
        let mut line = self.lock();
        let rest = LONGEST - line.len();
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1).min(rest);
        line.extend_from_slice(&bytes[..taken]);
        end.is_none() && taken < rest
    }

    /// Returns why the server has closed the connection, by what it said first; `None` if it has said nothing, or
    /// nothing about that.
    pub(super) fn reason(&self) -> Option<ConnectError> {
        let line = self.lock();
        let refused = |words: &str| Some(ConnectError::Refused(words.into()));
        match line.as_slice() {
            // A TLS alert: the answer to what is no TLS.
            [0x15, 0x03, ..] => refused("the server speaks TLS (option tls)"),
            [b'-', rest @ ..] => Some(error_line(rest)),
            [b'H', b'T', b'T', b'P', b'/', ..] => {
                refused("the server speaks HTTP, and is no Redis")
            }
            [b'S', b'S', b'H', b'-', ..] => refused("the server speaks SSH, and is no Redis"),
            // Nothing, or the beginning of a reply.
            []
            | [
                b'+' | b'*' | b'$' | b':' | b'%' | b'_' | b'>' | b'~' | b'(' | b'#' | b',' | b'|',
                ..,
            ] => None,
            _ => Some(ConnectError::Unreachable(NO_REDIS.into())),
        }
    }

    /// Returns whether the server has said nothing.
    pub(super) fn is_silent(&self) -> bool {
        self.lock().is_empty()
    }
}

/// Reads an error line, which may have been cut off.
fn error_line(line: &[u8]) -> ConnectError {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    // Without its end a line may end within a secret that the server repeats.
    let text = if line.len() + 1 < LONGEST {
        text
    } else {
        text.split(' ').next().unwrap_or_default()
    };
    match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()) {
        Ok(Value::ServerError(error)) => closing_error(&error),
        _ => ConnectError::Unreachable(NO_REDIS.into()),
    }
}

/// A stream of which the first line is remembered. When writing fails, what has arrived is read before reading fails
/// too: the layers above are then told of replies, and of the reason, in their order.
pub(super) struct FirstLineStream<S> {
    stream: S,
    first: FirstLine,
    /// Whether the first line is not complete.
    listens: bool,
    /// Why writing has failed.
    failed: Option<io::Error>,
}

impl<S> FirstLineStream<S> {
    pub(super) fn new(stream: S, first: FirstLine) -> Self {
        Self {
            stream,
            first,
            listens: true,
            failed: None,
        }
    }

    /// Handles the outcome of writing. A failure is reported when nothing is left to read; until then writing succeeds,
    /// and nothing is sent.
    fn written<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        done: T,
        cx: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Err(error)) => {
                self.failed = Some(error);
                // Reading has something to report now.
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(done))
            }
            polled => polled,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstLineStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let arrived = &buffer.filled()[before..];
        if self.listens && !arrived.is_empty() {
            self.listens = self.first.push(arrived);
        }
        match self.failed.take() {
            Some(error) if arrived.is_empty() => {
                self.failed = Some(error.kind().into());
                Poll::Ready(Err(error))
            }
            failed => {
                self.failed = failed;
                polled
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstLineStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(polled, bytes.len(), cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum();
        if self.failed.is_some() {
            return Poll::Ready(Ok(length));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(polled, length, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(polled, (), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
