//! An operation on channels on all frontends that the store knows. It is executed in parts: on the frontends that are
//! known when the call is made, in the same round trip as the read of the index, and then on those that the index names
//! besides. A part has a bounded number of keys, so that neither a batch nor a transaction of a store grows with channels
//! times frontends. The answers of the parts become one.

use std::sync::Arc;

use crate::{
    command::{Command, Items, Op, Reply, Texts},
    keys::{Key, on_frontend},
    known_sids::KnownSids,
};

/// The maximum number of keys of a part that is on several frontends. On one frontend there is a key for each channel, as
/// in any other call.
pub const MOST_KEYS: usize = 4096;

/// The server id in the keys of a command while no frontend is known: no app is expected to have such a server. It makes a hash
/// tag, so that a Redis Cluster takes the keys.
const NOWHERE: &[u8] = b"-";

/// An operation on channels on all frontends, and how far it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Everywhere {
    /// The operation.
    pub op: Op,
    /// The parts of the keys before the sid.
    bases: Vec<Key>,
    members: Texts,
    /// Frontends that the caller knows.
    sids: Vec<Vec<u8>>,
    /// How many of the known frontends it was, or is being, executed on.
    asked: usize,
    /// How many it was executed on before what is under way.
    done: usize,
    /// How many were known when it was called.
    begun: usize,
    /// Whether what is under way leaves out known frontends, because it would have too many keys.
    is_cut: bool,
    /// Counts it among the operations that are not finished.
    counted: Option<Arc<()>>,
    /// Whether it has waited for a scan of the keys.
    is_scanned: bool,
    /// What is under way.
    command: Command,
    /// The answers of the parts before.
    reply: Option<Reply>,
}

impl Everywhere {
    /// Makes an operation on channels, given by the parts of their keys before the sid, with these members.
    #[must_use]
    pub fn new(op: Op, bases: Vec<Key>, members: Texts, sids: Vec<Vec<u8>>) -> Self {
        Self {
            op,
            bases,
            members,
            sids,
            asked: 0,
            done: 0,
            begun: 0,
            is_cut: false,
            counted: None,
            is_scanned: false,
            command: Command::new(op, Vec::new(), Texts::default()),
            reply: None,
        }
    }

