//! Splits a batch into commands of one key each, and makes the replies of the batch from their answers. Pure.

use std::collections::HashMap;

use redis::{Cmd, Value};

use super::event_scripts;
use crate::{
    command::{Command, Items, Op, ReadOp, Reply, Value as Read},
    error::{Error, Result},
    events::Publishing,
    hash_slot::hash_slot,
    keys::Key,
    redis_manager::{Missing, command, encode_for, lease, value, wrote},
};

/// One command for the wire.
#[derive(Debug)]
pub(super) struct Step {
    /// The number of its key, among those of the plan.
    pub(super) key: usize,
    pub(super) slot: u16,
    /// Taken out while it is sent.
    pub(super) cmd: Cmd,
}

/// Commands in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) steps: Vec<Step>,
    keys: HashMap<&'a [u8], Seen>,
    /// The commands that are replaced.
    missing: Missing,
    /// Where changes of channels are published, if they are.
    publishing: Option<&'a Publishing>,
}

#[derive(Debug)]
struct Seen {
    number: usize,
    slot: u16,
    /// The last read of the key, if no other command came after it.
    read: Option<(ReadOp, usize)>,
}

/// The steps that answer a call.
#[derive(Debug)]
pub(super) struct Part {
    op: Op,
    /// The indexes of its steps, in order.
    steps: Vec<usize>,
}

/// The answer to a step, by the node or by this package.
pub(super) type Answer = Result<Value>;

