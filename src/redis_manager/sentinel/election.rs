//! The election: which server is the primary, and whether a failover from it is under way, by all answers and messages
//! of the sentinels. This state alone decides which connections to a primary are made and kept. Pure: no socket, and no
//! clock of its own. Connections to the sentinels are in [`super::listener`], waiting for the outcome in
//! [`super::failover`].
//!
//! The rules:
//!
//! - The primary is the one that was named with the highest epoch. An answer of an older epoch changes
//!   nothing, however late it comes.
//! - A failover from it that any sentinel has reported, by a message or in an answer, bars it: writes that it
//!   acknowledges are lost from the moment at which the replica is promoted, which may be at once. The bar outlives the
//!   connection that it has ended, and the connection to the sentinel.
//! - The bar ends when a newer epoch names another primary; when the sentinel that reported the failover answers a
//!   later question over the same connection that there is none, and names the same primary; and after [`PATIENCE`],
//!   because a failover may be aborted, or its leader may die.
//! - Epochs may start again from 0 (another deployment). So a primary that no sentinel names any more is given up for
//!   the one that they name, if that lasts for [`PATIENCE`] while a connection is wanted.

#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::redis_manager::server_address::Address;

/// How long a failover bars a primary that it has not replaced, from the last message about it.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The maximum number of bars; a live connection has at most two, and those of dead ones expire.
const BARS: usize = 256;

/// The number of a connection to one sentinel, over which messages keep their order.
pub(super) type ConnectionId = u64;

/// The answer of a sentinel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) address: Address,
    /// Grows with each failover; `None` if our user may not ask for it.
    pub(super) epoch: Option<u64>,
    /// Whether it is about to promote another server.
    pub(super) fails_over: bool,
}

/// A message that a sentinel publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FailoverEvent {
    /// A failover from this primary is under way.
    FailsOver(Address),
    /// A failover has ended.
    Switched { from: Address, to: Address },
}

/// Whether a connection may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No sentinel has named a primary.
    Unknown,
    /// Connect to this server.
    Connect(Address),
    /// A failover is under way: wait until this time, or for news.
    Wait(Instant),
}

/// What all sentinels have said about the primary and about failovers.
#[derive(Debug, Default)]
pub(super) struct Election {
    primary: Option<Named>,
    bars: Vec<Bar>,
    /// The last answer of each connected sentinel.
    views: BTreeMap<ConnectionId, Named>,
    /// Since when the connected sentinels name only other servers.
    doubt: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    address: Address,
    epoch: Option<u64>,
}

/// A failover from `address`, reported over connection `id`.
#[derive(Debug)]
struct Bar {
    id: ConnectionId,
    address: Address,
    /// When it was last reported.
    at: Instant,
}

impl Election {
    /// Takes the answer to a question that was asked at `asked`. Returns whether anything has changed.
    pub(super) fn answers(
        &mut self,
        id: ConnectionId,
        answer: Answer,
        asked: Instant,
        now: Instant,
    ) -> bool {
        let Answer {
            address,
            epoch,
            fails_over,
        } = answer;
        let own = |bar: &Bar| bar.id == id && bar.address == address;
        let before = self.bars.len();
        if !fails_over {
            self.bars.retain(|bar| !(own(bar) && bar.at < asked));
        } else if !self.bars.iter().any(own) {
            // An answer does not prolong a bar that this sentinel has set already.
            self.bar(id, &address, now);
        }
        let changed = self.bars.len() != before;
        self.views.insert(id, Named { address, epoch });
        self.weigh(now) || changed
    }

    /// Takes an event that a sentinel published. Returns whether anything has changed.
    pub(super) fn publishes(
        &mut self,
        id: ConnectionId,
        news: FailoverEvent,
        now: Instant,
    ) -> bool {
        match news {
            FailoverEvent::FailsOver(address) => self.bar(id, &address, now),
            FailoverEvent::Switched { from, to } => {
                // The sentinel has just learned of this one, so what it reported against `to` before is obsolete.
                self.bars.retain(|bar| !(bar.id == id && bar.address == to));
                self.bar(id, &from, now);
                // The message has no epoch; the next answer has, unless asking for it is forbidden.
                if let Some(view) = self.views.get_mut(&id)
                    && view.epoch.is_none()
                {
                    view.address = to;
                }
                self.weigh(now);
            }
        }
        true
    }

