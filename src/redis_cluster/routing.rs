//! Splits a batch into requests of one key each, and makes the replies of the batch from their answers. Pure. A request is
//! a call for the node that has the key ([`Plan::of`]), or a command of its own ([`Plan::commands`]): see
//! [`super::request`].

use std::collections::HashMap;

use redis::Cmd;

use crate::{
    command::{Command, Items, Op, ReadOp, Reply, Value as Read},
    error::{Error, Result},
    hash_slot::hash_slot,
    keys::Key,
    redis_manager::command,
};

/// One request, of one key.
#[derive(Debug)]
pub(super) struct Step<R> {
    /// The number of its key, among those of the plan.
    pub(super) key: usize,
    pub(super) slot: u16,
    pub(super) request: R,
}

/// Requests in the order in which they are sent.
#[derive(Debug)]
pub(super) struct Plan<'a, R> {
    steps: Vec<Step<R>>,
    keys: HashMap<&'a [u8], Seen>,
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

impl<'a> Plan<'a, Cmd> {
    /// Makes one step for each key, of a command that has only a key.
    pub(super) fn each(name: &str, keys: &'a [Key]) -> Vec<Step<Cmd>> {
        Self::commands(keys.iter().map(|key| (key, command(name, [key]))))
    }

    /// Makes one step of each command, about one key.
    pub(super) fn commands(commands: impl IntoIterator<Item = (&'a Key, Cmd)>) -> Vec<Step<Cmd>> {
        let mut plan = Self::new();
        for (key, cmd) in commands {
            plan.step(key, cmd);
        }
        plan.steps
    }
}

impl<'a> Plan<'a, Command> {
    /// Splits a batch.
    pub(super) fn of(batch: &[&'a Command]) -> (Vec<Step<Command>>, Vec<Part>) {
        let mut plan = Self::new();
        let parts = batch.iter().map(|command| plan.add(command)).collect();
        (plan.steps, parts)
    }

    fn add(&mut self, call: &'a Command) -> Part {
        let op = call.op();
        let mut steps = Vec::new();
        for keys in call.targets() {
            let Some(key) = keys.first() else { continue };
            steps.push(match op {
                Op::Read(op) => self.read(op, call, key),
                Op::Write(_) => self.step(key, call.part(keys)),
            });
        }
        Part { op, steps }
    }

    /// Joins the same read of the same key in the batch, if no other command for the key came in between. One about a
    /// member is not joined.
    fn read(&mut self, op: ReadOp, call: &'a Command, key: &'a Key) -> usize {
        let keys = std::slice::from_ref(key);
        if op.items() != Items::Keys {
            return self.step(key, call.part(keys));
        }
        if let Some((same, index)) = self.keys.get(key.as_slice()).and_then(|seen| seen.read)
            && same == op
        {
            if op == ReadOp::Members {
                // The cache joins them too, and counts each.
                self.steps[index].request.read_again();
            }
            return index;
        }
        let index = self.step(key, call.part(keys));
        if let Some(seen) = self.keys.get_mut(key.as_slice()) {
            seen.read = Some((op, index));
        }
        index
    }
}

impl<'a, R> Plan<'a, R> {
    fn new() -> Self {
        Self {
            steps: Vec::new(),
            keys: HashMap::new(),
        }
    }

    fn step(&mut self, key: &'a [u8], request: R) -> usize {
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
            request,
        });
        index
    }
}

/// Makes the replies of a batch.
pub(super) fn replies(parts: &[Part], answers: Vec<Result<Reply>>) -> Vec<Result<Reply>> {
    let mut answers: Vec<_> = answers.into_iter().map(Some).collect();
    let mut take = move |step: usize| {
        let answer = answers.get_mut(step).and_then(Option::take);
        answer.unwrap_or_else(|| Err(missing()))
    };
    let mut reads: HashMap<usize, Result<Read>> = HashMap::new();
    let replies = parts.iter().map(|part| match part.op {
        Op::Write(op) if op.items() == Items::OneSlot => {
            let step = part.steps.first();
            step.map_or_else(|| Err(missing()), |&step| take(step))
        }
        Op::Write(_) => {
            let written = part.steps.iter().map(|&step| match take(step)? {
                Reply::Changed(count) => Ok(count),
                _ => Ok(0),
            });
            written.sum::<Result<u64>>().map(Reply::Changed)
        }
        Op::Read(_) => {
            let read = |&step: &usize| {
                let read = reads.entry(step).or_insert_with(|| match take(step)? {
                    Reply::Values(values) => values.into_iter().next().unwrap_or(Err(missing())),
                    _ => Err(missing()),
                });
                read.clone()
            };
            Ok(Reply::Values(part.steps.iter().map(read).collect()))
        }
    });
    replies.collect()
}

