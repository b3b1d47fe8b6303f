//! Neighbouring calls that add or remove members with the index ([`crate::membership`]) as one script: a script has a cost
//! of its own, which is more than that of the changes of one call.
//!
//! The unit is a pair of channel and index with the members of its call. Units that follow one another in a batch are
//! executed in their order, in one atomic step, and each has the answer, or the error, that it would have alone: what is
//! between two units on the wire ends a group. Units of many members stay alone, and so does a single unit.
//!
//! No one sees what is between two changes of a script, so its order is another one where that makes no difference
//! ([`super::group_script`]).
//!
//! **No key is declared** to the server, which checks the user's rights for each command of a script as well. A key that is
//! declared would have the whole script refused if the user may not use it, and so calls about others.

use redis::{Cmd, Pipeline, Value};

use super::{group_script::script, membership_scripts};
use crate::{
    command::{Command, Op, Texts, WriteOp},
    keys::Key,
    membership::Parts,
};

/// The maximum number of members of one script, which takes a server some 5 µs for each.
const MOST: usize = 200;

/// The maximum number of members of a unit in a group: each takes a command of its own there.
const FEW: usize = 8;

/// A pair of channel and index, and the members that are added there or removed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) is_join: bool,
    pub(super) parts: Parts<'a>,
    pub(super) uids: &'a Texts,
    keys: [&'a Key; 2],
}

/// A group in a pipeline.
#[derive(Debug)]
struct Group {
    /// The position of its script.
    at: usize,
    /// How many units it has.
    units: usize,
    /// The number of the unit of each item of its answer.
    order: Vec<usize>,
}

/// The groups of a pipeline that is being made, and then of its answers.
#[derive(Debug, Default)]
pub(super) struct Groups<'a> {
    open: Vec<Unit<'a>>,
    members: usize,
    made: Vec<Group>,
}

impl<'a> Groups<'a> {
    /// Takes a call, if it is one that may be in a group. Returns whether it was.
    pub(super) fn take(&mut self, call: &'a Command, pipeline: &mut Pipeline) -> bool {
        let is_join = match call.op() {
            Op::Write(WriteOp::Join) => true,
            Op::Write(WriteOp::Part) => false,
            _ => return false,
        };
        let uids = call.members();
        let split = |pair: &'a [Key]| match pair {
            [channel, index] => Some(([channel, index], Parts::of(channel, index)?)),
            _ => None,
        };
        if uids.is_empty() || uids.len() > FEW || call.targets().any(|pair| split(pair).is_none()) {
            return false;
        }
        for (keys, parts) in call.targets().filter_map(split) {
            if self.members + uids.len() > MOST {
                self.end(pipeline);
            }
            self.members += uids.len();
            self.open.push(Unit {
                is_join,
                parts,
                uids,
                keys,
            });
        }
        true
    }

    /// Ends the group that is open: what comes next on the wire is not part of it.
    pub(super) fn end(&mut self, pipeline: &mut Pipeline) {
        self.members = 0;
        let made = match self.open.as_slice() {
            [] => return,
            [unit] => alone(unit),
            units => {
                let (made, order) = script(units);
                self.made.push(Group {
                    at: pipeline.len(),
                    units: units.len(),
                    order,
                });
                made
            }
        };
        pipeline.add_command(made);
        self.open.clear();
    }

    /// Forgets the calls, which are in the pipeline now.
    pub(super) fn finish(mut self, pipeline: &mut Pipeline) -> Groups<'static> {
        self.end(pipeline);
        Groups {
            open: Vec::new(),
            members: 0,
            made: self.made,
        }
    }

    /// Replaces the answer to each group by those of its units.
    pub(super) fn split(&self, answers: Vec<Value>) -> Vec<Value> {
        if self.made.is_empty() {
            return answers;
        }
        let mut split = Vec::with_capacity(answers.len());
        let mut groups = self.made.iter().peekable();
        for (at, answer) in answers.into_iter().enumerate() {
            match groups.next_if(|group| group.at == at) {
                Some(group) => group.split(answer, &mut split),
                None => split.push(answer),
            }
        }
        split
    }
}

impl Group {
    /// Appends the answer of each unit: the sum over its members, or the first error; `Nil`, which is no answer to a write, if
    /// one is missing.
    fn split(&self, answer: Value, split: &mut Vec<Value>) {
        let begin = split.len();
        let Value::Array(items) = answer else {
            // The script was refused as a whole.
            split.extend((0..self.units).map(|_| answer.clone()));
            return;
        };
        split.resize(begin + self.units, Value::Int(0));
        let items = items.into_iter().chain(std::iter::repeat(Value::Nil));
        for (unit, item) in self.order.iter().zip(items) {
            let sum = &mut split[begin + unit];
            match (&mut *sum, item) {
                (Value::Int(sum), Value::Int(count)) => *sum = sum.saturating_add(count),
                (Value::Int(_), error) => *sum = error,
                _ => {}
            }
        }
    }
}