impl<'a> Plan<'a> {
    /// Splits a batch, for nodes that lack some commands. With `publishing` what it changes is published.
    pub(super) fn of(
        batch: &[&'a Command],
        missing: Missing,
        publishing: Option<&'a Publishing>,
    ) -> (Vec<Step>, Vec<Part>) {
        let mut plan = Self {
            missing,
            publishing,
            ..Self::default()
        };
        let parts = batch.iter().map(|command| plan.add(command)).collect();
        (plan.steps, parts)
    }

    /// Makes one step for each key, of a command that has only a key.
    pub(super) fn each(name: &str, keys: &[Key]) -> Vec<Step> {
        let mut plan = Plan::default();
        for key in keys {
            plan.step(key, command(name, [key]));
        }
        plan.steps
    }

    /// Makes one step of each command, about one key.
    pub(super) fn commands(commands: impl IntoIterator<Item = (&'a Key, Cmd)>) -> Vec<Step> {
        let mut plan = Plan::default();
        for (key, cmd) in commands {
            plan.step(key, cmd);
        }
        plan.steps
    }

    fn add(&mut self, call: &'a Command) -> Part {
        let op = call.op();
        let mut steps = Vec::new();
        for keys in call.targets() {
            let Some(key) = keys.first() else { continue };
            steps.push(match op {
                Op::Read(op) => self.read(op, call, key),
                Op::Write(_) => {
                    let published = self
                        .publishing
                        .and_then(|to| event_scripts::encode(call, &self.missing, to, key));
                    let cmd = published.unwrap_or_else(|| encode_for(call, &self.missing, keys));
                    self.step(key, cmd)
                }
            });
        }
        Part { op, steps }
    }

    fn step(&mut self, key: &'a [u8], cmd: Cmd) -> usize {
        let index = self.steps.len();
        let number = self.keys.len();
        let seen = self.keys.entry(key).or_insert_with(|| Seen {
            number,
            slot: hash_slot(key),
            read: None,
        });
        seen.read = None;
        self.steps.push(Step {
            key: seen.number,
            slot: seen.slot,
            cmd,
        });
        index
    }

    /// Joins the same read of the same key in the batch, if no other command for the key came in between. One about a
    /// member is not joined.
    fn read(&mut self, op: ReadOp, call: &'a Command, key: &'a Key) -> usize {
        if op.items() != Items::Keys {
            let keys = std::slice::from_ref(key);
            return self.step(key, encode_for(call, &self.missing, keys));
        }
        if let Some((same, index)) = self.keys.get(key.as_slice()).and_then(|seen| seen.read)
            && same == op
        {
            return index;
        }
        let keys = std::slice::from_ref(key);
        let index = self.step(key, encode_for(call, &self.missing, keys));
        if let Some(seen) = self.keys.get_mut(key.as_slice()) {
            seen.read = Some((op, index));
        }
        index
    }
}

/// Makes the replies of a batch, and returns the bytes of lists in them.
pub(super) fn replies(parts: &[Part], answers: Vec<Answer>) -> (Vec<Result<Reply>>, usize) {
    let mut answers: Vec<_> = answers.into_iter().map(Some).collect();
    let mut take = move |step: usize| {
        let answer = answers.get_mut(step).and_then(Option::take);
        answer.unwrap_or_else(|| Err(missing()))
    };
    let mut reads: HashMap<usize, Result<Read>> = HashMap::new();
    let mut bytes = 0;
    let replies = parts.iter().map(|part| match part.op {
        Op::Write(op) if op.items() == Items::OneSlot => {
            let answer = part
                .steps
                .first()
                .map_or_else(|| Err(missing()), |&step| take(step));
            answer.and_then(lease).map(Reply::from)
        }
        Op::Write(_) => {
            let written = part.steps.iter().map(|&step| take(step).and_then(wrote));
            event_scripts::explained(written.sum::<Result<u64>>()).map(Reply::Changed)
        }
        Op::Read(op) => {
            let read = |&step: &usize| {
                let read = reads.entry(step).or_insert_with(|| {
                    let read = take(step).and_then(|answer| value(op, answer));
                    bytes += read.as_ref().map_or(0, Read::bytes);
                    read
                });
                read.clone()
            };
            Ok(Reply::Values(part.steps.iter().map(read).collect()))
        }
    });
    let replies = replies.collect();
    (replies, bytes)
}

fn missing() -> Error {
    Error::Internal("a command of the batch was not answered".to_owned())
}

#[cfg(test)]
mod tests {
    use redis::Arg;

    use super::*;
    use crate::{
        command::WriteOp,
        keys::KeyLayout,
        lease::{Lease, LeaseState},
    };

    fn key(name: &str) -> Key {
        name.as_bytes().to_vec()
    }

    fn text(steps: &[Step]) -> Vec<String> {
        let packed = |step: &Step| String::from_utf8(step.cmd.get_packed_command());
        steps
            .iter()
            .map(|step| packed(step).expect("text"))
            .collect()
    }

    fn store(words: &str) -> Value {
        redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).expect("RESP")
    }

    #[test]
    fn a_call_of_several_keys_becomes_commands_of_one_key_each() {
        let batch = [
            Command::write_members(WriteOp::Add, key("a"), [key("u"), key("v")]),
            Command::read(ReadOp::Members, vec![key("a"), key("b")]),
            Command::write(WriteOp::Delete, vec![key("b"), key("a")]),
        ];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None);
        let lines = text(&steps);
        assert_eq!(
            lines[0],
            "*4\r\n$4\r\nSADD\r\n$1\r\na\r\n$1\r\nu\r\n$1\r\nv\r\n"
        );
        assert_eq!(lines[1], "*2\r\n$8\r\nSMEMBERS\r\n$1\r\na\r\n");
        assert_eq!(lines[2], "*2\r\n$8\r\nSMEMBERS\r\n$1\r\nb\r\n");
        assert_eq!(lines[3], "*2\r\n$6\r\nUNLINK\r\n$1\r\nb\r\n");
        assert_eq!(lines[4], "*2\r\n$6\r\nUNLINK\r\n$1\r\na\r\n");
        let numbers: Vec<_> = steps.iter().map(|step| (step.key, step.slot)).collect();
        let (a, b) = ((0, hash_slot(b"a")), (1, hash_slot(b"b")));
        assert_eq!(numbers, [a, a, b, b, a]);
        let list = |items: &[&str]| {
            Value::Array(
                items
                    .iter()
                    .map(|item| Value::BulkString(key(item)))
                    .collect(),
            )
        };
        let answers = vec![
            Ok(Value::Int(2)),
            Ok(list(&["u", "v"])),
            Ok(store("WRONGTYPE no")),
            Ok(Value::Int(1)),
            Ok(store("NOPERM no")),
        ];
        let (replies, bytes) = replies(&parts, answers);
        assert_eq!(replies[0], Ok(Reply::Changed(2)));
        let Ok(Reply::Values(values)) = &replies[1] else {
            panic!("{replies:?}");
        };
        let list = values[0].as_ref().ok().and_then(Read::list);
        assert_eq!(list.map(|list| list.json()), Some("[\"u\",\"v\"]"));
        assert_eq!(values[1], Err(Error::Store("WRONGTYPE no".into())));
        assert_eq!(replies[2], Err(Error::Store("NOPERM no".into())));
        assert_eq!(bytes, "[\"u\",\"v\"]".len());
    }

