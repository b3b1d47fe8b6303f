//! Who is waited for, found, counted and forgotten.

use super::*;
use crate::redis_manager::sentinel::election::Answer;

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 26379))
}

fn named(host: &str) -> Address {
    Address::Tcp(host.into(), 26379)
}

fn addr(last: u8) -> SentinelAddr {
    SentinelAddr {
        at: at(last),
        named: named(&at(last).ip().to_string()),
    }
}

fn told(id: &str, others: usize) -> SentinelReply {
    SentinelReply {
        answer: Answer {
            address: named("primary"),
            epoch: Some(1),
            fails_over: false,
        },
        id: Some(id.to_owned()),
        count: Some(others),
        others: Vec::new(),
        denied: Vec::new(),
    }
}

fn no() -> ConnectError {
    ConnectError::Unreachable("refused".into())
}

/// One name at these addresses, and the time.
fn listed(addresses: &[u8]) -> (SentinelSet, Instant) {
    let now = Instant::now();
    let mut set = SentinelSet::new(&[named("s")]);
    let found = addresses.iter().map(|last| at(*last)).collect();
    let new = set.resolved(&named("s"), Ok(found), now);
    assert_eq!(new.len(), addresses.len());
    (set, now)
}

#[test]
fn a_name_is_waited_for_and_then_what_is_behind_it() {
    let now = Instant::now();
    let mut set = SentinelSet::new(&[named("s")]);
    assert_eq!(set.waits(now), Some(now + LIMIT));
    set.resolved(&named("s"), Err(no()), now);
    assert_eq!(set.waits(now), None);
    assert_eq!(set.failures(), [(named("s"), no())]);

    let (mut set, now) = listed(&[1, 2]);
    assert_eq!(set.waits(now), Some(now + LIMIT));
    for last in [1, 2] {
        set.told(at(last), &told(&last.to_string(), 1), None);
        set.settled(at(last), now, None);
    }
    assert_eq!(set.waits(now), None);
    // The same question does for no later round.
    let later = now + Duration::from_secs(1);
    assert_eq!(set.waits(later), Some(later + LIMIT));
    assert!(set.answered_since(now) && !set.answered_since(later));
}

#[test]
fn one_that_was_silent_is_waited_for_a_moment_unless_it_is_the_last_hope() {
    let (mut set, now) = listed(&[1, 2]);
    set.silent(at(2), now, no());
    let round = now + Duration::from_secs(1);
    assert_eq!(set.waits(round), Some(round + LIMIT));
    set.settled(at(1), round, None);
    assert_eq!(set.waits(round), Some(round + GRACE));
    // It answers again.
    set.settled(at(2), round, None);
    let round = round + Duration::from_secs(1);
    set.settled(at(1), round, None);
    assert_eq!(set.waits(round), Some(round + LIMIT));
}

#[test]
fn one_that_is_announced_and_not_reached_holds_up_little() {
    let (mut set, now) = listed(&[1]);
    assert!(set.discovered(addr(9), "nine", now).is_some());
    set.settled(at(1), now, None);
    assert_eq!(set.waits(now), Some(now + FIRST));
    set.silent(at(9), now, no());
    let round = now + Duration::from_secs(1);
    set.settled(at(1), round, None);
    assert_eq!(set.waits(round), Some(round + GRACE));
}

#[test]
fn nobody_is_listened_to_twice_and_what_is_listed_stays() {
    let (mut set, now) = listed(&[1]);
    assert!(set.told(at(1), &told("one", 2), None));
    // At its address, or by its id.
    assert_eq!(set.discovered(addr(1), "?", now), None);
    assert_eq!(set.discovered(addr(9), "one", now), None);
    // Found out later only.
    assert!(set.discovered(addr(8), "two", now).is_some());
    assert!(!set.told(at(8), &told("one", 2), None), "another one");
    let (mut set, now) = listed(&[1]);
    assert!(set.discovered(addr(9), "one", now).is_some());
    assert!(set.told(at(9), &told("one", 2), None));
    assert!(set.told(at(1), &told("one", 2), None), "listed");
    assert!(!set.told(at(9), &told("one", 2), None), "found");
}

#[test]
fn what_is_gone_from_a_name_is_forgotten_and_what_is_listed_never() {
    let (mut set, now) = listed(&[1, 2]);
    let later = now + Duration::from_secs(1000);
    assert!(set.keeps(at(1), later));
    // Where the name cannot be looked up all stays.
    set.resolved(&named("s"), Err(no()), later);
    assert!(set.keeps(at(2), later));
    let new = set.resolved(&named("s"), Ok(vec![at(1), at(3)]), later);
    assert_eq!(new.iter().map(|addr| addr.at).collect::<Vec<_>>(), [at(3)]);
    assert!(set.keeps(at(1), later));
    assert!(!set.keeps(at(2), later));
    assert!(set.at(at(2)).is_none());
}

#[test]
fn how_many_are_kept_is_bounded_and_what_is_listed_comes_first() {
    let (mut set, now) = listed(&[1]);
    for last in 2..=255 {
        set.discovered(addr(last), &last.to_string(), now);
    }
    assert_eq!(set.members.len(), MOST);
    let new = set.resolved(&named("s"), Ok(vec![at(1), at(250)]), now);
    assert_eq!((new.len(), set.members.len()), (1, MOST));
}

#[test]
fn that_fewer_are_heard_than_there_are_is_said_once() {
    let (mut set, now) = listed(&[1]);
    set.told(at(1), &told("one", 2), None);
    set.discovered(addr(2), "two", now);
    set.settled(at(2), now, Some(no()));
    let notes = set.notes();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("only 1 of 3 sentinels are heard"),
        "{notes:?}"
    );
    assert!(notes[0].contains("10.0.0.2:26379: refused"), "{notes:?}");
    assert!(set.notes().is_empty());
    for (last, id) in [(2, "two"), (3, "three")] {
        set.discovered(addr(last), id, now);
        assert!(set.told(at(last), &told(id, 2), None));
    }
    assert!(set.notes().is_empty());
    // One that lets us not listen is not heard.
    set.told(at(1), &told("one", 2), Some("NOPERM".into()));
    assert_eq!(set.notes().len(), 2);
}
