//! The rules of the cache, each of which can be broken on purpose, so that the tests can be seen to
//! fail: in unit tests, and in an addon built with the feature `broken`, which reads
//! `GLOBALCHANNEL_BROKEN`. In every other build nothing is broken and the questions cost nothing.

use super::{
    Session, Slot,
    calls::{At, Place, State},
};
use crate::shelf::SharedKey;

/// What is broken: the name of a rule, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Broken(#[cfg(any(test, feature = "broken"))] Option<&'static str>);

impl Broken {
    /// Every name that can be asked for.
    #[cfg(any(test, feature = "broken"))]
    pub const NAMES: &[&str] = &[
        "no-barrier",
        "no-token",
        "null-keeps-loads",
        "joins-sent-load",
        "shares-sent-barrier",
        "no-fallback-same-batch",
        "no-fallback-next-batch",
        "no-fallback-for-reads",
        "by-reference",
        "barrier-ignores-count",
        "cache-on-resp2",
        "panicking-closure",
    ];

    /// The rule of this name is broken.
    ///
    /// # Panics
    /// If there is no such rule.
    #[cfg(any(test, feature = "broken"))]
    #[must_use]
    pub fn rule(name: &str) -> Self {
        let known = Self::NAMES.iter().find(|known| **known == name);
        Self(Some(known.expect("a rule that can be broken")))
    }

    /// What the environment asks for.
    #[must_use]
    pub fn from_env() -> Self {
        #[cfg(feature = "broken")]
        if let Ok(name) = std::env::var("GLOBALCHANNEL_BROKEN") {
            return Self::rule(&name);
        }
        Self::default()
    }

    /// Whether the rule of this name is broken.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        #[cfg(any(test, feature = "broken"))]
        {
            debug_assert!(Self::NAMES.contains(&name), "{name}");
            self.0 == Some(name)
        }
        #[cfg(not(any(test, feature = "broken")))]
        {
            let _ = name;
            false
        }
    }
}

/// What is done in the place of a rule that is broken.
impl Session {
    /// Rule 4 broken: a read that is placed is no fallback.
    pub(super) fn keep_groups_if_broken(&mut self, key: &SharedKey) -> Vec<(u64, usize)> {
        match self.busy.get_mut(key) {
            Some(busy) if self.broken.is("no-fallback-for-reads") => {
                std::mem::take(&mut busy.groups)
            }
            _ => Vec::new(),
        }
    }

    /// Rule 4 broken: the load may have been executed before this call was made.
    pub(super) fn join_sent_load(&mut self, at: At, key: &SharedKey) -> Option<State> {
        let token = self.entries.loading(key)?;
        self.flights.iter_mut().find_map(|flight| {
            let no = flight.no;
            flight
                .slots
                .iter_mut()
                .enumerate()
                .find_map(|(slot, load)| match load {
                    Slot::Load {
                        token: of, waiters, ..
                    } if *of == token => {
                        waiters.push(at);
                        Some(State::Waiting(Place { flight: no, slot }))
                    }
                    _ => None,
                })
        })
    }

    /// Rule 4 broken: the barrier may have been executed before this call was made.
    pub(super) fn share_sent_barrier(
        &mut self,
        at: At,
        key: &SharedKey,
        version: u64,
    ) -> Option<State> {
        let groups = self
            .flights
            .iter_mut()
            .flat_map(|flight| &mut flight.groups);
        let mut same = groups.filter(|group| group.key == *key && group.version == version);
        same.next()?.members.push(at);
        Some(State::Candidate(usize::MAX))
    }
}
