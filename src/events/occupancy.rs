//! First and last members of channels whose keys are on several servers, where the step of a change sees those on its own
//! frontend only. What is known of a channel here is on which frontends it has members, at the moment of the change that
//! was received last.
//!
//! A change that made the first member *on its frontend*, or removed the last one there, is marked. With the first such
//! change of a channel the other frontends are not known, so they are looked at. An answer is of one frontend at one moment
//! after that change; if a marked change of this frontend was received since, that tells how it was before. So all changes
//! since can be gone through in their order once the answers are there.
//!
//! A channel without members is forgotten, so the memory is bounded by the channels that exist.

use std::collections::{HashMap, HashSet};

use super::message::{Change, Kind};

/// A frontend.
type Sid = Vec<u8>;

/// What is known of the channels, by their fields.
#[derive(Debug, Default)]
pub struct Occupancy {
    channels: HashMap<Vec<u8>, Channel>,
}

#[derive(Debug)]
enum Channel {
    /// The frontends are looked at; the marked changes since.
    Looking(Vec<Edge>),
    /// The frontends on which there are members.
    Known(HashSet<Sid>),
}

/// A change that made the first member on a frontend, or removed the last one there.
#[derive(Debug, Clone)]
struct Edge {
    kind: Kind,
    sid: Sid,
    reason: Vec<u8>,
}

impl Occupancy {
    /// Returns whether something is known of a channel. All its changes are to be taken then, watched or not.
    #[must_use]
    pub fn tracks(&self, field: &[u8]) -> bool {
        self.channels.contains_key(field)
    }

    /// Takes a change in the order of all, and marks it if it is about the first or the last member of the channel. Returns
    /// whether the frontends are to be looked at.
    pub fn take(&mut self, change: &mut Change) -> bool {
        if !std::mem::replace(&mut change.is_edge, false) {
            // Members of processes that are not in the index of frontends.
            if let Some(Channel::Known(sids)) = self.channels.get_mut(change.field)
                && !sids.contains(change.sid)
            {
                sids.insert(change.sid.to_vec());
            }
            return false;
        }
        let (kind, sid) = (change.kind, change.sid.to_vec());
        match self.channels.get_mut(change.field) {
            Some(Channel::Known(sids)) => {
                change.is_edge = apply(sids, kind, sid);
                if sids.is_empty() {
                    self.channels.remove(change.field);
                }
                false
            }
            Some(Channel::Looking(edges)) => {
                edges.push(edge(change));
                false
            }
            None => {
                let looking = Channel::Looking(vec![edge(change)]);
                self.channels.insert(change.field.to_vec(), looking);
                true
            }
        }
    }

    /// Takes on which frontends there were members by a look. Returns a message that tells of first and last members only,
    /// by changes without uids.
    pub fn looked(&mut self, field: &[u8], found: impl IntoIterator<Item = Sid>) -> Vec<u8> {
        let mut message = Vec::new();
        let Some(Channel::Looking(edges)) = self.channels.remove(field) else {
            return message;
        };
        // How it was before the first of the changes.
        let mut sids: HashSet<Sid> = found.into_iter().collect();
        for edge in edges.iter().rev() {
            if edge.kind == Kind::Join {
                sids.remove(&edge.sid);
            } else {
                sids.insert(edge.sid.clone());
            }
        }
        for Edge { kind, sid, reason } in &edges {
            if apply(&mut sids, *kind, sid.clone()) {
                let kind = if *kind == Kind::Join {
                    Kind::Join
                } else {
                    Kind::Leave
                };
                let told = Change {
                    kind,
                    is_edge: true,
                    time: None,
                    reason,
                    field,
                    sid,
                    count: 0,
                    uids: b"",
                };
                told.write(&mut message);
            }
        }
        if !sids.is_empty() {
            self.channels.insert(field.to_vec(), Channel::Known(sids));
        }
        message
    }
}

fn edge(change: &Change) -> Edge {
    Edge {
        kind: change.kind,
        sid: change.sid.to_vec(),
        reason: change.reason.to_vec(),
    }
}

