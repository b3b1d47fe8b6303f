//! What a server has said is the reason, in whatever parts it came, and though writing to it failed.

use super::*;

fn reason(parts: &[&[u8]]) -> Option<ConnectError> {
    let first = FirstLine::default();
    for part in parts {
        if !first.push(part) {
            break;
        }
    }
    first.reason()
}

#[test]
fn what_a_server_says_before_it_closes_is_the_reason() {
    let refused = |words: &str| Some(ConnectError::Refused(words.into()));
    let unreachable = |words: &str| Some(ConnectError::Unreachable(words.into()));
    assert_eq!(reason(&[]), None);
    let denied = "DENIED Redis is running in protected mode because";
    assert_eq!(
        reason(&[b"-DENIED Redis is running in protected mode because\r\n"]),
        refused(denied)
    );
    // In parts, and without the end of the line.
    assert_eq!(
        reason(&[b"-DENIED Redis is running", b" in protected mode because"]),
        refused(denied)
    );
    for words in [
        "ERR max number of clients reached",
        "ERR max number of clients + cluster connections reached",
        "LOADING Redis is loading the dataset in memory",
        "ERR something that a proxy says",
        "upstream failure",
    ] {
        let line = format!("-{words}\r\n-ERR more\r\n");
        assert_eq!(reason(&[line.as_bytes()]), unreachable(words));
    }
    assert_eq!(
        reason(&[b"\x15\x03\x01\x00\x02\x02\x46"]),
        refused("the server speaks TLS (option tls)")
    );
    assert_eq!(reason(&[b"+OK\r\n"]), None);
    assert_eq!(reason(&[b"\x00\x01"]), unreachable(NO_REDIS));
}

#[test]
fn a_line_that_is_too_long_is_not_kept_and_only_its_code_is_shown() {
    let first = FirstLine::default();
    let line = format!("-DENIED {}", "x".repeat(2 * LONGEST));
    assert!(line.as_bytes().chunks(1000).any(|part| !first.push(part)));
    assert_eq!(first.lock().len(), LONGEST);
    assert_eq!(first.reason(), Some(ConnectError::Refused("DENIED".into())));
}

/// A connection that the server has closed, after these bytes.
struct Closed(&'static [u8]);

impl AsyncRead for Closed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.0 = later;
        // Without a word about the end, as after a failed write on some systems.
        if now.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl AsyncWrite for Closed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_has_arrived_is_read_before_a_failed_write_is_reported() {
    let first = FirstLine::default();
    let closed = Closed(b"-DENIED no\r\n+more\r\n");
    let mut stream = FirstLineStream::new(closed, first.clone());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    for _ in 0..2 {
        let written = Pin::new(&mut stream).poll_write(&mut cx, b"HELLO");
        assert!(matches!(written, Poll::Ready(Ok(5))), "{written:?}");
    }
    let mut arrived = Vec::new();
    let error = loop {
        let mut part = [0; 8];
        let mut buffer = ReadBuf::new(&mut part);
        match Pin::new(&mut stream).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(Ok(())) => arrived.extend_from_slice(buffer.filled()),
            Poll::Ready(Err(error)) => break error,
            Poll::Pending => panic!("nothing would wake the reader"),
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(arrived, b"-DENIED no\r\n+more\r\n");
    let reason = ConnectError::Refused("DENIED no".into());
    assert_eq!(first.reason(), Some(reason));
}
