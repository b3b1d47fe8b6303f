//! One round of sending: which commands go to which node, and which are sent again after the answers. Pure. How the
//! order of calls is kept is described in [`super`].

use std::{collections::HashMap, sync::Arc};

use redis::{Arg, Cmd, Pipeline, Value};

use super::{
    redirect::Redirect,
    routing::{Answer, Step},
};
use crate::{error::Error, redis_manager::Address};

/// The target of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum To {
    /// The node that has its slot.
    Owner,
    /// The node to which the slot is migrating, after `ASKING`.
    Next(Address),
}

/// An unanswered command, by its index in the steps.
pub(super) type Open = (usize, To);

/// The commands of one round for one node.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) address: Address,
    pub(super) pipeline: Pipeline,
    /// Whether some of its commands go to the node as the owner of their slot.
    pub(super) owner: bool,
    steps: Vec<usize>,
    /// For each of them, whether it is preceded by `ASKING`.
    asking: Vec<bool>,
}

/// Makes a pipeline for each node, in the order of the steps. The error is a slot without an owner.
pub(super) fn group(
    steps: &mut [Step],
    open: &[Open],
    owner: impl Fn(u16) -> Option<Address>,
) -> Result<Vec<Group>, u16> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Address, usize> = HashMap::new();
    for (step, to) in open {
        let Step { slot, cmd, .. } = &mut steps[*step];
        let address = match to {
            To::Next(address) => address.clone(),
            To::Owner => owner(*slot).ok_or(*slot)?,
        };
        let place = *places.entry(address.clone()).or_insert_with(|| {
            groups.push(Group {
                address,
                pipeline: Pipeline::new(),
                owner: false,
                steps: Vec::new(),
                asking: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        let asking = *to != To::Owner;
        if asking {
            group.pipeline.cmd("ASKING");
        }
        group.owner |= !asking;
        group.asking.push(asking);
        group.steps.push(*step);
        let cmd = std::mem::replace(cmd, Cmd::new());
        group.pipeline.add_command(cmd);
    }
    Ok(groups)
}

impl Group {
    /// Takes the answers to its steps from those to its pipeline. If our user may not send `ASKING`, the answer is the
    /// refusal.
    fn own(&self, values: Vec<Value>) -> impl Iterator<Item = (usize, Value)> {
        let mut values = values.into_iter();
        self.steps
            .iter()
            .zip(&self.asking)
            .map_while(move |(&step, &asking)| {
                let asked = if asking { values.next() } else { None };
                let value = values.next()?;
                Some(match asked {
                    Some(no @ Value::ServerError(_)) => (step, no),
                    _ => (step, value),
                })
            })
    }

    /// Moves the commands that are to be sent again from the pipeline back to the steps.
    pub(super) fn put_back(&self, steps: &mut [Step], open: &[Open]) {
        let is_asking = |cmd: &&Cmd| cmd.args_iter().next() == Some(Arg::Simple(b"ASKING"));
        let commands = self.pipeline.cmd_iter().filter(|cmd| !is_asking(cmd));
        for (&step, cmd) in self.steps.iter().zip(commands) {
            if open.binary_search_by_key(&step, |(step, _)| *step).is_ok() {
                steps[step].cmd = cmd.clone();
            }
        }
    }
}

/// The result of a round.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The commands to be sent again, in order.
    pub(super) open: Vec<Open>,
    /// Slots that have moved, and to which node.
    pub(super) moved: Vec<(u16, Address)>,
    /// Why a command has to wait.
    pub(super) later: Option<Arc<str>>,
    /// The target of the last redirection.
    pub(super) pointed: Option<Address>,
}

/// Takes the final answers. What a node did not execute is sent again, and so is every later command for the same key,
/// to the same node: some of these may have been executed too early.
pub(super) fn judge(
    steps: &[Step],
    sent: &[Open],
    groups: &[Group],
    values: Vec<Vec<Value>>,
    answers: &mut [Option<Answer>],
) -> Outcome {
    let mut by_step: HashMap<usize, (&Address, Value)> = HashMap::with_capacity(sent.len());
    for (group, values) in groups.iter().zip(values) {
        let own = group.own(values);
        by_step.extend(own.map(|(step, value)| (step, (&group.address, value))));
    }
    let mut again: HashMap<usize, To> = HashMap::new();
    let mut outcome = Outcome::default();
    for (step, _) in sent {
        let Step { key, slot, .. } = steps[*step];
        if let Some(to) = again.get(&key) {
            outcome.open.push((*step, to.clone()));
            continue;
        }
        let Some((asked, value)) = by_step.remove(step) else {
            let missing = Error::Internal("a node gave too few answers".to_owned());
            answers[*step] = Some(Err(missing));
            continue;
        };
        let to = match Redirect::of(value, asked) {
            Redirect::Answer(value) => {
                answers[*step] = Some(Ok(value));
                continue;
            }
            Redirect::Moved(to) => {
                outcome.pointed = Some(to.clone());
                outcome.moved.push((slot, to));
                To::Owner
            }
            Redirect::Ask(to) => {
                outcome.pointed = Some(to.clone());
                To::Next(to)
            }
            Redirect::Later(words) => {
                outcome.later = Some(words);
                To::Owner
            }
        };
        again.insert(key, to.clone());
        outcome.open.push((*step, to));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::{super::routing::Plan, *};
    use crate::{
        command::{Command, WriteOp},
        redis_manager::Missing,
    };

    fn tcp(port: u16) -> Address {
        Address::Tcp("h".to_owned(), port)
    }

    fn add(key: &str, member: &str) -> Command {
        Command::write_members(WriteOp::Add, key.into(), [member.into()])
    }

    fn error(words: &str) -> Value {
        redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).expect("RESP")
    }

    /// The members that a group adds, and `ASKING` where that stands.
    fn text(group: &Group) -> String {
        let last = |cmd: &Cmd| match cmd.args_iter().last() {
            Some(Arg::Simple(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        let texts: Vec<_> = group.pipeline.cmd_iter().map(last).collect();
        texts.join(" ")
    }

    /// Key `foo` (slot 12182) is on node 2, `bar` (5061) on node 1.
    fn owner(slot: u16) -> Option<Address> {
        (slot == 12182).then(|| tcp(2)).or(Some(tcp(1)))
    }

    fn steps() -> Vec<Step> {
        let batch = [
            add("foo", "a"),
            add("bar", "b"),
            add("foo", "c"),
            add("bar", "d"),
            add("foo", "e"),
        ];
        Plan::of(&batch.iter().collect::<Vec<_>>(), Missing::default(), None).0
    }

    fn all(steps: &[Step]) -> Vec<Open> {
        (0..steps.len()).map(|step| (step, To::Owner)).collect()
    }

    #[test]
    fn each_node_gets_what_is_its_in_order_and_answers_come_to_their_places() {
        let mut steps = steps();
        let sent = all(&steps);
        let groups = group(&mut steps, &sent, owner).expect("owners");
        let texts: Vec<_> = groups.iter().map(text).collect();
        assert_eq!(texts, ["a c e", "b d"]);
        let values = vec![
            [1, 3, 5].map(Value::Int).to_vec(),
            [2, 4].map(Value::Int).to_vec(),
        ];
        let mut answers = vec![None; 5];
        let outcome = judge(&steps, &sent, &groups, values, &mut answers);
        assert!(outcome.open.is_empty() && outcome.later.is_none());
        let expected: Vec<_> = (1..=5).map(|n| Some(Ok(Value::Int(n)))).collect();
        assert_eq!(answers, expected);
        assert_eq!(group(&mut steps, &sent, |_| None).map(drop), Err(12182));
    }

    #[test]
    fn what_comes_after_a_redirected_command_of_its_key_goes_again_with_it() {
        let mut steps = steps();
        let sent = all(&steps);
        let groups = group(&mut steps, &sent, owner).expect("owners");
        // The second of three commands of one key is pointed elsewhere; the third was executed too early.
        let foo = vec![Value::Int(1), error("ASK 12182 h:3"), Value::Int(1)];
        let bar = vec![error("MOVED 5061 h:2"), Value::Int(1)];
        let mut answers = vec![None; 5];
        let outcome = judge(&steps, &sent, &groups, vec![foo, bar], &mut answers);
        let next = To::Next(tcp(3));
        let expected = [(1, To::Owner), (2, next.clone()), (3, To::Owner), (4, next)];
        assert_eq!(outcome.open, expected);
        assert_eq!(outcome.moved, [(5061, tcp(2))]);
        assert_eq!(answers.iter().flatten().count(), 1);

        for group in &groups {
            group.put_back(&mut steps, &outcome.open);
        }
        let groups = group(&mut steps, &outcome.open, |_| Some(tcp(2))).expect("owners");
        let texts: Vec<_> = groups.iter().map(text).collect();
        assert_eq!(texts, ["b d", "ASKING c ASKING e"]);
        assert!(groups[0].owner && !groups[1].owner);
        let ints = |count| (0..count).map(Value::Int).collect::<Vec<_>>();
        let outcome = judge(
            &steps,
            &outcome.open,
            &groups,
            vec![ints(2), ints(4)],
            &mut answers,
        );
        assert!(outcome.open.is_empty());
        // Without those to ASKING.
        assert_eq!(answers[2], Some(Ok(Value::Int(1))));
        assert_eq!(answers[4], Some(Ok(Value::Int(3))));
    }

    #[test]
    fn who_may_not_ask_is_told_so() {
        let mut steps = steps();
        let sent = vec![(0, To::Next(tcp(3)))];
        let groups = group(&mut steps, &sent, owner).expect("owners");
        let values = vec![error("NOPERM no asking"), error("MOVED 12182 h:2")];
        let mut answers = vec![None; 5];
        let outcome = judge(&steps, &sent, &groups, vec![values], &mut answers);
        assert!(outcome.open.is_empty());
        assert_eq!(answers[0], Some(Ok(error("NOPERM no asking"))));
    }

    #[test]
    fn a_node_that_cannot_say_yet_makes_its_commands_wait() {
        let mut steps = steps();
        let sent = all(&steps);
        let groups = group(&mut steps, &sent, owner).expect("owners");
        let foo = vec![error("CLUSTERDOWN down"), Value::Int(1), Value::Int(1)];
        let mut answers = vec![None; 5];
        let values = vec![foo, vec![Value::Int(1), Value::Int(1)]];
        let outcome = judge(&steps, &sent, &groups, values, &mut answers);
        let again: Vec<_> = outcome.open.iter().map(|(step, _)| *step).collect();
        assert_eq!(again, [0, 2, 4]);
        assert_eq!(outcome.later.as_deref(), Some("CLUSTERDOWN down"));
    }
}
