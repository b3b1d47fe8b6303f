//! The set of sentinels, and the state of the questions to each: those that are listed, at every address of a name, and
//! those that they know. Bookkeeping only; the tasks that talk to them are in [`super::tasks`].

mod notes;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    listener::{LIMIT, SentinelAddr},
    protocol::SentinelReply,
};
use crate::{manager::ConnectError, redis_manager::server_address::Address};

/// How long a search waits for a sentinel that did not answer the last question in time.
const GRACE: Duration = Duration::from_millis(100);

/// How long it waits for one that is not listed and has never answered: its announced address may not be reachable from
/// here.
const FIRST: Duration = Duration::from_millis(400);

/// A sentinel that is not listed, or no longer behind its name, is removed after this time without a connection.
const FORGET: Duration = Duration::from_secs(60);

/// The maximum number of sentinels that are subscribed to.
const MOST: usize = 32;

/// The sentinels of one primary: those that are listed, and those that these have named.
#[derive(Debug)]
pub(super) struct SentinelSet {
    listed: Vec<Listed>,
    members: Vec<Member>,
    /// The last lines for the log about sentinels that are not connected, and about missing rights.
    noted: Vec<String>,
}

/// An entry of option `sentinels`: a name, or an address.
#[derive(Debug)]
struct Listed {
    address: Address,
    /// Whether it was resolved, with or without success.
    settled: bool,
    /// The last addresses of the name; other names may have the same.
    at: Vec<SocketAddr>,
    no: Option<ConnectError>,
}

#[derive(Debug)]
struct Member {
    addr: SentinelAddr,
    /// Whether it is at an address of a listed name.
    listed: bool,
    /// The id that it must have, as named by another sentinel.
    expected: Option<String>,
    up: bool,
    /// When the last question was asked that was answered, or failed.
    settled: Option<Instant>,
    answered: Option<Instant>,
    /// Whether the last question was not answered in time.
    slow: bool,
    /// Since when there is no connection.
    down: Instant,
    no: Option<ConnectError>,
    id: Option<String>,
    count: Option<usize>,
    denied: Vec<(&'static str, Arc<str>)>,
    not_subscribed: Option<Arc<str>>,
}

impl SentinelSet {
    pub(super) fn new(addresses: &[Address]) -> Self {
        let listed = |address: &Address| Listed {
            address: address.clone(),
            settled: false,
            at: Vec::new(),
            no: None,
        };
        Self {
            listed: addresses.iter().map(listed).collect(),
            members: Vec::new(),
            noted: Vec::new(),
        }
    }

    /// Takes the addresses of a listed name. Returns those that are new.
    pub(super) fn resolved(
        &mut self,
        address: &Address,
        found: Result<Vec<SocketAddr>, ConnectError>,
        now: Instant,
    ) -> Vec<SentinelAddr> {
        let found = found.and_then(|found| {
            let none = || ConnectError::Unreachable("the name has no address".into());
            if found.is_empty() {
                Err(none())
            } else {
                Ok(found)
            }
        });
        if let Some(listed) = self.listed.iter_mut().find(|each| each.address == *address) {
            listed.settled = true;
            listed.no = found.as_ref().err().cloned();
            if let Ok(found) = &found {
                listed.at.clone_from(found);
            }
        }
        // A name that cannot be resolved now keeps its addresses.
        let Ok(found) = found else { return Vec::new() };
        for member in &mut self.members {
            if member.addr.named == *address {
                member.listed = found.contains(&member.addr.at);
            }
        }
        let mut new = Vec::new();
        for at in found {
            let named = address.clone();
            if let Some(member) = self.at(at) {
                member.listed = true;
            } else if let Some(addr) = self.add(SentinelAddr { at, named }, None, true, now) {
                new.push(addr);
            }
        }
        new
    }

    /// Adds a sentinel that another one has named. Returns it if it is new.
    pub(super) fn discovered(
        &mut self,
        addr: SentinelAddr,
        id: &str,
        now: Instant,
    ) -> Option<SentinelAddr> {
        let heard = |member: &Member| member.up && member.id.as_deref() == Some(id);
        if self.members.iter().any(heard) || self.at(addr.at).is_some() {
            return None;
        }
        self.add(addr, Some(id.to_owned()), false, now)
    }

    fn add(
        &mut self,
        addr: SentinelAddr,
        expected: Option<String>,
        listed: bool,
        now: Instant,
    ) -> Option<SentinelAddr> {
        if self.members.len() >= MOST {
            // A listed sentinel replaces one that is not.
            let spare = |member: &Member| !member.listed && !member.up;
            let spare = self.members.iter().position(spare).filter(|_| listed)?;
            self.members.remove(spare);
        }
        self.members.push(Member {
            addr: addr.clone(),
            listed,
            expected,
            up: false,
            settled: None,
            answered: None,
            slow: false,
            down: now,
            no: None,
            id: None,
            count: None,
            denied: Vec::new(),
            not_subscribed: None,
        });
        Some(addr)
    }

