//! Random histories: sentinels that lead failovers, abort them, learn of them late; connections on which news and
//! answers wait, come twice, or are lost. What must hold is said of the truth, not of the rules.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};

use super::*;

const SENTINELS: usize = 3;
const SERVERS: u16 = 3;
const LINES: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    /// This sentinel begins a failover to that server.
    Begins(usize, u16),
    Promotes,
    Aborts,
    Learns(usize),
    Asks(usize),
    Arrives(usize),
    Repeats(usize),
    /// An answer that has arrived is looked at after the message behind it.
    Overtakes(usize),
    Breaks(usize),
    Passes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..SENTINELS, 0..SERVERS).prop_map(|(who, to)| Step::Begins(who, to)),
        2 => Just(Step::Promotes),
        1 => Just(Step::Aborts),
        4 => (0..SENTINELS).prop_map(Step::Learns),
        6 => (0..LINES).prop_map(Step::Asks),
        12 => (0..LINES).prop_map(Step::Arrives),
        1 => (0..LINES).prop_map(Step::Repeats),
        2 => (0..LINES).prop_map(Step::Overtakes),
        1 => (0..LINES).prop_map(Step::Breaks),
        3 => (0..1500_u64).prop_map(Step::Passes),
    ];
    vec(step, 1..150)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Begun,
    Promoted,
    Aborted,
}

#[derive(Debug)]
struct Failover {
    from: u16,
    to: u16,
    epoch: u64,
    leader: usize,
    state: State,
}

#[derive(Debug, Clone)]
enum Item {
    FailoverEvent(FailoverEvent),
    Answer(Answer, Instant),
}

/// A connection to a sentinel, with what is under way on it; and which failovers that is evidence of.
#[derive(Default)]
struct Wire {
    id: ConnectionId,
    sentinel: usize,
    queue: VecDeque<(Item, Vec<usize>)>,
    last: Option<(Item, Vec<usize>)>,
}

struct World {
    case: Case,
    /// By epoch: `failovers[i]` leads to epoch `i + 1` unless it was aborted.
    failovers: Vec<Failover>,
    epoch: u64,
    primary: u16,
    /// What each sentinel believes.
    views: [(u16, u64); SENTINELS],
    wires: Vec<Wire>,
    connection_ids: ConnectionId,
    /// Of which failover something was heard, over which connection, when.
    evidence: Vec<(usize, ConnectionId, Instant)>,
    /// Since when a connection has been wanted.
    looking: Instant,
}

impl World {
    fn new() -> Self {
        let case = Case::new();
        let wire = |i: usize| Wire {
            id: i as ConnectionId,
            sentinel: i % SENTINELS,
            ..Wire::default()
        };
        Self {
            looking: case.now,
            case,
            failovers: Vec::new(),
            epoch: 0,
            primary: 0,
            views: [(0, 0); SENTINELS],
            wires: (0..LINES).map(wire).collect(),
            connection_ids: LINES as ConnectionId,
            evidence: Vec::new(),
        }
    }

    /// The failover that is under way, by its number.
    fn under_way(&self) -> Option<usize> {
        let last = self.failovers.len().checked_sub(1)?;
        (self.failovers[last].state == State::Begun).then_some(last)
    }

    fn publish(&mut self, sentinel: usize, news: &FailoverEvent, of: usize) {
        for wire in &mut self.wires {
            if wire.sentinel == sentinel {
                wire.queue
                    .push_back((Item::FailoverEvent(news.clone()), vec![of]));
            }
        }
    }

