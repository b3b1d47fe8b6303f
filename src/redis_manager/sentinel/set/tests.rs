//! Who is waited for, found, counted and forgotten.

use super::*;
use crate::redis_manager::sentinel::election::Answer;

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 26379))
}

fn named(host: &str) -> Address {
    Address::Tcp(host.into(), 26379)
}

fn spot(last: u8) -> Spot {
    Spot {
        at: at(last),
        named: named(&at(last).ip().to_string()),
    }
}

fn told(id: &str, others: usize) -> Told {
    Told {
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
    let mut roster = SentinelSet::new(&[named("s")]);
    let found = addresses.iter().map(|last| at(*last)).collect();
    let new = roster.resolved(&named("s"), Ok(found), now);
    assert_eq!(new.len(), addresses.len());
    (roster, now)
}

#[test]
fn a_name_is_waited_for_and_then_what_is_behind_it() {
    let now = Instant::now();
    let mut roster = SentinelSet::new(&[named("s")]);
    assert_eq!(roster.waits(now), Some(now + LIMIT));
    roster.resolved(&named("s"), Err(no()), now);
    assert_eq!(roster.waits(now), None);
    assert_eq!(roster.noes(), [(named("s"), no())]);

    let (mut roster, now) = listed(&[1, 2]);
    assert_eq!(roster.waits(now), Some(now + LIMIT));
    for last in [1, 2] {
        roster.told(at(last), &told(&last.to_string(), 1), None);
        roster.settled(at(last), now, None);
    }
    assert_eq!(roster.waits(now), None);
    // The same question does for no later round.
    let later = now + Duration::from_secs(1);
    assert_eq!(roster.waits(later), Some(later + LIMIT));
    assert!(roster.answered_since(now) && !roster.answered_since(later));
}

#[test]
fn one_that_was_silent_is_waited_for_a_moment_unless_it_is_the_last_hope() {
    let (mut roster, now) = listed(&[1, 2]);
    roster.silent(at(2), now);
    let round = now + Duration::from_secs(1);
    assert_eq!(roster.waits(round), Some(round + LIMIT));
    roster.settled(at(1), round, None);
    assert_eq!(roster.waits(round), Some(round + GRACE));
    // It answers again.
    roster.settled(at(2), round, None);
    let round = round + Duration::from_secs(1);
    roster.settled(at(1), round, None);
    assert_eq!(roster.waits(round), Some(round + LIMIT));
}

#[test]
fn one_that_is_announced_and_not_reached_holds_up_little() {
    let (mut roster, now) = listed(&[1]);
    assert!(roster.discovered(spot(9), "nine", now).is_some());
    roster.settled(at(1), now, None);
    assert_eq!(roster.waits(now), Some(now + FIRST));
    roster.silent(at(9), now);
    let round = now + Duration::from_secs(1);
    roster.settled(at(1), round, None);
    assert_eq!(roster.waits(round), Some(round + GRACE));
}

#[test]
fn nobody_is_listened_to_twice_and_what_is_listed_stays() {
    let (mut roster, now) = listed(&[1]);
    assert!(roster.told(at(1), &told("one", 2), None));
    // At its address, or by its id.
    assert_eq!(roster.discovered(spot(1), "?", now), None);
    assert_eq!(roster.discovered(spot(9), "one", now), None);
    // Found out later only.
    assert!(roster.discovered(spot(8), "two", now).is_some());
    assert!(!roster.told(at(8), &told("one", 2), None), "another one");
    let (mut roster, now) = listed(&[1]);
    assert!(roster.discovered(spot(9), "one", now).is_some());
    assert!(roster.told(at(9), &told("one", 2), None));
    assert!(roster.told(at(1), &told("one", 2), None), "listed");
    assert!(!roster.told(at(9), &told("one", 2), None), "found");
}

#[test]
fn what_is_gone_from_a_name_is_forgotten_and_what_is_listed_never() {
    let (mut roster, now) = listed(&[1, 2]);
    let later = now + Duration::from_secs(1000);
    assert!(roster.keeps(at(1), later));
    // Where the name cannot be looked up all stays.
    roster.resolved(&named("s"), Err(no()), later);
    assert!(roster.keeps(at(2), later));
    let new = roster.resolved(&named("s"), Ok(vec![at(1), at(3)]), later);
    assert_eq!(new.iter().map(|spot| spot.at).collect::<Vec<_>>(), [at(3)]);
    assert!(roster.keeps(at(1), later));
    assert!(!roster.keeps(at(2), later));
    assert!(roster.at(at(2)).is_none());
}

#[test]
fn how_many_are_kept_is_bounded_and_what_is_listed_comes_first() {
    let (mut roster, now) = listed(&[1]);
    for last in 2..=255 {
        roster.discovered(spot(last), &last.to_string(), now);
    }
    assert_eq!(roster.members.len(), MOST);
    let new = roster.resolved(&named("s"), Ok(vec![at(1), at(250)]), now);
    assert_eq!((new.len(), roster.members.len()), (1, MOST));
}

#[test]
fn that_fewer_are_heard_than_there_are_is_said_once() {
    let (mut roster, now) = listed(&[1]);
    roster.told(at(1), &told("one", 2), None);
    roster.discovered(spot(2), "two", now);
    roster.settled(at(2), now, Some(no()));
    let notes = roster.notes();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("only 1 of 3 sentinels are heard"),
        "{notes:?}"
    );
    assert!(notes[0].contains("10.0.0.2:26379: refused"), "{notes:?}");
    assert!(roster.notes().is_empty());
    for (last, id) in [(2, "two"), (3, "three")] {
        roster.discovered(spot(last), id, now);
        assert!(roster.told(at(last), &told(id, 2), None));
    }
    assert!(roster.notes().is_empty());
    // One that lets us not listen is not heard.
    roster.told(at(1), &told("one", 2), Some("NOPERM".into()));
    assert_eq!(roster.notes().len(), 2);
}