fn missing() -> Error {
    Error::Internal("a command of the batch was not answered".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        command::WriteOp,
        keys::KeyLayout,
        lease::{Lease, LeaseState},
        list::List,
    };

    fn key(name: &str) -> Key {
        name.as_bytes().to_vec()
    }

    fn list(members: &[&str]) -> Read {
        Read::List(Arc::new(List::new(members).expect("a list")))
    }

    fn values(value: Read) -> Reply {
        Reply::Values(vec![Ok(value)])
    }

    fn refused(words: &str) -> Result<Reply> {
        Err(Error::Store(words.into()))
    }

    fn of(batch: &[Command]) -> (Vec<Step<Command>>, Vec<Part>) {
        Plan::of(&batch.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_call_of_several_keys_becomes_requests_of_one_key_each() {
        let batch = [
            Command::write_members(WriteOp::Add, key("a"), [key("u"), key("v")]),
            Command::read(ReadOp::Members, vec![key("a"), key("b")]),
            Command::write(WriteOp::Delete, vec![key("b"), key("a")]),
        ];
        let (steps, parts) = of(&batch);
        let requests: Vec<_> = steps.iter().map(|step| step.request.clone()).collect();
        let expected = [
            batch[0].clone(),
            Command::read(ReadOp::Members, vec![key("a")]),
            Command::read(ReadOp::Members, vec![key("b")]),
            Command::write(WriteOp::Delete, vec![key("b")]),
            Command::write(WriteOp::Delete, vec![key("a")]),
        ];
        assert_eq!(requests, expected);
        let numbers: Vec<_> = steps.iter().map(|step| (step.key, step.slot)).collect();
        let (a, b) = ((0, hash_slot(b"a")), (1, hash_slot(b"b")));
        assert_eq!(numbers, [a, a, b, b, a]);
        let answers = vec![
            Ok(Reply::Changed(2)),
            Ok(values(list(&["u", "v"]))),
            Ok(Reply::Values(vec![Err(Error::Store(
                "WRONGTYPE no".into(),
            ))])),
            Ok(Reply::Changed(1)),
            refused("NOPERM no"),
        ];
        let replies = replies(&parts, answers);
        assert_eq!(replies[0], Ok(Reply::Changed(2)));
        let both = vec![
            Ok(list(&["u", "v"])),
            Err(Error::Store("WRONGTYPE no".into())),
        ];
        assert_eq!(replies[1], Ok(Reply::Values(both)));
        assert_eq!(replies[2], refused("NOPERM no"));
    }

    #[test]
    fn questions_about_different_members_are_not_shared() {
        let is = |uid| Command::read_member(ReadOp::IsMember, vec![key("a")], &key(uid));
        let batch = [is("u"), is("v"), is("u")];
        let (steps, parts) = of(&batch);
        let requests: Vec<_> = steps.into_iter().map(|step| step.request).collect();
        assert_eq!(requests, batch);
        let answers = [true, false, true].map(|is| Ok(values(Read::Bool(is))));
        assert_eq!(replies(&parts, answers.to_vec()), answers);
    }

    #[test]
    fn a_write_of_several_keys_is_one_request_for_each() {
        let keys = vec![key("a"), key("b")];
        let (steps, parts) = of(&[Command::write_each(WriteOp::Add, keys, [key("u")])]);
        let second = Command::write_members(WriteOp::Add, key("b"), [key("u")]);
        assert_eq!(steps[1].request, second);
        let answers = vec![refused("WRONGTYPE no"), Ok(Reply::Changed(1))];
        assert_eq!(replies(&parts, answers), [refused("WRONGTYPE no")]);
    }

    #[test]
    fn an_operation_on_a_lease_is_one_request_with_both_keys_in_their_slot() {
        let keys = KeyLayout::new("P");
        let (online, lease) = (keys.online("s1"), keys.lease("s1"));
        let both = vec![online, lease.clone()];
        let batch = [
            Command::write_each(WriteOp::Claim, both, ["e1", "0", "9", ""]),
            Command::read(ReadOp::Lease, vec![lease.clone(), keys.lease("s2")]),
        ];
        let (steps, parts) = of(&batch);
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[0].slot, hash_slot(&lease));
        assert_eq!(steps[0].request, batch[0]);
        let second = Command::read(ReadOp::Lease, vec![keys.lease("s2")]);
        assert_eq!(steps[2].request, second);

        let lease = |state, epoch: &str| Lease {
            state,
            count: 3,
            epoch: epoch.to_owned(),
            ttl: 0,
        };
        let holders = [lease(LeaseState::Free, ""), lease(LeaseState::Held, "e2")];
        let claimed = Ok(lease(LeaseState::Held, "e0").into());
        let held = holders.clone().map(|lease| Ok(values(lease.into())));
        let replies = replies(&parts, [claimed.clone()].into_iter().chain(held).collect());
        assert_eq!(replies[0], claimed);
        let holders = holders.map(|lease| Ok(Read::from(lease)));
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
        let (steps, parts) = of(&batch);
        assert_eq!(steps.len(), 4);
        let from: Vec<_> = parts.iter().map(|part| part.steps.clone()).collect();
        assert_eq!(from, [[0], [0], [1], [0], [2], [3], [3]]);
        let counts: Vec<_> = steps.iter().map(|step| step.request.keys().len()).collect();
        assert_eq!(counts, [3, 1, 1, 2]);
        let answers = vec![
            Ok(values(list(&["u"]))),
            Ok(Reply::Changed(1)),
            Ok(Reply::Changed(1)),
            Ok(values(list(&[]))),
        ];
        let replies = replies(&parts, answers);
        assert_eq!(replies[0], replies[3]);
        assert_ne!(replies[3], replies[5]);
        assert_eq!(replies[5], replies[6]);
    }
}