    fn answer(&self, sentinel: usize) -> (Answer, Vec<usize>) {
        let (port, epoch) = self.views[sentinel];
        let led = |failover: &Failover| {
            failover.leader == sentinel
                && failover.state != State::Aborted
                && failover.epoch > epoch
        };
        match self.failovers.iter().rposition(led) {
            Some(of) if self.failovers[of].state == State::Begun => {
                (fails_over(port, epoch), vec![of])
            }
            // Promoted: it names the new one before it has switched itself.
            Some(of) => (
                says(self.failovers[of].to, self.failovers[of].epoch),
                vec![of],
            ),
            None => {
                let of = |failover: &Failover| {
                    failover.state == State::Promoted && failover.epoch == epoch
                };
                let of = self.failovers.iter().position(of);
                (says(port, epoch), of.into_iter().collect())
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Begins(leader, to) => {
                let agrees = self.views[leader] == (self.primary, self.epoch);
                if self.under_way().is_some() || !agrees || to == self.primary {
                    return;
                }
                let (from, epoch) = (self.primary, self.epoch + 1);
                let state = State::Begun;
                self.failovers.push(Failover {
                    from,
                    to,
                    epoch,
                    leader,
                    state,
                });
                self.publish(
                    leader,
                    &FailoverEvent::FailsOver(at(from)),
                    self.failovers.len() - 1,
                );
            }
            Step::Promotes => {
                let Some(of) = self.under_way() else { return };
                let failover = &mut self.failovers[of];
                failover.state = State::Promoted;
                (self.primary, self.epoch) = (failover.to, failover.epoch);
                let (leader, from) = (failover.leader, failover.from);
                self.publish(leader, &FailoverEvent::FailsOver(at(from)), of);
            }
            Step::Aborts => {
                if let Some(of) = self.under_way() {
                    self.failovers[of].state = State::Aborted;
                }
            }
            Step::Learns(who) => {
                let (port, epoch) = self.views[who];
                if epoch < self.epoch {
                    self.views[who] = (self.primary, self.epoch);
                    let (from, to) = (at(port), at(self.primary));
                    if from != to {
                        // Of the first one that it has missed: that is the one which has left this server.
                        let of = |failover: &Failover| {
                            failover.state == State::Promoted && failover.epoch == epoch + 1
                        };
                        if let Some(of) = self.failovers.iter().position(of) {
                            self.publish(who, &FailoverEvent::Switched { from, to }, of);
                        }
                    }
                }
            }
            Step::Asks(wire) => {
                let (answer, of) = self.answer(self.wires[wire].sentinel);
                let asked = self.case.now;
                self.wires[wire]
                    .queue
                    .push_back((Item::Answer(answer, asked), of));
            }
            Step::Arrives(wire) => {
                if let Some((item, of)) = self.wires[wire].queue.pop_front() {
                    if let Item::FailoverEvent(_) = item {
                        self.wires[wire].last = Some((item.clone(), of.clone()));
                    }
                    self.deliver(wire, item, &of);
                }
            }
            Step::Repeats(wire) => {
                if let Some((item, of)) = self.wires[wire].last.clone() {
                    self.deliver(wire, item, &of);
                }
            }
            Step::Overtakes(wire) => {
                let queue = &mut self.wires[wire].queue;
                let news = |(item, _): &(Item, Vec<usize>)| matches!(item, Item::FailoverEvent(_));
                if queue.get(1).is_some_and(news) && !news(&queue[0]) {
                    queue.swap(0, 1);
                }
            }
            Step::Breaks(wire) => {
                let now = self.case.now;
                self.case.election.gone(self.wires[wire].id, now);
                self.connection_ids += 1;
                self.wires[wire] = Wire {
                    id: self.connection_ids,
                    sentinel: wire % SENTINELS,
                    ..Wire::default()
                };
            }
            Step::Passes(ms) => self.case.passes(ms),
        }
    }

    fn deliver(&mut self, wire: usize, item: Item, of: &[usize]) {
        self.case.passes(1);
        let (id, now) = (self.wires[wire].id, self.case.now);
        // Asking again does not prolong what was heard before.
        let again = matches!(&item, Item::Answer(answer, _) if answer.fails_over);
        let known = |of: &&usize| {
            let same = |(one, by, _): &(usize, ConnectionId, Instant)| (one, *by) == (*of, id);
            again && self.evidence.iter().any(same)
        };
        let fresh: Vec<usize> = of.iter().filter(|of| !known(of)).copied().collect();
        match item {
            Item::FailoverEvent(news) => self.case.election.publishes(id, news, now),
            Item::Answer(answer, asked) => self.case.election.answers(id, answer, asked, now),
        };
        self.evidence
            .extend(fresh.into_iter().map(|of| (of, id, now)));
        self.case.passes(1);
    }

    /// Nothing that was heard of a failover speaks against a connection to `port`.
    fn allows(&self, port: u16) -> bool {
        let now = self.case.now;
        self.evidence.iter().all(|(of, _, heard)| {
            let failover = &self.failovers[*of];
            let back = |later: &Failover| {
                later.state == State::Promoted && later.epoch > failover.epoch && later.to == port
            };
            failover.from != port
                || failover.state == State::Aborted
                || *heard + PATIENCE <= now
                || self.failovers.iter().any(back)
        })
    }

    fn check(&mut self) {
        if let Some(port) = self.case.port_since(self.looking) {
            assert!(
                self.allows(port),
                "connects to {port}: {:?}",
                self.case.election
            );
        }
        for port in 0..SERVERS {
            let kept = self.case.keeps(port);
            assert!(
                !kept || self.allows(port),
                "keeps {port}: {:?}",
                self.case.election
            );
        }
    }

    /// All is told, and nothing happens any more.
    fn settles(&mut self) {
        self.step(&Step::Aborts);
        for who in 0..SENTINELS {
            self.step(&Step::Learns(who));
        }
        for wire in 0..LINES {
            self.step(&Step::Asks(wire));
            while !self.wires[wire].queue.is_empty() {
                self.step(&Step::Arrives(wire));
            }
        }
        self.check();
        self.case.passes(3000);
        let port = self.case.port();
        assert_eq!(port, Some(self.primary), "{:?}", self.case.election);
        assert!(self.case.keeps(self.primary));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_connection_is_made_or_kept_against_what_was_heard(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check();
        }
        world.settles();
    }

    /// Another deployment at the same addresses, whose epochs begin anew.
    #[test]
    fn epochs_that_begin_anew_lock_nobody_out(steps in steps(), primary in 0..SERVERS) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        for wire in 0..LINES {
            world.step(&Step::Breaks(wire));
        }
        world.case.passes(10);
        let since = world.case.now;
        for ms in [0, 1000, 1000, 1000] {
            world.case.passes(ms);
            for wire in &world.wires {
                let now = world.case.now;
                world.case.election.answers(wire.id, says(primary, 0), now, now);
            }
        }
        prop_assert_eq!(world.case.port_since(since), Some(primary));
        prop_assert!(world.case.keeps(primary));
    }
}
