//! Leases of frontends. A frontend is the only authority on which users are online on it, for as long as it holds the
//! lease of its server id. A lease has an *epoch*, a text that each process of a frontend makes anew, and expires when
//! it is not renewed in time. What an epoch has left in the list of online users goes when the next one claims the lease,
//! or when a sweep finds the lease expired.
//!
//! | operation     | does                                                                                   | answers             |
//! | ------------- | -------------------------------------------------------------------------------------- | ------------------- |
//! | claim         | takes the lease from the epoch that is expected to hold it; removes the list of another | held, or lost       |
//! | renew         | extends the lease; takes it again if it has expired                                    | held, regained, lost |
//! | release       | removes lease and list, unless another epoch holds the lease                           | free, or lost       |
//! | sweep         | removes the list if the lease has expired                                              | free, or held       |
//! | add online    | adds users to the list, if the caller's epoch holds the lease                          | held, or lost       |
//! | remove online | removes users from the list, if the caller's epoch holds the lease                     | held, or lost       |
//!
//! Each is one atomic step on two keys, the list of online users and the lease, which are in one hash slot, also in a Redis
//! Cluster. So a process whose lease has expired, or was claimed by a later one, does not write the list, however late its
//! step arrives.
//!
//! **Sent again.** An operation whose answer was lost is sent again, and must then do no harm and answer the same:
//!
//! - A claim names the epoch that it replaces. So a claim that arrives late, when a newer process has claimed the lease
//!   already, changes nothing. One that finds its own epoch was executed before.
//! - A renewal that takes the lease again notes its *nonce* in the lease. If it arrives twice, it finds its nonce and
//!   answers `regained` again: the caller learns in any case that it must add its users again.
//!
//! **Fenced.** A step that only the lease allows names an epoch, which must hold it: [`Lease::fencing`]. Such are the steps that
//! change the list, and those that change members in the name of a frontend ([`crate::membership`]).
//!
//! [`Asked::apply`] is what a step on a lease does, for stores in this process; `redis_manager/lease_scripts.rs` says the same
//! in Lua.

use serde_json::json;

use crate::command::{EachText, Texts, WriteOp};

/// The state of a lease after an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// No one holds it.
    Free,
    /// It is held; after a claim or a renewal by the caller, without a gap.
    Held,
    /// It had expired, and the caller has taken it again.
    Regained,
    /// Another epoch holds it; nothing has changed.
    Lost,
}

impl LeaseState {
    /// All states, each at the index of its number in an answer of a script.
    pub const ALL: [Self; 4] = [Self::Free, Self::Held, Self::Regained, Self::Lost];

    /// Returns the name in JavaScript.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Held => "held",
            Self::Regained => "regained",
            Self::Lost => "lost",
        }
    }
}

/// The answer to an operation on a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its state.
    pub state: LeaseState,
    /// The number of online users that were added or removed; for a renewal, of those in the list.
    pub count: u64,
    /// The epoch that held the lease before, as text; empty if there was none.
    pub epoch: String,
    /// The time that is left, in milliseconds, if the operation is about another one's lease.
    pub ttl: u64,
}

impl Lease {
    /// Makes the answer to a read of a lease.
    #[must_use]
    pub fn of(holder: Option<Holder>) -> Self {
        let state = holder.map_or(LeaseState::Free, |_| LeaseState::Held);
        let epoch = holder.map_or(&[][..], |holder| holder.epoch);
        Self {
            state,
            count: 0,
            epoch: String::from_utf8_lossy(epoch).into_owned(),
            ttl: holder.map_or(0, |holder| holder.ttl),
        }
    }

    /// Makes the answer to a step that is allowed only as long as `epoch` holds the lease, or no one if that is empty: lost if
    /// it is not.
    #[must_use]
    pub fn fencing(holder: Option<Holder>, epoch: &[u8]) -> Self {
        let lease = Self {
            ttl: 0,
            ..Self::of(holder)
        };
        if lease.epoch.as_bytes() == epoch {
            return lease;
        }
        Self {
            state: LeaseState::Lost,
            ..lease
        }
    }

