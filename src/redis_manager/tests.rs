//! What a server can say, whatever it is: none of it is a panic, and what it says of changes is believed.

use std::sync::{Arc, Mutex};

use proptest::{collection::vec, prelude::*};
use redis::{PushInfo, PushKind, Value, parse_redis_value};

use super::{
    event_scripts::EventScripts,
    pipeline::decode,
    state::{State, on_push},
    tracking, tracking_support,
};
use crate::{
    cache::{Answer, Session, Wire},
    command::{Command, Items, Op, ReadOp, Reply, ValueKind, WriteOp},
    list::List,
    list_lru::{Bounds, SharedKey},
    manager::Queue,
    stats::Stats,
};

/// A reply of any shape; errors are had by parsing them, as from the wire.
fn value() -> impl Strategy<Value = Value> {
    let error = "[A-Z]{0,8}( \\PC{0,20})?";
    let leaf = prop_oneof![
        Just(Value::Nil),
        Just(Value::Okay),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        vec(any::<u8>(), 0..20).prop_map(Value::BulkString),
        any::<String>().prop_map(Value::SimpleString),
        "(server|version|proto|mode|role|flags|on|invalidate|run_id:1|standalone|master|redis|[0-9.]{0,9})"
            .prop_map(|text| Value::BulkString(text.into_bytes())),
        vec(any::<u8>(), 0..10).prop_map(Value::BigNumber),
        error.prop_filter_map("an error", |text| parse_redis_value(format!("-{text}\r\n").as_bytes()).ok()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let items = vec(inner.clone(), 0..6);
        let pairs = vec((inner.clone(), inner.clone()), 0..6);
        prop_oneof![
            items.clone().prop_map(Value::Array),
            items.clone().prop_map(Value::Set),
            pairs.clone().prop_map(Value::Map),
            (inner, pairs).prop_map(|(data, attributes)| Value::Attribute {
                data: Box::new(data),
                attributes,
            }),
            items.prop_map(|data| Value::Push {
                kind: PushKind::Invalidate,
                data,
            }),
        ]
    })
}

fn key() -> SharedKey {
    b"P:n:s".as_slice().into()
}

fn session() -> Session {
    let bounds = Bounds::new(1 << 20, Arc::default());
    Session::new(Some(bounds), Arc::new(Stats::default()))
}

/// A read of [`key`], answered with a member if it is sent; whether it was.
fn read(state: &Mutex<State>) -> bool {
    let session = &mut super::state::lock(state).session;
    let command = Command::read(ReadOp::Members, vec![key().to_vec()]);
    let sent = session.form(&[&command], Queue::default());
    let is_read = sent
        .wire
        .iter()
        .any(|wire| matches!(wire, Wire::Members(_) | Wire::Tracked(_)));
    let list = || List::new([b"u"]).map(Arc::new);
    let answers = sent.wire.iter().map(|wire| match wire {
        Wire::Touch(keys) => Answer::Touched(Some(keys.len())),
        Wire::Tracked(_) => Answer::Tracked {
            granted: true,
            pushes: 0,
            list: list(),
        },
        _ => Answer::List(list()),
    });
    session.settle(sent.no, answers.collect());
    is_read
}