/// Returns whether the channel had no members before, or has none now.
fn apply(sids: &mut HashSet<Sid>, kind: Kind, sid: Sid) -> bool {
    if kind == Kind::Join {
        let was_empty = sids.is_empty();
        sids.insert(sid);
        was_empty
    } else {
        sids.remove(&sid);
        sids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::events::message::read;

    fn change(kind: Kind, sid: &[u8], is_edge: bool) -> Change<'_> {
        Change {
            kind,
            is_edge,
            time: Some(1),
            reason: b"call",
            field: b"a",
            sid,
            count: 1,
            uids: b"1:u",
        }
    }

    /// A world of three frontends, with their real members, and what a watcher makes of it.
    #[derive(Default)]
    struct World {
        counts: [u8; 3],
        occupancy: Occupancy,
        told: Vec<(bool, u8)>,
        expected: Vec<(bool, u8)>,
    }

    impl World {
        /// Members of a frontend come and go. Returns whether a look begins.
        fn turn(&mut self, at: u8, adds: bool) -> bool {
            let before = self.counts;
            let count = &mut self.counts[usize::from(at)];
            if !adds && *count == 0 {
                return false;
            }
            *count = if adds { *count + 1 } else { *count - 1 };
            let is_edge = *count == u8::from(adds);
            let is_empty = |counts: [u8; 3]| counts == [0; 3];
            if is_empty(before) || is_empty(self.counts) {
                self.expected.push((adds, at));
            }
            let kind = if adds { Kind::Join } else { Kind::Leave };
            let sid = [at];
            let mut change = change(kind, &sid, is_edge);
            let looks = self.occupancy.take(&mut change);
            if change.is_edge {
                self.told.push((adds, at));
            }
            looks
        }

        fn looked(&mut self, found: Vec<Vec<u8>>) {
            let message = self.occupancy.looked(b"a", found);
            for change in read(&message).expect("a message") {
                assert!(change.is_edge && change.count == 0 && change.uids().count() == 0);
                self.told.push((change.kind == Kind::Join, change.sid[0]));
            }
        }
    }

    proptest! {
        /// Whenever each frontend is looked at: the first and the last members of the channel are told, in their order.
        #[test]
        fn first_and_last_members_are_those_of_the_channel(
            first in [0..2u8, 0..2u8, 0..2u8], steps in vec((0..3u8, any::<bool>(), 0..4u8), 0..60),
        ) {
            let mut world = World { counts: first, ..World::default() };
            // A look under way: what each frontend has answered so far.
            let mut look: Option<Vec<Option<bool>>> = None;
            for (at, adds, answers) in steps {
                if world.turn(at, adds) {
                    prop_assert!(look.is_none());
                    look = Some(vec![None; 3]);
                }
                let Some(seen) = &mut look else { continue };
                let count = world.counts;
                if let Some(answer) = seen.get_mut(usize::from(answers)) {
                    answer.get_or_insert(count[usize::from(answers)] > 0);
                }
                if seen.iter().all(Option::is_some) {
                    let has = |&(_, answer): &(u8, &Option<bool>)| *answer == Some(true);
                    let found = (0..3).zip(seen.iter()).filter(has).map(|(at, _)| vec![at]);
                    let found = found.collect();
                    look = None;
                    world.looked(found);
                }
            }
            if let Some(seen) = look {
                let counts = world.counts;
                let has = |&at: &u8| {
                    let at = usize::from(at);
                    seen[at].unwrap_or(counts[at] > 0)
                };
                let found = (0..3).filter(has).map(|at| vec![at]).collect();
                world.looked(found);
            }
            prop_assert_eq!(&world.told, &world.expected);
        }
    }

    #[test]
    fn a_look_that_nothing_waits_for_and_a_change_without_a_mark_tell_nothing() {
        let mut occupancy = Occupancy::default();
        assert!(occupancy.looked(b"a", [b"s1".to_vec()]).is_empty());
        let mut change = change(Kind::Join, b"s1", false);
        assert!(!occupancy.take(&mut change) && !occupancy.tracks(b"a"));
    }
}
