//! The rules by examples, and random histories of failovers whose news are delayed, lost, repeated and reordered.

mod histories;

use super::*;

fn at(port: u16) -> Address {
    Address::Tcp("10.0.0.1".into(), port)
}

fn says(port: u16, epoch: u64) -> Answer {
    Answer {
        address: at(port),
        epoch: Some(epoch),
        fails_over: false,
    }
}

fn fails_over(port: u16, epoch: u64) -> Answer {
    Answer {
        fails_over: true,
        ..says(port, epoch)
    }
}

/// From a sentinel that may not tell its epoch.
fn names(port: u16) -> Answer {
    Answer {
        epoch: None,
        ..says(port, 0)
    }
}

/// An election with a clock that only the test moves.
struct Case {
    election: Election,
    start: Instant,
    now: Instant,
}

impl Case {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            election: Election::default(),
            start: now,
            now,
        }
    }

    /// An answer to a question of this moment.
    fn answers(&mut self, id: ConnectionId, answer: Answer) {
        let asked = self.now;
        self.passes(1);
        self.election.answers(id, answer, asked, self.now);
    }

    fn publishes(&mut self, id: ConnectionId, news: FailoverEvent) {
        self.passes(1);
        self.election.publishes(id, news, self.now);
        self.passes(1);
    }

    fn passes(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// The port that may be connected to by one who begins to look now.
    fn port(&mut self) -> Option<u16> {
        self.port_since(self.now)
    }

    fn port_since(&mut self, since: Instant) -> Option<u16> {
        match self.election.verdict(since, self.now) {
            Verdict::Connect(Address::Tcp(_, port)) => Some(port),
            _ => None,
        }
    }

    fn keeps(&self, port: u16) -> bool {
        !self.election.forbids(&at(port), self.now)
    }
}

#[test]
fn the_highest_epoch_counts_whatever_comes_later() {
    let mut case = Case::new();
    assert_eq!(case.port(), None);
    case.answers(1, says(1, 7));
    case.answers(2, says(2, 8));
    case.answers(3, says(1, 7));
    case.answers(4, names(3));
    assert_eq!(case.port(), Some(2));
    assert!(case.keeps(2) && !case.keeps(1));
}

#[test]
fn a_failover_bars_the_old_primary_although_others_name_it() {
    for by_message in [true, false] {
        let mut case = Case::new();
        case.answers(1, says(1, 7));
        assert!(case.keeps(1));
        if by_message {
            case.publishes(2, FailoverEvent::FailsOver(at(1)));
        } else {
            case.answers(2, fails_over(1, 7));
        }
        assert!(!case.keeps(1));
        // Also when the sentinel that has told of it is gone.
        let now = case.now;
        case.election.gone(2, now);
        for id in [1, 3, 4] {
            case.answers(id, says(1, 7));
            assert_eq!(case.port(), None);
        }
        case.answers(1, says(2, 8));
        assert_eq!(case.port(), Some(2));
    }
}

#[test]
fn after_patience_the_old_primary_is_used_and_barred_again_by_the_next_message_only() {
    let mut case = Case::new();
    case.answers(1, says(1, 7));
    case.publishes(1, FailoverEvent::FailsOver(at(1)));
    case.passes(2990);
    assert_eq!(case.port(), None);
    case.answers(1, fails_over(1, 7));
    case.passes(10);
    assert_eq!(case.port(), Some(1));
    // The same failover.
    case.answers(1, fails_over(1, 7));
    assert!(case.keeps(1));
    // It goes on after all.
    case.publishes(1, FailoverEvent::FailsOver(at(1)));
    assert!(!case.keeps(1));
}

#[test]
fn a_failover_that_is_aborted_ends_the_bar_of_the_sentinel_that_says_so() {
    let mut case = Case::new();
    case.answers(1, says(1, 7));
    let asked = case.now;
    case.passes(1);
    case.publishes(1, FailoverEvent::FailsOver(at(1)));
    // Asked before: it says nothing of what came then.
    let now = case.now;
    case.election.answers(1, says(1, 7), asked, now);
    assert_eq!(case.port(), None);
    // Asked later, and another one.
    case.answers(2, says(1, 7));
    assert_eq!(case.port(), None);
    case.answers(1, says(1, 7));
    assert_eq!(case.port(), Some(1));
}

#[test]
fn a_switch_bars_the_old_primary_until_its_epoch_is_known() {
    let mut case = Case::new();
    case.answers(1, says(1, 7));
    let (from, to) = (at(1), at(2));
    case.publishes(1, FailoverEvent::Switched { from, to });
    assert_eq!(case.port(), None);
    case.answers(1, says(2, 8));
    assert_eq!(case.port(), Some(2));
    // Back again, at once.
    let (from, to) = (at(2), at(1));
    case.publishes(1, FailoverEvent::Switched { from, to });
    case.answers(1, says(1, 9));
    assert_eq!(case.port(), Some(1));
}

#[test]
fn without_epochs_messages_and_the_most_answers_count() {
    let mut case = Case::new();
    case.answers(1, names(3));
    case.answers(2, names(1));
    case.answers(3, names(1));
    assert_eq!(case.port(), Some(1));
    // Those that name it die; a connection to it stays.
    let mut dying = Case::new();
    dying.answers(1, names(3));
    dying.answers(2, names(1));
    dying.answers(3, names(1));
    assert_eq!(dying.port(), Some(1));
    for id in [2, 3] {
        let now = dying.now;
        dying.election.gone(id, now);
    }
    assert!(dying.keeps(1));
    let (from, to) = (at(1), at(2));
    case.publishes(2, FailoverEvent::Switched { from, to });
    assert!(!case.keeps(1));
    case.answers(2, names(2));
    case.answers(3, names(2));
    assert_eq!(case.port(), Some(2));
}

#[test]
fn an_old_epoch_alone_moves_no_connection_but_one_that_is_looked_for_after_patience() {
    let mut case = Case::new();
    case.answers(1, says(1, 57));
    case.answers(2, says(2, 1));
    case.passes(100_000);
    assert_eq!(case.port_since(case.start), Some(1));
    let now = case.now;
    case.election.gone(1, now);
    case.passes(100_000);
    assert!(case.keeps(1));
    let since = case.now;
    assert_eq!(case.port_since(since), Some(1));
    case.passes(3000);
    case.answers(2, says(2, 1));
    assert_eq!(case.port_since(since), Some(2));
    // And the epochs begin with that one.
    case.answers(2, says(1, 2));
    assert_eq!(case.port(), Some(1));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut case = Case::new();
    for port in 0..10_000 {
        case.publishes(port.into(), FailoverEvent::FailsOver(at(port)));
    }
    assert!(case.election.bars.len() <= BARS);
}