proptest! {
    #[test]
    fn any_reply_is_an_answer_of_its_kind(value in value()) {
        let decode = |wire: &Wire, value: &Value| {
            decode(wire, &mut std::iter::once(value.clone()), &EventScripts::ONE_REDIS)
        };
        let strings = |items: &[Value]| {
            items.iter().all(|item| matches!(item, Value::BulkString(_) | Value::SimpleString(_)))
        };
        let is_list = matches!(&value, Value::Array(items) | Value::Set(items) if strings(items));
        let is_lease = matches!(&value, Value::Array(items) if matches!(
            items.as_slice(),
            [Value::Int(0..4), Value::Int(_), Value::BulkString(_) | Value::SimpleString(_), Value::Int(_)]
        ));
        for &op in Op::ALL {
            let keys = if op.items() == Items::Pairs { 2 } else { 1 };
            let command = decode(&Wire::Command { index: 0, op, keys }, &value);
            let Answer::Command(reply) = command else {
                return Err(TestCaseError::fail("no reply"));
            };
            match op {
                Op::Write(op) if op.items() == Items::OneSlot => {
                    prop_assert_eq!(reply.is_ok(), is_lease);
                }
                Op::Write(WriteOp::LeaveAll) => prop_assert_eq!(reply.is_ok(), is_list),
                Op::Write(_) => prop_assert_eq!(reply.is_ok(), matches!(value, Value::Int(_))),
                Op::Read(op) => {
                    let Ok(Reply::Values(values)) = reply else {
                        return Err(TestCaseError::fail("no values"));
                    };
                    let is_int = matches!(value, Value::Int(0..));
                    let is_good = match op.kind() {
                        ValueKind::List => is_list,
                        // The list that a server answers to SMEMBERS, in the place of SCARD.
                        ValueKind::Int => is_int || matches!(value, Value::Array(_) | Value::Set(_)),
                        ValueKind::Bool => is_int || is_list,
                        ValueKind::Lease => is_lease,
                    };
                    prop_assert_eq!((values.len(), values[0].is_ok()), (1, is_good));
                }
            }
        }
        let touched = decode(&Wire::Touch(vec![key()]), &value);
        prop_assert!(matches!(touched, Answer::Touched(_)));
        let list = decode(&Wire::Members(key()), &value);
        let tracked = decode(&Wire::Tracked(key()), &value);
        // Only the first of its two answers.
        let refused = matches!(
            tracked,
            Answer::Tracked { granted, list: Err(_), .. } if granted == (value == Value::Okay)
        );
        prop_assert!(refused);
        let Answer::List(list) = list else {
            return Err(TestCaseError::fail("no list"));
        };
        prop_assert_eq!(list.is_ok(), is_list);
        // It is the server's fault, and not a defect of ours.
        if let Err(error) = list {
            prop_assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_STORE");
        }
    }

    #[test]
    fn no_server_is_trusted_by_chance(hello in value(), info in value()) {
        prop_assert!(tracking_support::objection(&hello, &info, "standalone").is_some());
        let _ = tracking::is_tracking(&hello);
    }

    /// A list is served no more after a push that names its key, or that may.
    #[test]
    fn a_push_is_believed(kind in any::<bool>(), data in vec(value(), 0..3), named: bool) {
        let state = State::new(session());
        prop_assert!(read(&state), "nothing is known yet");
        prop_assert!(read(&state), "nor was a report asked for");
        prop_assert!(!read(&state), "it is kept");
        let mut data = data;
        if named {
            data = vec![Value::Array(vec![Value::BulkString(key().to_vec())])];
        }
        let names = |value: &Value| !matches!(value, Value::BulkString(bytes) if *bytes != *key());
        let concerns = match data.as_slice() {
            [Value::Array(keys)] => keys.iter().any(names),
            _ => true,
        };
        let kind = if kind { PushKind::Invalidate } else { PushKind::Other("other".into()) };
        let counts = concerns && kind == PushKind::Invalidate;
        on_push(&state, &PushInfo { kind, data });
        prop_assert_eq!(read(&state), counts);
    }

    /// redis-rs's decoder, which stands first: our version of it.
    #[test]
    fn any_bytes_are_a_reply_or_an_error(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..60),
            "([-+:$*%~>|_,#!=(][-0-9a-z]{0,20}\r\n){1,6}".prop_map(String::into_bytes),
        ],
    ) {
        let _ = parse_redis_value(&bytes);
    }
}

#[test]
fn a_claimed_length_takes_no_memory_and_no_stack() {
    for kind in "*%~>|$=!".chars() {
        for length in ["1000000000", "9223372036854775807", "-1"] {
            let frame = format!("{kind}{length}\r\n");
            let _ = parse_redis_value(frame.as_bytes());
            let _ = parse_redis_value(frame.repeat(1000).as_bytes());
        }
        let _ = parse_redis_value(format!("{kind}1\r\n").repeat(100_000).as_bytes());
    }
}