    /// Records that a connection to a sentinel has ended. The failovers that it reported remain.
    pub(super) fn gone(&mut self, id: ConnectionId, now: Instant) {
        self.views.remove(&id);
        self.weigh(now);
    }

    /// Decides whether a connection may be made, for an attempt that has lasted since `since`.
    pub(super) fn verdict(&mut self, since: Instant, now: Instant) -> Verdict {
        let candidate = self.candidate(now);
        let outlasted = |doubt: Instant| doubt.max(since) + PATIENCE <= now;
        if self.doubt.is_some_and(outlasted) || self.outvoted(candidate.as_ref()) {
            self.primary = candidate;
            self.doubt = None;
        }
        match &self.primary {
            None => Verdict::Unknown,
            Some(Named { address, .. }) => match self.barred(address, now) {
                Some(until) => Verdict::Wait(until),
                None => Verdict::Connect(address.clone()),
            },
        }
    }

    /// Returns whether a connection to `address` must not be kept.
    pub(super) fn forbids(&self, address: &Address, now: Instant) -> bool {
        let other = |primary: &Named| primary.address != *address;
        self.primary.as_ref().is_some_and(other) || self.barred(address, now).is_some()
    }

    fn barred(&self, address: &Address, now: Instant) -> Option<Instant> {
        let about = self.bars.iter().filter(|bar| bar.address == *address);
        let until = about.map(|bar| bar.at + PATIENCE).max()?;
        (now < until).then_some(until)
    }

    fn bar(&mut self, id: ConnectionId, address: &Address, now: Instant) {
        self.bars
            .retain(|bar| !(bar.id == id && bar.address == *address));
        let (heard, bars) = (&self.views, &mut self.bars);
        // An expired bar still shows that its sentinel, if connected, has reported this failover.
        bars.retain(|bar| now < bar.at + PATIENCE || heard.contains_key(&bar.id));
        if bars.len() >= BARS {
            bars.remove(0);
        }
        bars.push(Bar {
            id,
            address: address.clone(),
            at: now,
        });
    }

    /// Decides anew after an answer has changed. Returns whether the primary is another one.
    fn weigh(&mut self, now: Instant) -> bool {
        let Some(candidate) = self.candidate(now) else {
            self.doubt = None;
            return false;
        };
        let replaces = match &self.primary {
            None => true,
            // Without epochs only a failover from it distinguishes an old answer from a new one.
            Some(primary) if primary.epoch.is_none() && candidate.epoch.is_none() => {
                self.barred(&primary.address, now).is_some()
            }
            Some(primary) => candidate.epoch > primary.epoch,
        };
        if replaces {
            let moved = self.primary.as_ref() != Some(&candidate);
            self.primary = Some(candidate);
            self.doubt = None;
            return moved;
        }
        let named = |view: &Named| {
            let primary = self.primary.as_ref();
            primary.is_some_and(|primary| primary.address == view.address)
        };
        if self.views.values().any(named) {
            self.doubt = None;
        } else {
            self.doubt.get_or_insert(now);
        }
        false
    }

    /// Returns whether most sentinels name another server; without epochs a new connection is made to that.
    fn outvoted(&self, candidate: Option<&Named>) -> bool {
        let (Some(primary), Some(candidate)) = (&self.primary, candidate) else {
            return false;
        };
        primary.epoch.is_none()
            && candidate.epoch.is_none()
            && self.count(candidate) > self.count(primary)
    }

    /// Returns the choice of the connected sentinels: the highest epoch, then a server that no failover bars, then the
    /// one that most of them name.
    fn candidate(&self, now: Instant) -> Option<Named> {
        let rank = |view: &&Named| {
            let free = self.barred(&view.address, now).is_none();
            (view.epoch, free, self.count(view))
        };
        // The first of equal ones.
        self.views
            .values()
            .min_by_key(|view| Reverse(rank(view)))
            .cloned()
    }

    fn count(&self, named: &Named) -> usize {
        let same = |view: &&Named| *view == named;
        self.views.values().filter(same).count()
    }
}
