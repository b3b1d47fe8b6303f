//! Measures what a reply takes, with and without lists written on the way.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use redis::{Pipeline, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{aggregate, string};
use crate::redis_manager::{codec, stream::Stream, wire::ListStream};

/// A server in memory, that answers each pipeline of a size.
struct Answering {
    asked: usize,
    size: usize,
    answer: Vec<u8>,
    at: Option<usize>,
}

impl AsyncRead for Answering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // redis-rs reads after it has written.
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let size = buffer.remaining().min(self.answer.len() - at);
        buffer.put_slice(&self.answer[at..at + size]);
        self.at = Some(at + size).filter(|at| *at < self.answer.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Answering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.asked += bytes.len();
        if self.asked == self.size {
            self.asked = 0;
            self.at = Some(0);
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Asks 20 times for each of these replies, with or without lists on the way; returns the time for each reply.
async fn measured(replies: &[Vec<u8>], command: &str, lists: bool) -> Duration {
    const ROUNDS: u32 = 20;
    let info = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let mut pipeline = Pipeline::new();
    for _ in replies {
        pipeline.cmd(command).arg("key");
    }
    let server = Answering {
        asked: 0,
        size: pipeline.get_packed_pipeline().len(),
        answer: replies.concat(),
        at: None,
    };
    let server: Box<dyn Stream> = if lists {
        Box::new(ListStream::new(server))
    } else {
        Box::new(server)
    };
    let connecting = redis::aio::MultiplexedConnection::new_with_config(&info, server, config);
    let (mut connection, task) = connecting.await.expect("a connection");
    tokio::spawn(task);
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        let count = replies.len();
        let values = connection.send_packed_commands(&pipeline, 0, count).await;
        for value in values.expect("replies") {
            match value {
                Value::Int(_) => {}
                value => drop(std::hint::black_box(codec::list(value))),
            }
        }
    }
    begin.elapsed() / ROUNDS / u32::try_from(replies.len()).expect("a number")
}

/// Prints what a reply takes: `cargo test --no-default-features -- --ignored --nocapture what_replies_take`.
#[tokio::test]
#[ignore = "a measurement"]
async fn what_replies_take() {
    let list = |size: usize| {
        let item = |n: usize| string(format!("user{n:012}").as_bytes());
        let items: Vec<_> = (0..size).map(item).collect();
        aggregate('*', size, &items)
    };
    for (name, reply, count, command) in [
        ("SADD", b":1\r\n".to_vec(), 10_000, "SADD"),
        ("10", list(10), 1000, "SMEMBERS"),
        ("1000", list(1000), 64, "SMEMBERS"),
        ("300000", list(300_000), 1, "SMEMBERS"),
    ] {
        let replies = vec![reply; count];
        for _ in 0..3 {
            let before = measured(&replies, command, false).await;
            let after = measured(&replies, command, true).await;
            println!("{name}: {before:?} -> {after:?}");
        }
    }
}
