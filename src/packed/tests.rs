//! Tests of packed calls: what goes in comes out, whatever was undone, marked, told or joined.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    command::{Items, Op, PageOp, ReadOp, Texts},
    everywhere::Everywhere,
    list::Groups,
    removal::Removal,
};

/// Makes a command of which the first items are keys, so many as it may have.
fn command(op: Op, keys: usize, items: &[Vec<u8>]) -> Command {
    let keys = match op.items() {
        Items::KeysAndMembers | Items::OneSlot | Items::Pairs => keys.min(items.len()),
        Items::Keys => items.len(),
    };
    let (keys, members) = items.split_at(keys);
    Command::new(op, keys.to_vec(), members.iter().collect())
}

fn requests() -> impl Strategy<Value = Request> {
    let item = || vec(any::<u8>(), 0..20);
    let of_command = (prop::sample::select(Op::ALL), 0..4_usize, vec(item(), 1..5));
    prop_oneof![
        4 => of_command
            .prop_map(|(op, keys, items)| Request::Command(command(op, keys, &items))),
        1 => (vec(item(), 1..5), 1_u32..3, 0_u32..3).prop_map(|(keys, with, without)| {
            Request::Command(Command::combined(keys, Groups { with, without }))
        }),
        1 => (prop::sample::select(PageOp::ALL), vec(item(), 0..5))
            .prop_map(|(op, items)| Request::Page(PageQuery::new(op, items.iter().collect()))),
        1 => vec(any::<u8>(), 0..10).prop_map(|stem| Request::Clean(Box::new(Removal::all(stem)))),
    ]
}

proptest! {
    /// What goes in comes out: the same calls, in the same order, with batches joined on the
    /// way, half-written calls undone, and memory used again.
    #[test]
    fn calls_come_out_as_they_went_in(
        rounds in vec(vec(vec((any::<u64>(), requests(), any::<bool>()), 0..6), 0..4), 0..4),
    ) {
        let mut joined = Packed::default();
        for batches in rounds {
            let mut expected = Vec::new();
            for batch in batches {
                let mut packed = Packed::default();
                for (seq, request, undone) in batch {
                    if undone {
                        packed.bytes().extend([1, 2]);
                        packed.end_key();
                        packed.bytes().push(3);
                        packed.undo();
                    }
                    match &request {
                        Request::Command(command) => packed.push(seq, command),
                        Request::Page(query) => packed.push_page(seq, query),
                        Request::Clean(removal) => packed.push_clean(seq, removal.stem()),
                        Request::Everywhere(_) => unreachable!("not generated"),
                    }
                    expected.push((seq, request));
                }
                Batch::append(&mut joined, &mut packed);
                prop_assert!(packed.is_empty());
            }
            prop_assert_eq!(joined.len(), expected.len());
            let mut unpacked = Vec::new();
            joined.unpack(|seq, _, request| unpacked.push((seq, request)));
            prop_assert_eq!(unpacked, expected);
            prop_assert!(joined.is_empty());
        }
    }
}

#[test]
fn all_items_of_a_command_of_keys_are_keys() {
    let items = [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
    for (&op, keys) in Op::ALL.iter().flat_map(|op| [(op, 0), (op, 1), (op, 2)]) {
        let mut packed = Packed::default();
        for (at, item) in items.iter().enumerate() {
            packed.bytes().extend_from_slice(item);
            if at < keys {
                packed.end_key();
            } else {
                packed.end_item();
            }
        }
        packed.end_call(0, Code::Command(op));
        let mut unpacked = Vec::new();
        packed.unpack(|_, _, request| unpacked.push(request));
        let expected = command(op, keys, &items);
        assert_eq!(unpacked, [Request::Command(expected)], "{op:?}");
    }
}

#[test]
fn what_is_told_comes_with_the_next_call() {
    let sid = |sid: &str| sid.as_bytes().to_vec();
    let mut joined = Packed::default();
    let mut packed = Packed::default();
    packed.push_clean(0, b"stem");
    packed.tell(b"s1");
    packed.undo();
    packed.tell(b"s2");
    packed.push_clean(1, b"stem");
    packed.tell(b"s3");
    joined.push_clean(2, b"stem");
    Batch::append(&mut joined, &mut packed);
    let mut heard = Vec::new();
    let left = joined.unpack(|seq, marked, _| {
        heard.extend(marked.map(|marked| (seq, marked.sid, marked.others)));
    });
    assert_eq!(heard, [(1, sid("s1"), vec![sid("s2")])]);
    assert_eq!(left.map(|left| left.sid), Some(sid("s3")));
    assert_eq!(joined.unpack(|_, _, _| ()), None);
    assert!(packed.told.is_empty());
}

#[test]
fn a_mark_belongs_to_one_call() {
    let mut packed = Packed::default();
    let adds = |adds| Mark {
        len: 2,
        tail: 0,
        adds,
    };
    for (key, mark) in [("k:s1", Some(true)), ("k:s1", None), ("k:s2", Some(false))] {
        packed.bytes().extend(b"undone");
        packed.end_key();
        packed.mark(adds(true));
        packed.undo();
        packed.bytes().extend(key.as_bytes());
        packed.end_key();
        if let Some(mark) = mark {
            packed.mark(adds(mark));
        }
        packed.end_call(0, Code::Command(Op::Read(ReadOp::Members)));
    }
    let mut marks = Vec::new();
    packed.unpack(|_, mark, _| marks.push(mark.map(|mark| (mark.sid, mark.adds))));
    assert_eq!(
        marks,
        [
            Some((b"s1".to_vec(), true)),
            None,
            Some((b"s2".to_vec(), false))
        ]
    );
}

#[test]
fn what_concerns_all_frontends_says_channels_members_and_sids() {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let op = Op::Read(ReadOp::IsMember);
    let mut packed = Packed::default();
    packed.everywhere([&b"P:a:"[..], b"P:b:"], [&b"u"[..], b"s1", b"s2"]);
    packed.end_call(1, Code::Everywhere(op, 1));
    packed.everywhere([], [&b"P:"[..], b"P:a:", b"s1"]);
    packed.end_call(2, Code::CleanChannels(1));
    let mut unpacked = Vec::new();
    packed.unpack(|_, _, request| unpacked.push(request));
    let bases = vec![bytes("P:a:"), bytes("P:b:")];
    let sids = vec![bytes("s1"), bytes("s2")];
    let everywhere = Everywhere::new(op, bases, Texts::from_iter(["u"]), sids);
    let removal = Removal::channels(b"P:", vec![bytes("P:a:")], vec![bytes("s1")]);
    assert_eq!(
        unpacked,
        [
            Request::Everywhere(Box::new(everywhere)),
            Request::Clean(Box::new(removal))
        ]
    );
}

#[test]
fn what_a_burst_took_is_given_back() {
    let mut packed = Packed::default();
    packed.bytes().resize(2 * KEPT, 0);
    packed.end_item();
    packed.end_call(0, Code::Command(Op::Read(ReadOp::Members)));
    packed.unpack(|_, _, _| ());
    assert!(packed.bytes.capacity() <= KEPT);
}
