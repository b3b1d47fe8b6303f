//! Neighbouring calls that add or remove members with the index ([`crate::membership`]) as one script: a script has a cost
//! of its own, which is more than that of the changes of one call.
//!
//! The unit is a pair of channel and index with the members of its call. Units that follow one another in a batch are
//! executed in their order, in one atomic step, and each has the answer, or the error, that it would have alone: what is
//! between two units on the wire ends a group. Units of many members stay alone, and so does a single unit.
//!
//! **The index** gets the users of all joins of a group first, by one command, and loses the users who have no fields at the
//! end of the group last. In between come the changes in call order: a field is added before its member, and removed after
//! it, or if the server refuses the member. No one sees what is between, so that is what the calls one by one leave.
//!
//! **No key is declared** to the server, which checks the user's rights for each command of a script as well. A key that is
//! declared would have the whole script refused if the user may not use it, and so calls about others.

use std::collections::{HashMap, HashSet};

use redis::{Cmd, Pipeline, Value};

use super::{kept_scripts::on_kept, membership_scripts};
use crate::{
    command::{Command, Member, Op, WriteOp},
    keys::{Key, gone_beside, of_user},
    membership::field,
};

/// The maximum number of members of one script, which takes a server some 5 µs for each.
const MOST: usize = 200;

/// The maximum number of members of a unit in a group: each takes a command of its own there.
const FEW: usize = 8;

/// Arguments: the number of indexes; for each of them its key, that of what is kept of its frontend if there are
/// removals, the number of users who are added, and these; for each change the number of the index, negative if it is a
/// removal, the key of the user's fields, the field, the key of the channel, and the uid.
///
/// The answer has one item for each change. Errors are returned as they are.
macro_rules! change {
    () => {
        "\
    local args, at, parts, gones, kept, refused, left, done = ARGV, 2, {}, {}, {}, {}, {}, {} \
    local pcall = redis.pcall \
    for i = 1, tonumber(args[1]) do \
    local last = at + 2 + tonumber(args[at + 2]) \
    parts['-' .. i], gones['-' .. i] = args[at], args[at + 1] \
    if last > at + 2 then \
    local added = pcall('SADD', args[at], unpack(args, at + 3, last)) \
    if type(added) == 'table' then refused[tostring(i)] = added end end \
    at = last + 1 end \
    for i = at, #args, 5 do \
    local index, own, field, change = args[i], args[i + 1], args[i + 2] \
    if parts[index] then \
    change = pcall('SREM', args[i + 3], args[i + 4]) \
    if type(change) ~= 'table' then \
    local removed = pcall('HDEL', own, field) \
    if type(removed) == 'table' then change = removed \
    elseif removed == 1 then left[#left + 1] = {parts[index], args[i + 4], own, #done + 1} end \
    if kept[index] == nil then kept[index] = pcall('HLEN', gones[index]) end \
    local failed = kept[index] if failed ~= 0 and type(failed) ~= 'table' then \
    failed = unkeep(gones[index], args[i + 4], {field}) end \
    if type(failed) == 'table' then change = failed end end \
    else \
    local added = refused[index] or pcall('HSET', own, field, '') \
    change = added \
    if type(added) ~= 'table' then change = pcall('SADD', args[i + 3], args[i + 4]) \
    if added == 1 and type(change) == 'table' then pcall('HDEL', own, field) \
    left[#left + 1] = {parts['-' .. index], args[i + 4], own, #done + 1} end end end \
    done[#done + 1] = change end \
    for _, user in ipairs(left) do \
    local fields = pcall('HLEN', user[3]) \
    if fields == 0 then fields = pcall('SREM', user[1], user[2]) end \
    if type(fields) == 'table' then done[user[4]] = fields end end \
    return done"
    };
}

/// Of joins alone.
const JOINS: &str = change!();

/// Also of parts, which need to know of what is kept.
const CHANGES: &str = on_kept!(change!());

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

/// Appends the answer of each unit: the sum over its members, or the first error; `Nil`, which is no answer to a write, if one is
/// missing.
fn of_units(sizes: &[usize], answer: Value, split: &mut Vec<Value>) {
    let Value::Array(items) = answer else {
        // The script was refused as a whole.
        split.extend(sizes.iter().map(|_| answer.clone()));
        return;
    };
    let mut items = items.into_iter();
    for size in sizes {
        let mut sum = Value::Int(0);
        for item in (0..*size).map(|_| items.next().unwrap_or(Value::Nil)) {
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
    /// What is kept of its frontend; empty if there are no parts.
    gone: Key,
    /// The users of joins.
    added: HashSet<&'a Member>,
}

/// Makes the script of a group.
fn script(units: &[Unit]) -> Cmd {
    let mut indexes: Vec<Changed> = Vec::new();
    let mut places: HashMap<&Key, usize> = HashMap::new();
    let mut at = Vec::with_capacity(units.len());
    for unit in units {
        let place = *places.entry(unit.index).or_insert_with(|| {
            indexes.push(Changed {
                index: unit.index,
                gone: Key::new(),
                added: HashSet::new(),
            });
            indexes.len() - 1
        });
        at.push(place);
        if unit.is_join {
            indexes[place].added.extend(unit.uids);
        } else if indexes[place].gone.is_empty() {
            indexes[place].gone = gone_beside(unit.channel, unit.index);
        }
    }
    let changes = units.iter().map(|unit| unit.uids.len()).sum::<usize>();
    let text = if units.iter().all(|unit| unit.is_join) {
        JOINS
    } else {
        CHANGES
    };
    let mut script = Cmd::with_capacity(4 + 6 * changes, text.len() + 160 * changes);
    script.arg("EVAL").arg(text).arg(0).arg(indexes.len());
    for changed in &indexes {
        let Changed { index, gone, added } = changed;
        script.arg(index).arg(gone).arg(added.len());
        for uid in &changed.added {
            script.arg(uid);
        }
    }
    for (unit, place) in units.iter().zip(at) {
        let sign = if unit.is_join { "" } else { "-" };
        let number = format!("{sign}{}", place + 1);
        for uid in unit.uids {
            script.arg(&number).arg(of_user(unit.index, uid));
            script.arg(unit.field()).arg(unit.channel).arg(uid);
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::{super::codec, *};

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
        for text in ["*0\r\n", "*2\r\n:1\r\n:1\r\n", "+OK\r\n"] {
            let answers = split(text);
            assert_eq!(answers.len(), 3, "{text}");
            assert!(codec::wrote(answers[1].clone()).is_err(), "{text}");
        }
        let longer = split("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
        assert_eq!(longer, [Value::Int(2), Value::Int(1), Value::Okay]);
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
