//! Answers that several calls share: loads that calls join which waited in the queue, and candidates that are confirmed anew.
//! What they share, and the orders of events, too long for the model and too rare for random histories, in which a call
//! would be shown an older list than the one before it.

use std::sync::Arc;

use crate::{
    cache::{Answer, Invalidation, Sent, Session, Wire},
    command::{Command, ReadOp, Reply, Value, WriteOp},
    error::Result,
    list::List,
    list_lru::Bounds,
    manager::Queue,
};

fn session() -> Session {
    let bounds = Bounds::new(1 << 20, Arc::default());
    Session::new(Some(bounds), Arc::default())
}

fn read(keys: &str) -> Command {
    let keys = keys.chars().map(|key| key.to_string().into_bytes());
    Command::read(ReadOp::Members, keys.collect())
}

fn form(session: &mut Session, keys: &str, waited: u32, is_behind: bool) -> Sent {
    session.form(&[&read(keys)], Queue { waited, is_behind })
}

/// Answers each reading with this one member, or none, and each barrier with this number. Returns how many batches
/// have all their answers, what is sent again, and the JSON of the last list of them.
fn settle(
    session: &mut Session,
    sent: &Sent,
    member: Option<&str>,
    touched: usize,
) -> (usize, Option<Sent>, Option<String>) {
    let list = || List::new(member).map(Arc::new);
    let answer = |wire: &Wire| match wire {
        Wire::Members(_) => Answer::List(list()),
        Wire::Tracked(_) => Answer::Tracked {
            granted: true,
            pushes: 0,
            list: list(),
        },
        Wire::Touch(_) => Answer::Touched(Some(touched)),
        Wire::Forget(_) => Answer::Forgot(true),
        Wire::Command { .. } => Answer::Command(Ok(Reply::Done)),
    };
    let done = session.settle(sent.no, sent.wire.iter().map(answer).collect());
    let mut finished = done.finished.iter().rev();
    let shown_last = finished.find_map(|(_, replies)| shown(replies));
    (done.finished.len(), done.again, shown_last)
}

fn shown(replies: &[Result<Reply>]) -> Option<String> {
    match replies.last() {
        Some(Ok(Reply::Values(values))) => match values.last() {
            Some(Ok(Value::List(list))) => Some(list.json().to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn calls_that_waited_share_a_load_that_was_sent_meanwhile() {
    let mut session = session();
    let first = form(&mut session, "k", 0, true);
    assert_eq!(first.wire.len(), 1);
    let second = form(&mut session, "k", 1, true);
    assert!(second.wire.is_empty(), "it is under way");
    assert_eq!(settle(&mut session, &second, None, 0).0, 0);
    assert_eq!(settle(&mut session, &first, Some("u"), 0).0, 2);
    let third = form(&mut session, "k", 2, false);
    assert!(third.wire.is_empty(), "it was answered");
    assert_eq!(settle(&mut session, &third, None, 0).0, 1);
    let fourth = form(&mut session, "k", 2, false);
    assert_eq!(
        fourth.wire.len(),
        1,
        "it was sent before this call was made"
    );
}

/// Whether a call shares a load that was sent before it was made, while calls that were made earlier wait.
pub(super) fn shares_an_older_load() -> bool {
    let mut session = session();
    let load = form(&mut session, "k", 0, true);
    settle(&mut session, &load, Some("u"), 0);
    form(&mut session, "j", 1, true);
    form(&mut session, "k", 1, false).wire.is_empty()
}

/// Whether a call that waited shares a load after which the list was changed by a call before it.
pub(super) fn shares_a_load_before_a_command() -> bool {
    let mut session = session();
    let load = form(&mut session, "k", 0, true);
    settle(&mut session, &load, Some("u"), 0);
    let add = Command::write_members(WriteOp::Add, b"k".to_vec(), [b"v".to_vec()]);
    let queue = Queue {
        waited: 1,
        is_behind: true,
    };
    session.form(&[&add], queue);
    form(&mut session, "k", 2, false).wire.is_empty()
}

/// Whether a call that waited shares a load after which a candidate was confirmed by a barrier: the key was empty at
/// first, then not, as the load says, and is empty again.
pub(super) fn shares_a_load_before_a_candidate() -> bool {
    let mut session = session();
    let empty = form(&mut session, "k", 0, false);
    let load = form(&mut session, "k", 0, true);
    settle(&mut session, &empty, None, 0);
    let candidate = form(&mut session, "k", 1, true);
    assert!(matches!(candidate.wire[..], [Wire::Touch(_)]));
    settle(&mut session, &load, Some("u"), 0);
    form(&mut session, "k", 2, false).wire.is_empty()
}

/// Whether a call that waited shares a load whose call is answered by a later one, because another of its keys failed.
pub(super) fn shares_a_load_before_a_reread() -> bool {
    let mut session = session();
    for _ in 0..2 {
        let warm = form(&mut session, "j", 0, false);
        settle(&mut session, &warm, Some("u"), 0);
    }
    let first = form(&mut session, "jm", 0, true);
    session.invalidate(Invalidation::Key(b"j"));
    let (finished, again, _) = settle(&mut session, &first, Some("old"), 1);
    let again = again.expect("j is read again, and m with it");
    assert_eq!(finished, 0);
    let second = form(&mut session, "m", 1, false);
    settle(&mut session, &second, Some("new"), 0);
    let (finished, _, last) = settle(&mut session, &again, Some("new"), 0);
    assert_eq!(finished, 2);
    last.is_none_or(|json| json.contains("old"))
}

/// Whether a read that moved to a candidate of a later pipeline, with the call before it, is answered by its own barrier.
/// Before a write, both fall back to the same reading.
pub(super) fn serves_a_read_that_moved() -> bool {
    let mut session = session();
    for _ in 0..2 {
        let warm = form(&mut session, "jk", 0, false);
        settle(&mut session, &warm, Some("old"), 0);
    }
    let first = form(&mut session, "kj", 0, false);
    let second = form(&mut session, "j", 0, false);
    session.pushed();
    session.invalidate(Invalidation::Key(b"k"));
    let (_, again, _) = settle(&mut session, &first, None, 2);
    let again = again.expect("k is read again, and j confirmed with it");
    assert!(matches!(again.wire[..], [Wire::Tracked(_), Wire::Touch(_)]));
    settle(&mut session, &second, None, 1);
    let add = Command::write_members(WriteOp::Add, b"j".to_vec(), [b"v".to_vec()]);
    let write = session.form(&[&add], Queue::default());
    session.pushed();
    session.invalidate(Invalidation::Key(b"j"));
    assert_eq!(settle(&mut session, &again, Some("new"), 1).0, 0);
    let (finished, _, last) = settle(&mut session, &write, Some("new"), 0);
    assert_eq!(finished, 3);
    last.is_none_or(|json| json.contains("old"))
}

#[test]
fn a_read_that_moved_is_not_older_than_the_call_before_it() {
    assert!(!serves_a_read_that_moved());
}

#[test]
fn a_call_that_waited_shares_no_list_older_than_that_of_a_call_before_it() {
    assert!(!shares_an_older_load());
    assert!(!shares_a_load_before_a_command());
    assert!(!shares_a_load_before_a_candidate());
    assert!(!shares_a_load_before_a_reread());
}