fn alone(unit: &Unit) -> Cmd {
    let op = if unit.is_join {
        WriteOp::Join
    } else {
        WriteOp::Part
    };
    membership_scripts::change(op, unit.keys, unit.uids)
}

#[cfg(test)]
mod tests {
    use super::{super::codec, *};

    fn parsed(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).expect("RESP")
    }

    fn join(channel: &str, uids: &[&str]) -> Command {
        let keys = vec![channel.into(), b"P@members:{s}".to_vec()];
        Command::write_each(WriteOp::Join, keys, uids)
    }

    fn grouped(calls: &[Command]) -> (Pipeline, Groups<'static>) {
        let mut pipeline = Pipeline::new();
        let mut groups = Groups::default();
        for call in calls {
            assert!(groups.take(call, &mut pipeline));
        }
        let groups = groups.finish(&mut pipeline);
        (pipeline, groups)
    }

    #[test]
    fn each_unit_has_an_answer_whatever_the_server_says() {
        let calls = [join("P:a:s", &["u", "v"]), join("P:b:s", &["w"])];
        let (pipeline, groups) = grouped(&calls);
        assert_eq!(pipeline.len(), 1);
        let split = |text| groups.split(vec![parsed(text), Value::Okay]);
        let error = || parsed("-WRONGTYPE x\r\n");
        let rest = Value::Okay;
        assert_eq!(
            split("*3\r\n:1\r\n:1\r\n:0\r\n"),
            [Value::Int(2), Value::Int(0), rest.clone()]
        );
        assert_eq!(
            split("*3\r\n:1\r\n-WRONGTYPE x\r\n:1\r\n"),
            [error(), Value::Int(1), rest.clone()]
        );
        assert_eq!(split("-WRONGTYPE x\r\n"), [error(), error(), rest]);
        for text in ["*0\r\n", "*2\r\n:1\r\n:1\r\n", "+OK\r\n"] {
            let answers = split(text);
            assert_eq!(answers.len(), 3, "{text}");
            assert!(codec::wrote(answers[1].clone()).is_err(), "{text}");
        }
        let longer = split("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
        assert_eq!(longer, [Value::Int(2), Value::Int(1), Value::Okay]);
    }

    /// Two of the pairs are one key, `P:a:b:c`: then the earlier call has added the member.
    #[test]
    fn changes_of_one_key_stay_in_call_order() {
        let calls = [("P:x:b:c", "b:c"), ("P:a:b:c", "c"), ("P:a:b:c", "b:c")].map(|(key, sid)| {
            let keys = vec![key.into(), format!("P@members:{{{sid}}}").into_bytes()];
            Command::write_each(WriteOp::Join, keys, vec![b"u".to_vec()])
        });
        let (_, groups) = grouped(&calls);
        assert_eq!(groups.made[0].order, [0, 1, 2]);
    }

    #[test]
    fn each_answer_is_that_of_its_call_when_users_are_put_together() {
        let calls = [("a", "u"), ("a", "v"), ("b", "u"), ("a", "u")];
        let calls = calls.map(|(name, uid)| join(&format!("P:{name}:s"), &[uid]));
        let (_, groups) = grouped(&calls);
        assert_eq!(groups.made[0].order, [0, 2, 3, 1]);
        let split = groups.split(vec![parsed("*4\r\n:1\r\n-WRONGTYPE x\r\n:0\r\n:1\r\n")]);
        let error = parsed("-WRONGTYPE x\r\n");
        assert_eq!(split, [Value::Int(1), Value::Int(1), error, Value::Int(0)]);
    }

    #[test]
    fn a_script_is_of_few_members() {
        let calls: Vec<Command> = (0..1000).map(|_| join("P:a:s", &["u", "v", "w"])).collect();
        let (pipeline, groups) = grouped(&calls);
        assert!(groups.made.iter().all(|group| group.order.len() <= MOST));
        assert_eq!(pipeline.len(), 1000_usize.div_ceil(MOST / 3));
    }

    #[test]
    fn a_call_of_many_members_stays_alone() {
        let many = vec!["u"; FEW + 1];
        let mut pipeline = Pipeline::new();
        assert!(!Groups::default().take(&join("P:a:s", &many), &mut pipeline));
    }
}
