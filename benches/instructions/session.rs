//! The member cache: batches formed and settled, with the answers that a store would give. Counted is
//! what the connection does with each batch, the wire's commands dropped included; who is given the
//! replies drops them.

use std::sync::Arc;

use globalchannel::{
    cache::{Answer, Invalidation, Sent, Session, Settled, Wire},
    command::{Command, Member, ReadOp, Reply},
    list::List,
    list_lru::Bounds,
    manager::Queue,
    stats::Stats,
};

use super::{ROUNDS, add_commands, key, measured, uid};

fn session() -> Session {
    let bounds = Bounds::new(64 << 20, Arc::default());
    Session::new(Some(bounds), Arc::new(Stats::default()))
}

/// Answers as a store in which every key has these members and every write succeeds.
fn answer(sent: &Sent, members: &[Member]) -> Vec<Answer> {
    let answer = |wire: &Wire| match wire {
        Wire::Command { .. } => Answer::Command(Ok(Reply::Done)),
        Wire::Members(_) => Answer::List(List::new(members).map(Arc::new)),
        Wire::Tracked(_) => Answer::Tracked {
            granted: true,
            pushes: 0,
            list: List::new(members).map(Arc::new),
        },
        Wire::Touch(keys) => Answer::Touched(Some(keys.len())),
        Wire::Forget(_) => Answer::Forgot(true),
    };
    sent.wire.iter().map(answer).collect()
}

fn settle(session: &mut Session, sent: Sent, answers: Vec<Answer>) -> Settled {
    let settled = session.settle(sent.no, answers);
    drop(sent);
    settled
}

/// Reads what is not in memory, uncounted: twice, the second time to be kept.
fn fill(session: &mut Session, commands: &[&Command], members: &[Member]) {
    for _ in 0..2 {
        let sent = session.form(commands, Queue::default());
        let answers = answer(&sent, members);
        settle(session, sent, answers);
    }
}

/// Runs the same batch again and again. The answers are made uncounted.
fn batches(session: &mut Session, commands: &[Command]) {
    let batch: Vec<&Command> = commands.iter().collect();
    for _ in 0..ROUNDS {
        let sent = measured(|| session.form(&batch, Queue::default()));
        let answers = answer(&sent, &[]);
        let settled = measured(|| settle(session, sent, answers));
        assert_eq!(settled.finished.len(), 1);
    }
}

fn reads_of(keys: impl Iterator<Item = usize>) -> Vec<Command> {
    let read = |channel| Command::read(ReadOp::Members, vec![key(channel, 1)]);
    keys.map(read).collect()
}

fn cached(commands: &[Command]) {
    let mut session = session();
    fill(&mut session, &[&commands[0]], &[uid(0), uid(1)]);
    batches(&mut session, commands);
}

pub(super) fn cached_reads() {
    cached(&reads_of(std::iter::repeat_n(0, 64)));
}

/// Runs what a push reads: the channel on each of three frontends.
pub(super) fn cached_pushes() {
    let keys = (1..=3).map(|frontend| key(0, frontend)).collect();
    let push = Command::read(ReadOp::Members, keys);
    cached(&vec![push; 64]);
}

pub(super) fn adds() {
    batches(&mut session(), &add_commands(512));
}

/// Loads different keys, none of them in memory; making their lists of 100 members each is counted.
pub(super) fn loads() {
    let commands = reads_of(0..64);
    let batch: Vec<&Command> = commands.iter().collect();
    let members: Vec<Member> = (0..100).map(uid).collect();
    let mut session = session();
    for _ in 0..ROUNDS {
        let settled = measured(|| {
            let sent = session.form(&batch, Queue::default());
            let answers = answer(&sent, &members);
            settle(&mut session, sent, answers)
        });
        assert_eq!(settled.finished.len(), 1);
        drop(settled);
        session.invalidate(Invalidation::All);
    }
}

/// Invalidates cached keys, another one each time. The cache has the only reference to the list that is dropped.
pub(super) fn invalidations() {
    const KEYS: usize = 10_000;
    let commands = reads_of(0..KEYS);
    let mut session = session();
    for batch in commands.chunks(1000) {
        let batch: Vec<&Command> = batch.iter().collect();
        fill(&mut session, &batch, &[uid(0), uid(1)]);
    }
    // Spread over the table: 7 has no divisor in common with the number of keys.
    let mut spread = (0..KEYS).map(|number| key(number * 7 % KEYS, 1));
    for _ in 0..ROUNDS {
        let changed: Vec<_> = spread.by_ref().take(100).collect();
        measured(|| {
            for key in &changed {
                session.invalidate(Invalidation::Key(key));
            }
        });
    }
}