    #[test]
    fn questions_about_different_members_are_not_shared() {
        let is = |uid| Command::read_member(ReadOp::IsMember, vec![key("a")], key(uid));
        let batch = [is("u"), is("v"), is("u")];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None);
        let lines = text(&steps);
        assert_eq!(lines[1], "*3\r\n$9\r\nSISMEMBER\r\n$1\r\na\r\n$1\r\nv\r\n");
        let answers = [1, 0, 1].map(|number| Ok(Value::Int(number))).to_vec();
        let (replies, _) = replies(&parts, answers);
        let is = |is| Ok(Reply::Values(vec![Ok(Read::Bool(is))]));
        assert_eq!(replies, [is(true), is(false), is(true)]);
    }

    #[test]
    fn a_write_of_several_keys_is_one_command_for_each() {
        let keys = vec![key("a"), key("b")];
        let batch = [Command::write_each(WriteOp::Add, keys, [key("u")])];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None);
        let lines = text(&steps);
        assert_eq!(lines[1], "*3\r\n$4\r\nSADD\r\n$1\r\nb\r\n$1\r\nu\r\n");
        let answers = vec![Ok(store("WRONGTYPE no")), Ok(Value::Int(1))];
        let (replies, _) = replies(&parts, answers);
        assert_eq!(replies, [Err(Error::Store("WRONGTYPE no".into()))]);
    }

    #[test]
    fn an_operation_on_a_lease_is_one_command_with_both_keys_in_their_slot() {
        let keys = KeyLayout::new("P");
        let (online, lease) = (keys.online("s1"), keys.lease("s1"));
        let items = vec![
            online.clone(),
            lease.clone(),
            key("e1"),
            key("0"),
            key("9"),
            key(""),
        ];
        let batch = [
            Command::new(Op::Write(WriteOp::Claim), 2, items),
            Command::read(ReadOp::Lease, vec![lease.clone(), keys.lease("s2")]),
        ];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None);
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[0].slot, hash_slot(&lease));
        let arguments = |step: &Step| -> Vec<String> {
            let bytes = |arg| match arg {
                Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => String::new(),
            };
            step.cmd.args_iter().map(bytes).collect()
        };
        let text = |key: &Key| String::from_utf8_lossy(key).into_owned();
        let sent = arguments(&steps[0]);
        assert_eq!((sent[0].as_str(), sent[2].as_str()), ("EVAL", "2"));
        let rest = [&text(&online), &text(&lease), "e1", "0", "9", "", "UNLINK"];
        assert_eq!(&sent[3..], rest);
        assert_eq!(&arguments(&steps[2])[2..4], ["1", "P@lease:{s2}"]);

        let answer = |state, epoch: &str| {
            let epoch = Value::BulkString(key(epoch));
            Ok(Value::Array(vec![
                Value::Int(state),
                Value::Int(3),
                epoch,
                Value::Int(0),
            ]))
        };
        let (replies, _) = replies(
            &parts,
            vec![answer(1, "e0"), answer(0, ""), answer(1, "e2")],
        );
        let lease = |state, epoch: &str| Lease {
            state,
            count: 3,
            epoch: epoch.to_owned(),
            ttl: 0,
        };
        assert_eq!(replies[0], Ok(lease(LeaseState::Held, "e0").into()));
        let holders = [(LeaseState::Free, ""), (LeaseState::Held, "e2")];
        let holders = holders.map(|(state, epoch)| Ok(Read::from(lease(state, epoch))));
        assert_eq!(replies[1], Ok(Reply::Values(holders.to_vec())));
    }

    #[test]
    fn readings_are_shared_up_to_the_next_write_and_not_beyond() {
        let read = |name| Command::read(ReadOp::Members, vec![key(name)]);
        let remove = |name| Command::write_members(WriteOp::Remove, key(name), [key("u")]);
        let batch = [
            read("a"),
            read("a"),
            remove("b"),
            read("a"),
            remove("a"),
            read("a"),
            read("a"),
        ];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None);
        assert_eq!(steps.len(), 4);
        let from: Vec<_> = parts.iter().map(|part| part.steps.clone()).collect();
        assert_eq!(from, [[0], [0], [1], [0], [2], [3], [3]]);
        let lists = vec![
            Ok(Value::Array(vec![Value::BulkString(key("u"))])),
            Ok(Value::Int(1)),
            Ok(Value::Int(1)),
            Ok(Value::Array(Vec::new())),
        ];
        let (replies, _) = replies(&parts, lists);
        assert_eq!(replies[0], replies[3]);
        assert_ne!(replies[3], replies[5]);
        assert_eq!(replies[5], replies[6]);
    }
}