    /// Returns the command that is under way.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// Returns how many of the known frontends it was, or is being, executed on.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// Returns how many it was executed on before what is under way.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// Returns how many were known when it was called.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Returns whether it was not executed yet, and is not being executed, on a frontend that was known when it was
    /// called.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.asked < self.begun
    }

    /// Returns whether what is under way leaves out known frontends, because it would have too many keys.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns whether a part of it was answered.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.reply.is_some()
    }

    /// Notes that it has waited for a scan of the keys.
    pub fn scanned(&mut self) {
        self.is_scanned = true;
    }

    /// Returns whether it has waited for a scan of the keys.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.is_scanned
    }

    /// Notes the frontends of the caller and begins with those that are known. `counted` is held until it is dropped.
    pub fn begin(&mut self, known: &mut KnownSids, counted: Arc<()>) {
        for sid in std::mem::take(&mut self.sids) {
            known.learn(&sid);
        }
        self.begun = known.len();
        self.counted = Some(counted);
        if !self.go_on(known) {
            // A command has keys.
            let keys = self.bases.iter().map(|base| on_frontend(base, NOWHERE));
            self.ask(keys.collect());
        }
    }

    /// Goes on with the next frontends that are known. Returns whether there are any.
    pub fn go_on(&mut self, known: &KnownSids) -> bool {
        let most = (MOST_KEYS / self.bases.len().max(1)).max(1);
        self.done = self.asked;
        while self.asked < known.len() {
            let part = self.asked..known.len().min(self.asked + most);
            self.asked = part.end;
            self.is_cut = part.end < known.len();
            let keys = match self.op.items() {
                Items::Pairs => known.pairs(&self.bases, part),
                _ => known.keys(&self.bases, part),
            };
            if !keys.is_empty() {
                self.ask(keys);
                return true;
            }
        }
        false
    }

    fn ask(&mut self, keys: Vec<Key>) {
        self.command = Command::new(self.op, keys, self.members.clone());
    }

    /// Takes the answer of the command that was under way.
    pub fn add(&mut self, reply: Reply) {
        self.reply = Some(match (self.reply.take(), reply) {
            (Some(Reply::Values(mut all)), Reply::Values(values)) => {
                all.extend(values);
                Reply::Values(all)
            }
            (Some(Reply::Changed(before)), Reply::Changed(count)) => Reply::Changed(before + count),
            (_, reply) => reply,
        });
    }

    /// Takes the answer as a whole.
    pub fn take(&mut self) -> Reply {
        self.reply.take().unwrap_or(Reply::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ReadOp, Value, WriteOp};

    fn keys(everywhere: &Everywhere) -> Vec<String> {
        let keys = everywhere.command().keys().iter();
        keys.map(|key| String::from_utf8_lossy(key).into_owned())
            .collect()
    }

    #[test]
    fn each_frontend_is_asked_once_and_the_answers_become_one() {
        let mut known = KnownSids::default();
        let op = Op::Write(WriteOp::Remove);
        let mut leave = Everywhere::new(
            op,
            vec![b"P:n:".to_vec()],
            Texts::from_iter(["u"]),
            vec![b"a".to_vec()],
        );
        known.learn(b"b");
        leave.begin(&mut known, Arc::default());
        assert_eq!(keys(&leave), ["P:n:b", "P:n:a"]);
        assert_eq!(leave.command().members(), &Texts::from_iter(["u"]));
        leave.add(Reply::Changed(1));
        assert!(!leave.go_on(&known));
        known.learn(b"c");
        assert!(leave.go_on(&known));
        assert_eq!(keys(&leave), ["P:n:c"]);
        leave.add(Reply::Changed(2));
        assert_eq!(leave.take(), Reply::Changed(3));
    }

    #[test]
    fn a_part_has_a_bounded_number_of_keys() {
        let mut known = KnownSids::default();
        for sid in 0..10 {
            known.learn(format!("s{sid}").as_bytes());
        }
        let many = |count: usize| (0..count).map(|name| format!("P:{name}:").into_bytes());
        for (bases, parts) in [(1, 1), (1000, 3), (MOST_KEYS + 1, 10)] {
            let op = Op::Read(ReadOp::Count);
            let bases_of = many(bases).collect();
            let mut count = Everywhere::new(op, bases_of, Texts::default(), Vec::new());
            count.begin(&mut known, Arc::default());
            let mut all = keys(&count);
            let mut seen = 1;
            while count.is_cut() {
                assert!(count.is_behind());
                assert!(count.go_on(&known));
                assert!(keys(&count).len() <= MOST_KEYS.max(bases));
                all.extend(keys(&count));
                seen += 1;
            }
            assert!(!count.is_behind() && !count.go_on(&known));
            all.sort_unstable();
            all.dedup();
            assert_eq!((seen, all.len()), (parts, 10 * bases));
        }
    }

    #[test]
    fn without_a_frontend_there_is_a_key_all_the_same() {
        let mut known = KnownSids::default();
        let op = Op::Read(ReadOp::Count);
        let bases = vec![b"P:n:".to_vec()];
        let mut count = Everywhere::new(op, bases, Texts::default(), Vec::new());
        count.begin(&mut known, Arc::default());
        assert_eq!(keys(&count), ["P:n:-"]);
        let one = || Reply::Values(vec![Ok(Value::Int(1))]);
        count.add(one());
        count.add(one());
        assert_eq!(
            count.take(),
            Reply::Values(vec![Ok(Value::Int(1)), Ok(Value::Int(1))])
        );
    }
}
