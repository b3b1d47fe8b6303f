//! Whatever a server sends and however it is cut, what comes out of redis-rs is the same with lists written on the way as
//! without.

mod measurement;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use proptest::{collection::vec, prelude::*};
use redis::{Cmd, Parser, Pipeline, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{EXACT, ListStream};
use crate::{list::List, redis_manager::codec};

/// A socket that has these bytes, in these parts, and takes everything.
struct Peer {
    bytes: Vec<u8>,
    at: usize,
    parts: Vec<usize>,
    next: usize,
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let part = self.parts[self.next % self.parts.len()];
        self.next += 1;
        let size = part.min(self.bytes.len() - self.at).min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Sends commands, and returns what comes back to them; `room` is the room for each read.
fn through(commands: &[&str], bytes: &[u8], parts: &[usize], room: usize) -> Vec<u8> {
    let mut stream = ListStream::new(Peer {
        bytes: bytes.to_vec(),
        at: 0,
        parts: parts.to_vec(),
        next: 0,
    });
    let mut pipeline = Pipeline::new();
    for name in commands {
        let mut command = Cmd::new();
        command.arg(name).arg("key");
        pipeline.add_command(command);
    }
    let cx = &mut Context::from_waker(Waker::noop());
    let sent = Pin::new(&mut stream).poll_write(cx, &pipeline.get_packed_pipeline());
    assert!(sent.is_ready());
    let mut all = Vec::new();
    loop {
        let mut part = vec![0; room];
        let mut buffer = ReadBuf::new(&mut part);
        match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
            Poll::Ready(done) => done.expect("a read"),
            // It gives other tasks a turn.
            Poll::Pending => continue,
        }
        if buffer.filled().is_empty() {
            return all;
        }
        all.extend_from_slice(buffer.filled());
    }
}

/// Parses as far as redis-rs does; the last is its error.
fn parsed(bytes: &[u8]) -> Vec<Result<Value, ()>> {
    let mut parser = Parser::new();
    let mut reader = bytes;
    let mut values = Vec::new();
    loop {
        let value = parser.parse_value(&mut reader).map_err(drop);
        let done = value.is_err();
        values.push(value);
        if done {
            return values;
        }
    }
}

/// What is made of the replies to these commands.
fn meanings(commands: &[&str], values: Vec<Result<Value, ()>>) -> Vec<String> {
    let mut commands = commands.iter();
    let meaning = |value| match value {
        Ok(value @ Value::Push { .. }) => format!("{value:?}"),
        Ok(value) if commands.next() == Some(&"SMEMBERS") => {
            match (codec::list(value.clone()), value) {
                (Ok(list), _) => format!("{} {} {:?}", list.json(), list.len(), list.is_ascii()),
                (Err(error), _) => error.to_string(),
            }
        }
        other => format!("{other:?}"),
    };
    values.into_iter().map(meaning).collect()
}

fn string(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

fn aggregate(kind: char, count: usize, items: &[Vec<u8>]) -> Vec<u8> {
    [format!("{kind}{count}\r\n").into_bytes(), items.concat()].concat()
}

/// A reply, or nearly one.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let member = prop_oneof![
        3 => "[a-z0-9]{0,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..8),
        1 => "\\PC{0,4}".prop_map(String::into_bytes),
    ];
    let text = member.prop_map(|member| string(&member));
    let list = (prop_oneof![Just('*'), Just('~')], vec(text.clone(), 0..8))
        .prop_map(|(kind, items)| aggregate(kind, items.len(), &items));
    let line = "[-+:_,#(]([a-z0-9]{0,6}|OK|[-+ ]?[0-9]{1,3}|MOVED 1 a:1)\r\n";
    let odd = "([$*~%|>=!][-+ 0]?[0-9?]{0,3}\r\n|\\$-1\r\n|\\*-1\r\n|[*~]0\r\n|\r|\n|=5\r\ntxt:a\r\n|!3\r\nA b\r\n)";
    let leaf = prop_oneof![
        4 => text,
        2 => line.prop_map(String::into_bytes),
        1 => odd.prop_map(String::into_bytes),
    ];
    let nested = leaf.prop_recursive(3, 20, 5, |inner| {
        let count = |kind, items: &[Vec<u8>]| match kind {
            '%' => aggregate(kind, items.len() / 2, items),
            '|' => aggregate(kind, items.len().saturating_sub(1) / 2, items),
            _ => aggregate(kind, items.len(), items),
        };
        let kind = prop_oneof![
            4 => Just('*'), 4 => Just('~'), 1 => Just('%'), 1 => Just('|'), 1 => Just('>'),
        ];
        (kind, vec(inner, 0..5)).prop_map(move |(kind, items)| count(kind, &items))
    });
    let push = vec(nested.clone(), 0..3).prop_map(|items| {
        let items = [vec![string(b"invalidate")], items].concat();
        aggregate('>', items.len(), &items)
    });
    prop_oneof![6 => list, 3 => nested, 1 => push]
}

