//! Between the socket and redis-rs: a reply to a read of members is written as a list where it lies in the buffer, in
//! parts as it comes, and passed on to redis-rs as one string, or as some if it is long ([`parts`],
//! [`crate::list::List::from_wire`]). redis-rs's parser would make a value of each member, with an allocation of its
//! own.
//!
//! [`requests`] finds the reads among the commands sent, [`replies`] their replies. All else passes unchanged, so logging in,
//! pipelines, pushes and errors are redis-rs's, and so is the judgement of what is no reply at all.

mod parts;
mod replies;
mod requests;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) use self::parts::whole;
use self::{replies::Replies, requests::Requests};

/// The spelling of `SMEMBERS` for those who need the members byte for byte: its replies are not written as lists.
pub(crate) const EXACT: &str = "smembers";

/// The buffer's size at first, which is enough for short replies, and while it is filled by each read.
const SMALL: usize = 1 << 13;
const LARGE: usize = 1 << 16;

/// The bytes that are read of a list before other tasks have a turn.
const TURN: usize = 1 << 18;

/// A socket with lists.
pub(super) struct ListStream<S> {
    stream: S,
    requests: Requests,
    replies: Replies,
    /// What was read; of it `start..end` is not taken yet.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the rest of the input is cut.
    cut: bool,
    /// What is to be passed on, from `given` on.
    out: Vec<u8>,
    given: usize,
    closed: bool,
}

impl<S> ListStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            requests: Requests::default(),
            replies: Replies::default(),
            input: Vec::new(),
            start: 0,
            end: 0,
            cut: true,
            out: Vec::new(),
            given: 0,
            closed: false,
        }
    }

    /// Passes on as much as there is room for; returns whether that was anything.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = &self.out[self.given..];
        let step = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..step]);
        self.given += step;
        if self.given == self.out.len() {
            self.given = 0;
            self.out.clear();
            if self.out.capacity() > LARGE {
                self.out = Vec::new();
            }
        }
        step > 0
    }

    /// Takes what was read.
    fn take(&mut self) {
        let bytes = &self.input[self.start..self.end];
        let taken = self.replies.feed(bytes, &mut self.requests, &mut self.out);
        self.cut = taken == 0 || taken == bytes.len();
        self.start += taken;
    }

    /// Makes room in the buffer.
    fn make_room(&mut self) {
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.input.len() {
            // A member longer than the buffer.
            self.input.resize((2 * self.end).max(SMALL), 0);
        } else if self.end == 0 && self.input.len() > LARGE {
            self.input = vec![0; LARGE];
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.replies.end(&mut self.out);
        self.out
            .extend_from_slice(&self.input[self.start..self.end]);
        self.start = self.end;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ListStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut read = 0;
        loop {
            if this.give(buffer) || this.closed || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !this.cut {
                this.take();
                continue;
            }
            if read > TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            this.make_room();
            let mut room = ReadBuf::new(&mut this.input[this.end..]);
            match Pin::new(&mut this.stream).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
            let size = room.filled().len();
            let full = room.remaining() == 0;
            if size == 0 {
                this.close();
                continue;
            }
            this.end += size;
            read += size;
            this.take();
            if full && this.input.len() < LARGE {
                this.input.resize(2 * this.input.len(), 0);
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ListStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(size)) = written {
            this.requests.feed(&bytes[..size]);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, buffers);
        if let Poll::Ready(Ok(mut size)) = written {
            for buffer in buffers {
                let step = size.min(buffer.len());
                this.requests.feed(&buffer[..step]);
                size -= step;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}
