//! Splits a batch into commands of one key each, and makes the replies of the batch from their answers. Pure.

use std::{collections::HashMap, iter, sync::Arc};

use redis::{Cmd, Value};

use crate::{
    command::{Command, Reply},
    error::{Error, Result},
    hash_slot::hash_slot,
    keys::Key,
    list::List,
    redis_manager::{command, list, words},
};

/// One command for the wire.
#[derive(Debug)]
pub(super) struct Step {
    /// The number of its key, among those of the plan.
    pub(super) key: usize,
    pub(super) slot: u16,
    /// Not here while it is sent.
    pub(super) cmd: Cmd,
}

/// Commands in order, as they are to be sent.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) steps: Vec<Step>,
    keys: HashMap<&'a [u8], Seen>,
}

#[derive(Debug)]
struct Seen {
    number: usize,
    slot: u16,
    /// The reading of it that stands last, if no write came after.
    read: Option<usize>,
}

/// What a call is answered from: steps, in its order.
#[derive(Debug)]
pub(super) enum Part {
    Write(Vec<usize>),
    Read(Vec<usize>),
}

/// What a step was answered, by the node or by us.
pub(super) type Answer = Result<Value>;

impl<'a> Plan<'a> {
    /// Splits a batch. `clean` is none: it is not made of commands that are known beforehand.
    pub(super) fn of(batch: &[&'a Command]) -> (Vec<Step>, Vec<Part>) {
        let mut plan = Self::default();
        let parts = batch.iter().map(|command| plan.add(command)).collect();
        (plan.steps, parts)
    }

    /// One command that has only a key, for each key.
    pub(super) fn each(name: &str, keys: &[Key]) -> Vec<Step> {
        let mut plan = Plan::default();
        for key in keys {
            plan.step(key, command(name, [key]));
        }
        plan.steps
    }

    fn add(&mut self, call: &'a Command) -> Part {
        match call {
            Command::Add { key, members } => Part::Write(vec![
                self.step(key, command("SADD", iter::once(key).chain(members))),
            ]),
            Command::Remove { key, members } => Part::Write(vec![
                self.step(key, command("SREM", iter::once(key).chain(members))),
            ]),
            Command::Delete { keys } => {
                let unlink = |key: &'a Key| self.step(key, command("UNLINK", [key]));
                Part::Write(keys.iter().map(unlink).collect())
            }
            Command::Members { keys } => {
                Part::Read(keys.iter().map(|key| self.read(key)).collect())
            }
            Command::Clean { .. } => Part::Write(Vec::new()),
        }
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

    /// Joins a read of the same key in the batch, if no write of it came in between.
    fn read(&mut self, key: &'a [u8]) -> usize {
        if let Some(index) = self.keys.get(key).and_then(|seen| seen.read) {
            return index;
        }
        let index = self.step(key, command("SMEMBERS", [key]));
        if let Some(seen) = self.keys.get_mut(key) {
            seen.read = Some(index);
        }
        index
    }
}

/// The replies of a batch, and how many bytes of lists are in them.
pub(super) fn replies(parts: &[Part], answers: Vec<Answer>) -> (Vec<Result<Reply>>, usize) {
    let mut answers: Vec<_> = answers.into_iter().map(Some).collect();
    let mut lists: HashMap<usize, Result<Arc<List>>> = HashMap::new();
    let mut bytes = 0;
    let replies = parts.iter().map(|part| match part {
        Part::Write(steps) => {
            let mut written = steps.iter().map(|&step| wrote(answers[step].take()));
            written
                .find(Result::is_err)
                .unwrap_or(Ok(()))
                .map(|()| Reply::Done)
        }
        Part::Read(steps) => {
            let mut read = |&step: &usize| {
                let list = lists.entry(step).or_insert_with(|| {
                    let list = read(answers[step].take());
                    bytes += list.as_ref().map_or(0, |list| list.json().len());
                    list
                });
                list.clone()
            };
            Ok(Reply::Members(steps.iter().map(&mut read).collect()))
        }
    });
    let replies = replies.collect();
    (replies, bytes)
}

fn wrote(answer: Option<Answer>) -> Result<()> {
    match answer {
        Some(Ok(Value::ServerError(error))) => Err(Error::Store(words(&error))),
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error),
        None => Err(missing()),
    }
}

fn read(answer: Option<Answer>) -> Result<Arc<List>> {
    list(answer.unwrap_or_else(|| Err(missing()))?).map(Arc::new)
}

fn missing() -> Error {
    Error::Internal("a command of the batch was not answered".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Command::Add {
                key: key("a"),
                members: vec![key("u"), key("v")],
            },
            Command::Members {
                keys: vec![key("a"), key("b")],
            },
            Command::Delete {
                keys: vec![key("b"), key("a")],
            },
        ];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>());
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
        assert_eq!(replies[0], Ok(Reply::Done));
        let Ok(Reply::Members(lists)) = &replies[1] else {
            panic!("{replies:?}");
        };
        assert_eq!(
            lists[0].as_ref().map(|list| list.json()),
            Ok("[\"u\",\"v\"]")
        );
        assert_eq!(lists[1], Err(Error::Store("WRONGTYPE no".into())));
        assert_eq!(replies[2], Err(Error::Store("NOPERM no".into())));
        assert_eq!(bytes, "[\"u\",\"v\"]".len());
    }

    #[test]
    fn readings_are_shared_up_to_the_next_write_and_not_beyond() {
        let read = |name| Command::Members {
            keys: vec![key(name)],
        };
        let batch = [
            read("a"),
            read("a"),
            Command::Remove {
                key: key("b"),
                members: vec![key("u")],
            },
            read("a"),
            Command::Remove {
                key: key("a"),
                members: vec![key("u")],
            },
            read("a"),
            read("a"),
        ];
        let (steps, parts) = Plan::of(&batch.iter().collect::<Vec<_>>());
        assert_eq!(steps.len(), 4);
        let from = |part: &Part| match part {
            Part::Read(steps) | Part::Write(steps) => steps.clone(),
        };
        let from: Vec<_> = parts.iter().map(from).collect();
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