    fn at(&mut self, at: SocketAddr) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.addr.at == at)
    }

    /// Notes that a sentinel has answered. Returns whether to subscribe to it: not if it is connected at another
    /// address already, nor if it is not the expected one.
    pub(super) fn told(
        &mut self,
        at: SocketAddr,
        told: &SentinelReply,
        not_subscribed: Option<Arc<str>>,
    ) -> bool {
        let Some(index) = self.members.iter().position(|each| each.addr.at == at) else {
            return false;
        };
        let same = |(other, each): (usize, &Member)| {
            other != index && each.up && each.id.is_some() && each.id == told.id
        };
        let twice = self.members.iter().enumerate().any(same);
        let member = &mut self.members[index];
        let known = [&member.expected, &told.id].map(Option::as_deref);
        let stranger = matches!(known, [Some(expected), Some(id)] if expected != id);
        if !member.listed && (twice || stranger) {
            return false;
        }
        member.up = true;
        member.no = None;
        member.id.clone_from(&told.id);
        member.count = told.count;
        member.denied.clone_from(&told.denied);
        member.not_subscribed = not_subscribed;
        true
    }

    /// Notes that the question asked at `asked` was answered, or has failed.
    pub(super) fn settled(&mut self, at: SocketAddr, asked: Instant, no: Option<ConnectError>) {
        if let Some(member) = self.at(at) {
            member.settled = Some(asked);
            member.slow = false;
            if no.is_none() {
                member.answered = Some(asked);
            }
            member.no = no;
        }
    }

    /// Notes that a sentinel did not answer in time.
    pub(super) fn silent(&mut self, at: SocketAddr, asked: Instant, no: ConnectError) {
        self.settled(at, asked, Some(no));
        if let Some(member) = self.at(at) {
            member.slow = true;
        }
    }

    pub(super) fn lost(&mut self, at: SocketAddr, now: Instant) {
        if let Some(member) = self.at(at) {
            member.up = false;
            member.down = now;
        }
    }

    /// Returns whether a sentinel without a connection is to be tried again; removes it if not.
    pub(super) fn keeps(&mut self, at: SocketAddr, now: Instant) -> bool {
        let keeps = self
            .at(at)
            .is_some_and(|member| member.listed || now < member.down + FORGET);
        if !keeps {
            self.forget(at);
        }
        keeps
    }

    pub(super) fn forget(&mut self, at: SocketAddr) {
        self.members.retain(|member| member.addr.at != at);
    }

    /// Returns whether no sentinel behind a listed name is connected.
    pub(super) fn lacks(&self, address: &Address) -> bool {
        let mut listed = self.listed.iter().filter(|each| each.address == *address);
        let up = |at: &SocketAddr| {
            self.members
                .iter()
                .any(|each| each.up && each.addr.at == *at)
        };
        !listed.any(|each| each.at.iter().any(up))
    }

    /// Returns until when a search that has asked all sentinels at `round` waits for their answers; `None` if all
    /// relevant ones have answered or failed. A silent sentinel is waited for once, and after that only if no other one
    /// answers.
    pub(super) fn waits(&self, round: Instant) -> Option<Instant> {
        let answered = self.answered_since(round);
        let names = self.listed.iter().filter(|each| !each.settled);
        let names = names.map(|_| round + LIMIT);
        let open = |member: &&Member| member.settled.is_none_or(|settled| settled < round);
        let members = self.members.iter().filter(open);
        let members = members.map(|member| {
            let limit = match member {
                member if !answered && member.listed => LIMIT,
                member if member.slow => GRACE,
                member if member.listed || member.answered.is_some() => LIMIT,
                _ => FIRST,
            };
            round + limit
        });
        names.chain(members).max()
    }

    pub(super) fn answered_since(&self, round: Instant) -> bool {
        let since = |member: &Member| member.answered.is_some_and(|answered| answered >= round);
        self.members.iter().any(since)
    }

    /// Returns why the listed sentinels named no primary, with the address of each.
    pub(super) fn failures(&self) -> Vec<(Address, ConnectError)> {
        let silent = || ConnectError::late(format_args!("{} ms", LIMIT.as_millis()), None);
        let mut failures = Vec::new();
        for Listed {
            address, at, no, ..
        } in &self.listed
        {
            let own = |member: &&Member| at.contains(&member.addr.at);
            let members = self.members.iter().filter(own);
            let mut own: Vec<_> = members.filter_map(|member| member.no.clone()).collect();
            own.extend(no.clone());
            // Some addresses of a name may have no server (`localhost` in IPv6): one that answers decides.
            let refused = |no: &ConnectError| matches!(no, ConnectError::Refused(_));
            if own.iter().any(refused) {
                own.retain(refused);
            }
            if own.is_empty() {
                own.push(silent());
            }
            failures.extend(own.into_iter().map(|no| (address.clone(), no)));
        }
        failures
    }
}
