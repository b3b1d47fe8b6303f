//! Neighbouring calls that add or remove members with the index ([`crate::membership`]) as one script: a script has a cost
//! of its own, which is more than that of the changes of one call.
//!
//! The unit is a pair of channel and index with the members of its call. Units that follow one another in a batch are
//! executed in their order, in one atomic step, and each has the answer, or the error, that it would have alone: what is
//! between two units on the wire ends a group. Units of many members stay alone, and so does a single unit.
//!
//! **The index** is changed before and after all channels of a group: first the entries of all joins are written, then
//! come the changes of the channels in call order, then the entries of parts are removed, unless a later join of the group is
//! of the same entry. No one sees what is between, so that is what the calls one by one leave. Without its entry no member
//! is added, and an entry goes only after its member.

use std::collections::{HashMap, HashSet};

use redis::{Cmd, Pipeline, Value};

use super::membership_scripts;
use crate::{
    command::{Command, Member, Op, WriteOp},
    keys::Key,
    membership::{entry, field},
};

/// The maximum number of members of one script, which takes a server some 5 µs for each.
const MOST: usize = 200;

/// The maximum number of members of a unit in a group: each takes a command of its own there.
const FEW: usize = 8;

/// Keys: the indexes, then the channel of each change. Arguments: the number of indexes; for each of them the number of
/// arguments that `ZADD` takes, and these; for each change the command, the uid, the number of the index and, for a removal,
/// the entry to remove, which may be empty.
///
/// The answer has one item for each change. Errors are returned as they are.
const CHANGE: &str = "\
    local indexes, at, refused, gone, done = tonumber(ARGV[1]), 2, {}, {}, {} \
    local pcall = redis.pcall \
    for i = 1, indexes do \
    local last = at + tonumber(ARGV[at]) \
    if last > at then \
    local added = pcall('ZADD', KEYS[i], unpack(ARGV, at + 1, last)) \
    if type(added) == 'table' then refused[tostring(i)] = added end end \
    at = last + 1 end \
    for i = indexes + 1, #KEYS do \
    local name, uid, index = ARGV[at], ARGV[at + 1], ARGV[at + 2] \
    if name == 'SADD' then at = at + 3 \
    done[#done + 1] = refused[index] or pcall(name, KEYS[i], uid) \
    else \
    local removed, item = pcall(name, KEYS[i], uid), ARGV[at + 3] \
    done[#done + 1] = removed at = at + 4 \
    if item ~= '' and type(removed) ~= 'table' then \
    local items = gone[index] or { at = {} } items[#items + 1] = item items.at[#items] = #done gone[index] = items \
    end end end \
    for index, items in pairs(gone) do \
    local left = pcall('ZREM', KEYS[tonumber(index)], unpack(items)) \
    if type(left) == 'table' then for _, change in ipairs(items.at) do done[change] = left end end end \
    return done";

/// A pair of channel and index, and the members that are added there or removed.
#[derive(Debug, Clone, Copy)]
struct Unit<'a> {
    is_join: bool,
    channel: &'a Key,
    index: &'a Key,
    uids: &'a [Member],
}

impl Unit<'_> {
    fn field(&self) -> &[u8] {
        field(self.channel, self.index).unwrap_or_default()
    }
}

/// A group in a pipeline.
#[derive(Debug)]
struct Group {
    /// The position of its script.
    at: usize,
    /// How many members each of its units has.
    sizes: Vec<usize>,
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
        if uids.is_empty() || uids.len() > FEW {
            return false;
        }
        for pair in call.targets() {
            let [channel, index] = pair else { continue };
            if self.members + uids.len() > MOST {
                self.end(pipeline);
            }
            self.members += uids.len();
            self.open.push(Unit {
                is_join,
                channel,
                index,
                uids,
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
                self.made.push(Group {
                    at: pipeline.len(),
                    sizes: units.iter().map(|unit| unit.uids.len()).collect(),
                });
                script(units)
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
                Some(group) => of_units(&group.sizes, answer, &mut split),
                None => split.push(answer),
            }
        }
        split
    }
}

/// Appends the answer of each unit: the sum over its members, or the first error.
fn of_units(sizes: &[usize], answer: Value, split: &mut Vec<Value>) {
    let Value::Array(items) = answer else {
        // The script was refused as a whole.
        split.extend(sizes.iter().map(|_| answer.clone()));
        return;
    };
    let mut items = items.into_iter();
    for size in sizes {
        let mut sum = Value::Int(0);
        for item in items.by_ref().take(*size) {
            sum = match (sum, item) {
                (Value::Int(sum), Value::Int(count)) => Value::Int(sum.saturating_add(count)),
                (Value::Int(_), error) | (error, _) => error,
            };
        }
        split.push(sum);
    }
}