proptest! {
    #[test]
    fn lists_are_what_redis_rs_makes_of_them(
        names in vec(prop_oneof![3 => Just("SMEMBERS"), 1 => Just(EXACT), 1 => Just("SCARD")], 0..8),
        frames in vec(frame(), 0..10),
        parts in vec(1..50_usize, 1..6),
        room in 1..60_usize,
        cut in prop_oneof![3 => Just(0), 1 => 0..40_usize],
    ) {
        let mut bytes = frames.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        let out = through(&names, &bytes, &parts, room);
        prop_assert_eq!(
            meanings(&names, parsed(&out)),
            meanings(&names, parsed(&bytes)),
        );
    }
}

proptest! {
    /// A cache decides by it whether a list shows a change that was reported.
    #[test]
    fn a_list_comes_with_the_number_of_pushes_before_it(
        pushes in vec(0..4_usize, 1..8),
        parts in vec(1..50_usize, 1..6),
    ) {
        let push = aggregate('>', 2, &[string(b"invalidate"), aggregate('*', 1, &[string(b"key")])]);
        let list = aggregate('~', 1, &[string(b"a")]);
        let frames = pushes.iter().map(|count| [push.repeat(*count), list.clone()].concat());
        let bytes = frames.collect::<Vec<_>>().concat();
        let mut seen = 0;
        let mut lists = 0;
        for value in parsed(&through(&vec!["SMEMBERS"; pushes.len()], &bytes, &parts, 100)) {
            match value {
                Ok(Value::Push { .. }) => seen += 1,
                Ok(value) => {
                    lists += 1;
                    prop_assert_eq!(codec::placed_list(value).0, seen);
                }
                Err(()) => {}
            }
        }
        prop_assert_eq!(lists, pushes.len());
    }
}

/// A reply to a marked read passes as one string, any other as it came.
#[test]
fn only_a_list_that_a_call_reads_is_written() {
    let reply = b"*2\r\n$1\r\na\r\n$2\r\n\xff\"\r\n";
    for name in [EXACT, "SCARD"] {
        assert_eq!(through(&[name], reply, &[100], 100), reply);
    }
    let values = parsed(&through(&["SMEMBERS"], reply, &[100], 100));
    let [Ok(Value::BulkString(bytes)), Err(())] = values.as_slice() else {
        panic!("{values:?}");
    };
    let (list, _) = List::from_wire(bytes.clone()).expect("a list");
    assert_eq!(list.json(), "[\"a\",\"\u{fffd}\\\"\"]");
    // A reply to no command.
    assert_eq!(through(&[], reply, &[100], 100), reply);
}

#[test]
fn long_lists_and_long_members_arrive_whole() {
    let long = vec![b'x'; 3 << 20];
    let many: Vec<Vec<u8>> = (0..100_000)
        .map(|n| format!("user{n}").into_bytes())
        .collect();
    for members in [many, vec![b"a".to_vec(), long, b"b".to_vec()]] {
        let items: Vec<Vec<u8>> = members.iter().map(|member| string(member)).collect();
        let reply = aggregate('~', items.len(), &items);
        for part in [1 << 12, 1 << 20] {
            let mut values = parsed(&through(&["SMEMBERS"], &reply, &[part], 1 << 16));
            assert_eq!(values.pop(), Some(Err(())));
            let value = values.pop().and_then(Result::ok).expect("a reply");
            // The parser's buffer keeps the size of the longest string.
            assert!(longest(&value) < 2 << 16);
            let list = codec::list(value).expect("a list");
            assert_eq!(list, List::new(&members).expect("a list"));
        }
    }
}

fn longest(value: &Value) -> usize {
    match value {
        Value::BulkString(text) => text.len(),
        Value::Array(items) => items.iter().map(longest).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A claimed length takes no memory.
#[test]
fn a_list_that_does_not_end_is_what_came_of_it() {
    let reply = b"*1000000000\r\n$1\r\na\r\n$10000000";
    assert_eq!(through(&["SMEMBERS"], reply, &[7], 100), reply);
}