    /// Returns whether a step that this answers was allowed.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.state != LeaseState::Lost
    }

    /// Returns it as JSON, for JavaScript.
    #[must_use]
    pub fn json(&self) -> String {
        let Self {
            state,
            count,
            epoch,
            ttl,
        } = self;
        json!({ "state": state.name(), "count": count, "epoch": epoch, "ttl": ttl }).to_string()
    }
}

/// The arguments of an operation, in the order in which they are in a [`crate::command::Command`].
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The epoch of the caller: a text without white space.
    pub epoch: &'a [u8],
    /// What tells two renewals by one epoch apart.
    pub nonce: &'a [u8],
    /// For how long the lease is to be valid, in milliseconds.
    pub ttl: u64,
    /// The epoch that a claim replaces; empty for none.
    pub expected: &'a [u8],
}

/// The arguments of an operation on the list of online users ([`WriteOp::AddOnline`], [`WriteOp::RemoveOnline`]).
#[derive(Debug, Clone)]
pub struct Online<'a> {
    /// The epoch of the caller.
    pub epoch: &'a [u8],
    /// The users.
    pub uids: EachText<'a>,
}

impl<'a> Online<'a> {
    /// Reads the arguments of a command.
    #[must_use]
    pub fn of(arguments: &'a Texts) -> Self {
        let mut uids = arguments.iter();
        let epoch = uids.next().unwrap_or_default();
        Self { epoch, uids }
    }
}

/// Splits the text of a lease, its epoch and its nonce.
#[must_use]
pub fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let space = text.iter().position(|&byte| byte == b' ');
    space.map_or((text, &[]), |at| (&text[..at], &text[at + 1..]))
}

/// A lease that has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder<'a> {
    /// The epoch that holds it.
    pub epoch: &'a [u8],
    /// The nonce of the operation that took it.
    pub nonce: &'a [u8],
    /// The time that is left, in milliseconds.
    pub ttl: u64,
}

/// What a step changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step<'a> {
    /// Whether the list of online users is removed.
    pub clears: bool,
    /// What becomes of the lease; `None` if it stays.
    pub lease: Option<Change<'a>>,
}

/// What becomes of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is removed.
    Remove,
    /// It is the caller's, with this nonce.
    Hold(&'a [u8]),
}

impl<'a> Asked<'a> {
    /// Reads the arguments of a command.
    #[must_use]
    pub fn of(arguments: &'a Texts) -> Self {
        let mut arguments = arguments.iter();
        let mut next = || arguments.next().unwrap_or_default();
        let (epoch, nonce, ttl, expected) = (next(), next(), next(), next());
        let ttl = std::str::from_utf8(ttl).ok();
        Self {
            epoch,
            nonce,
            ttl: ttl.and_then(|ttl| ttl.parse().ok()).unwrap_or_default(),
            expected,
        }
    }