fn alone(unit: &Unit) -> Cmd {
    let op = if unit.is_join {
        WriteOp::Join
    } else {
        WriteOp::Part
    };
    membership_scripts::change(op, [unit.channel, unit.index], unit.uids)
}

/// What a group changes in one index.
struct Changed<'a> {
    index: &'a Key,
    /// The number of the index, as text.
    number: String,
    added: Vec<Vec<u8>>,
}

/// A change of a channel.
struct Change<'a> {
    unit: &'a Unit<'a>,
    uid: &'a Member,
    /// The position of the index.
    at: usize,
    /// For a removal, the entry.
    item: Vec<u8>,
}

/// Makes the script of a group.
fn script(units: &[Unit]) -> Cmd {
    let mut indexes: Vec<Changed> = Vec::new();
    let mut places: HashMap<&Key, usize> = HashMap::new();
    let mut changes: Vec<Change> = Vec::with_capacity(units.len());
    for unit in units {
        let at = *places.entry(unit.index).or_insert_with(|| {
            indexes.push(Changed {
                index: unit.index,
                number: (indexes.len() + 1).to_string(),
                added: Vec::new(),
            });
            indexes.len() - 1
        });
        for uid in unit.uids {
            let mut item = entry(uid, unit.field());
            if unit.is_join {
                indexes[at].added.push(std::mem::take(&mut item));
            }
            changes.push(Change {
                unit,
                uid,
                at,
                item,
            });
        }
    }
    keep_joined(&mut changes);
    for changed in &mut indexes {
        // Neighbours in the index, one after the other, are found sooner.
        changed.added.sort_unstable();
    }
    encode(&indexes, &changes)
}

/// Has parts leave the entries to later joins of the same group.
fn keep_joined(changes: &mut [Change]) {
    let is_join = |change: &Change| change.unit.is_join;
    if changes.iter().all(is_join) || !changes.iter().any(is_join) {
        return;
    }
    let mut joined: HashSet<(&Key, &Key, &Member)> = HashSet::new();
    for change in changes.iter_mut().rev() {
        let member = (change.unit.index, change.unit.channel, change.uid);
        if change.unit.is_join {
            joined.insert(member);
        } else if joined.contains(&member) {
            change.item.clear();
        }
    }
}

fn encode(indexes: &[Changed], changes: &[Change]) -> Cmd {
    let mut script = Cmd::with_capacity(4 + 6 * changes.len(), CHANGE.len() + 128 * changes.len());
    script.arg("EVAL").arg(CHANGE);
    script.arg(indexes.len() + changes.len());
    for changed in indexes {
        script.arg(changed.index);
    }
    for change in changes {
        script.arg(change.unit.channel);
    }
    script.arg(indexes.len());
    for changed in indexes {
        script.arg(2 * changed.added.len());
        for item in &changed.added {
            script.arg("0").arg(item);
        }
    }
    for Change {
        unit,
        uid,
        at,
        item,
    } in changes
    {
        let name = if unit.is_join { "SADD" } else { "SREM" };
        script.arg(name).arg(uid).arg(&indexes[*at].number);
        if !unit.is_join {
            script.arg(item);
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).expect("RESP")
    }

    fn join(channel: &str, uids: &[&str]) -> Command {
        let keys = vec![channel.into(), b"P@members:{s}".to_vec()];
        let uids = uids.iter().map(|uid| uid.as_bytes().to_vec());
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
        let calls = [join("P:a:s", &["u", "v"]), join("P:b:s", &["u"])];
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
        for text in [
            "*0\r\n",
            "*1\r\n:1\r\n",
            "+OK\r\n",
            "*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        ] {
            assert_eq!(split(text).len(), 3, "{text}");
        }
    }

    #[test]
    fn a_script_is_of_few_members() {
        let calls: Vec<Command> = (0..1000).map(|_| join("P:a:s", &["u", "v", "w"])).collect();
        let (pipeline, groups) = grouped(&calls);
        assert!(
            groups
                .made
                .iter()
                .all(|group| group.sizes.iter().sum::<usize>() <= MOST)
        );
        assert_eq!(pipeline.len(), 1000_usize.div_ceil(MOST / 3));
    }

    #[test]
    fn a_call_of_many_members_stays_alone() {
        let many = vec!["u"; FEW + 1];
        let mut pipeline = Pipeline::new();
        assert!(!Groups::default().take(&join("P:a:s", &many), &mut pipeline));
    }
}