    /// Returns what an operation on a lease changes and answers; `holder` holds it, and the list has `count` users.
    #[must_use]
    pub fn apply(&self, op: WriteOp, holder: Option<Holder<'a>>, count: u64) -> (Step<'a>, Lease) {
        let held = holder.map_or(&[][..], |holder| holder.epoch);
        let is_own = held == self.epoch;
        let lost = || (LeaseState::Lost, Step::default(), 0);
        let (state, step, count) = match op {
            WriteOp::Claim if is_own || held == self.expected => {
                let lease = Some(Change::Hold(self.nonce));
                let clears = !is_own;
                let removed = if clears { count } else { 0 };
                (LeaseState::Held, Step { clears, lease }, removed)
            }
            WriteOp::Renew => match holder {
                Some(Holder { nonce, .. }) if is_own => {
                    let lease = Some(Change::Hold(nonce));
                    let state = if nonce == self.nonce {
                        LeaseState::Regained
                    } else {
                        LeaseState::Held
                    };
                    let clears = false;
                    (state, Step { clears, lease }, count)
                }
                Some(_) => lost(),
                None => {
                    let lease = Some(Change::Hold(self.nonce));
                    let clears = false;
                    (LeaseState::Regained, Step { clears, lease }, count)
                }
            },
            WriteOp::Release if holder.is_none() || is_own => {
                let lease = Some(Change::Remove);
                let clears = true;
                (LeaseState::Free, Step { clears, lease }, count)
            }
            WriteOp::Sweep if holder.is_none() => {
                let lease = Some(Change::Remove);
                let clears = true;
                (LeaseState::Free, Step { clears, lease }, count)
            }
            WriteOp::Sweep => (LeaseState::Held, Step::default(), 0),
            _ => lost(),
        };
        let is_others = step.lease.is_none();
        let lease = Lease {
            state,
            count,
            epoch: String::from_utf8_lossy(held).into_owned(),
            ttl: holder.filter(|_| is_others).map_or(0, |holder| holder.ttl),
        };
        (step, lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Holder = Holder {
        epoch: b"a",
        nonce: b"0",
        ttl: 5,
    };

    fn asked<'a>(nonce: &'a str, expected: &'a str) -> Asked<'a> {
        Asked {
            epoch: b"a",
            nonce: nonce.as_bytes(),
            ttl: 9,
            expected: expected.as_bytes(),
        }
    }

    const B: Holder = Holder {
        epoch: b"b",
        nonce: b"0",
        ttl: 5,
    };

    #[test]
    fn a_claim_replaces_the_epoch_that_it_expects_and_no_other() {
        let (step, lease) = asked("0", "").apply(WriteOp::Claim, None, 3);
        assert!(step.clears && lease.state == LeaseState::Held && lease.count == 3);
        let (step, lease) = asked("0", "b").apply(WriteOp::Claim, Some(B), 3);
        assert!(step.clears && lease.state == LeaseState::Held && lease.epoch == "b");
        for expected in ["", "c"] {
            let (step, lease) = asked("0", expected).apply(WriteOp::Claim, Some(B), 3);
            assert_eq!(step, Step::default());
            assert_eq!((lease.state, lease.ttl), (LeaseState::Lost, 5));
        }
    }

    #[test]
    fn a_claim_that_was_executed_before_removes_nothing() {
        let (step, lease) = asked("0", "b").apply(WriteOp::Claim, Some(A), 3);
        assert!(!step.clears && lease.state == LeaseState::Held && lease.count == 0);
    }

    #[test]
    fn a_renewal_that_took_the_lease_again_says_so_when_it_is_sent_twice() {
        let (step, lease) = asked("7", "").apply(WriteOp::Renew, None, 0);
        assert_eq!(lease.state, LeaseState::Regained);
        assert_eq!(step.lease, Some(Change::Hold(b"7")));
        let again = Holder { nonce: b"7", ..A };
        let (step, lease) = asked("7", "").apply(WriteOp::Renew, Some(again), 0);
        assert_eq!(lease.state, LeaseState::Regained);
        assert_eq!(step.lease, Some(Change::Hold(b"7")));
        let (_, lease) = asked("8", "").apply(WriteOp::Renew, Some(again), 0);
        assert_eq!(lease.state, LeaseState::Held);
    }

    #[test]
    fn another_epochs_lease_stays_and_so_does_its_list() {
        for op in [WriteOp::Renew, WriteOp::Release, WriteOp::Sweep] {
            let (step, lease) = asked("1", "").apply(op, Some(B), 3);
            assert_eq!(step, Step::default(), "{op:?}");
            assert_eq!((lease.epoch.as_str(), lease.count), ("b", 0), "{op:?}");
        }
    }
}
