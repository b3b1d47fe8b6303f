//! The script of a group of changes of members and their entries ([`super::member_groups`]), and the layout of its arguments.
//!
//! A change takes two arguments, the uid and the field; the script makes the keys. Changes of one kind that follow one another
//! are a _run_. No change of a run depends on another one, but for two of the same member; so they are ordered by frontend and
//! user, and the entries of a user are written by one command.

use redis::Cmd;

use super::{kept_scripts::on_kept, member_groups::Unit};
use crate::{
    keys::{GONE, MEMBERS},
    membership::Parts,
};

/// Arguments: what the keys of channels begin with, and those of indexes, and what `$first` counts more. Then for each frontend of each run: twice the number
/// of users, plus one if any of them has several fields, and all negative if members are removed; the frontend; the uids; and
/// for each user his fields, with their number before them if any has several.
///
/// The index gets the users of joins first, and loses users without fields last, each by one command. The fields of a user
/// follow his members: who is refused as a member gets no field, and a member whose field is refused is removed again. No one
/// sees what is between.
///
/// The answer has one item for each change. Errors are returned as they are. A count is compared with numbers, because `type`
/// is a call; fields are written one by one where the server does not take several at once (before Redis 4).
macro_rules! change {
    ($first:literal, $removed:literal) => {
        concat!(
            "local args, pcall, done, n, at, ends = ARGV, redis.pcall, {}, 0, ",
            $first,
            ", {} \
            local head, stem, last = args[1], args[2], #args \
            local tail, shrunk, left, places \
            local function enter(own, uid, field, to) for i = field, to do local place = n - to + i \
            if type(done[place]) ~= 'table' then local entered = pcall('HSET', own, args[i], '') \
            if type(entered) == 'table' then \
            if done[place] == 1 then pcall('SREM', head .. args[i] .. tail, uid) end \
            done[place] = entered end end end shrunk = true end \
            local function drop(own, field, to) for i = field, to do local place = n - to + i \
            if type(done[place]) ~= 'table' then local removed = pcall('HDEL', own, args[i]) \
            if type(removed) == 'table' then done[place] = removed else shrunk = shrunk or removed == 1 end end end end \
            local function unlist(own, uid) shrunk = false local fields = pcall('HLEN', own) \
            if fields == 0 then left[#left + 1] = uid places[#places + 1] = n \
            elseif type(fields) == 'table' then done[n] = fields end end \
            while at <= last do \
            local size, sid = tonumber(args[at]), args[at + 1] \
            local joins, several, first, kept = size > 0, size % 2 == 1, at + 2, nil \
            local command = joins and 'SADD' or 'SREM' \
            local index = stem .. sid .. '}' local base = index .. ':' \
            local field = first + math.floor(math.abs(size) / 2) \
            tail, left, places = ':' .. sid, {}, {} \
            local listed = joins and pcall('SADD', index, unpack(args, first, field - 1)) \
            local wrong = type(listed) == 'table' and listed \
            for user = first, field - 1 do \
            local uid, to, whole = args[user], field, true \
            if several then to = field + args[field] field = field + 1 end \
            local own = ends[#uid] if not own then own = ':' .. #uid ends[#uid] = own end \
            own = base .. uid .. own \
            for i = field, to do \
            local change = wrong or pcall(command, head .. args[i] .. tail, uid) \
            if change ~= 0 and change ~= 1 then whole = false end \
            n = n + 1 done[n] = change end \
            if wrong then \
            elseif not joins then \
            local removed = whole and pcall('HDEL', own, unpack(args, field, to)) \
            if removed == 1 then shrunk = true \
            elseif type(removed) == 'number' then shrunk = removed > 0 else drop(own, field, to) end ",
                    $removed,
                    "else \
            local entered \
            if not whole then entered = false \
            elseif to == field then entered = pcall('HSET', own, args[field], '') \
            else local entries = {} \
            for i = field, to do entries[#entries + 1] = args[i] entries[#entries + 1] = '' end \
            entered = pcall('HSET', own, unpack(entries)) end \
            if entered ~= 0 and entered ~= 1 and type(entered) ~= 'number' then enter(own, uid, field, to) end end \
            field = to + 1 \
            if shrunk then unlist(own, uid) end end \
            if #left > 0 then local removed = pcall('SREM', index, unpack(left)) \
            if type(removed) == 'table' then for _, place in ipairs(places) do done[place] = removed end end end \
            at = field end \
            return done"
        )
    };
}

/// Of joins alone.
const JOINS: &str = change!("3", "");

/// Also of parts: the members whom they remove are kept no longer ([`super::kept_scripts`]). One more argument: what the keys of
/// that begin with.
const CHANGES: &str = on_kept!(change!(
    "4",
    "if kept == nil then kept = pcall('HLEN', args[3] .. sid .. '}') end \
    if kept ~= 0 then local failed = kept \
    if type(kept) ~= 'table' then failed = unkeep(args[3] .. sid .. '}', uid, {unpack(args, field, to)}) end \
    if type(failed) == 'table' then for place = n - to + field, n do done[place] = failed end end end "
));

/// A change of one member.
#[derive(Debug, Clone, Copy)]
struct Change<'a> {
    /// The number of the frontend within its run.
    frontend: usize,
    /// The number of the user on a frontend, within the run.
    user: usize,
    uid: &'a [u8],
    field: &'a [u8],
    /// The number of the unit that it is of.
    unit: usize,
}

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// The script while it is made.
#[derive(Debug, Default)]
struct Script<'a> {
    /// The arguments so far.
    cmd: Cmd,
    /// The unit of each item of the answer.
    order: Vec<usize>,
    /// The run that is open.
    run: Vec<Change<'a>>,
    is_join: bool,
    /// The users of the run, each with his number.
    users: HashMap<(usize, &'a [u8]), usize>,
    /// The frontend of the last change, and its number within the run.
    sid: Option<&'a [u8]>,
    frontend: usize,
    /// The frontends of the run, in the order of their numbers, and these.
    sids: Vec<&'a [u8]>,
    places: HashMap<&'a [u8], usize>,
}

/// Makes the script of units, and tells for each item of its answer the number of the unit that it is of.
pub(super) fn script(units: &[Unit]) -> (Cmd, Vec<usize>) {
    let changes = units.iter().map(|unit| unit.uids.len()).sum::<usize>();
    let removes = units.iter().any(|unit| !unit.is_join);
    let text = if removes { CHANGES } else { JOINS };
    let mut script = Script {
        cmd: Cmd::with_capacity(6 + 5 * changes, text.len() + 96 * changes),
        order: Vec::with_capacity(changes),
        run: Vec::with_capacity(changes),
        ..Script::default()
    };
    let prefix = units.first().map_or(&[][..], |unit| unit.parts.prefix);
    script.cmd.arg("EVAL").arg(text).arg(0);
    script.cmd.arg([prefix, b":"].concat());
    script.cmd.arg([prefix, MEMBERS].concat());
    if removes {
        script.cmd.arg([prefix, GONE].concat());
    }
    for (number, unit) in units.iter().enumerate() {
        script.add(number, unit);
    }
    script.end_run();
    (script.cmd, script.order)
}

impl<'a> Script<'a> {
    fn add(&mut self, number: usize, unit: &Unit<'a>) {
        let Parts { field, sid, .. } = unit.parts;
        let is_other = self.sid.is_none_or(|last| last != sid);
        if self.is_join != unit.is_join || is_other && self.is_ambiguous_with(sid) {
            self.end_run();
        }
        self.is_join = unit.is_join;
        if is_other || self.run.is_empty() {
            let next = self.sids.len();
            self.frontend = *self.places.entry(sid).or_insert(next);
            if self.frontend == next {
                self.sids.push(sid);
            }
            self.sid = Some(sid);
        }
        let frontend = self.frontend;
        for uid in unit.uids {
            let next = self.users.len();
            let user = *self.users.entry((frontend, uid)).or_insert(next);
            self.run.push(Change {
                frontend,
                user,
                uid,
                field,
                unit: number,
            });
        }
    }

    /// Returns whether a change on this frontend may be about a key of the run, with another field: only if a frontend has a
    /// colon in it.
    fn is_ambiguous_with(&self, sid: &[u8]) -> bool {
        let has_colon = |sid: &[u8]| sid.contains(&b':');
        self.sid
            .is_some_and(|last| has_colon(last) || has_colon(sid))
    }

    /// Writes the run that is open.
    fn end_run(&mut self) {
        // Stable: of two changes of one member the first one counts.
        self.run
            .sort_by_key(|change| (change.frontend, change.user));
        for changes in self.run.chunk_by(|a, b| a.frontend == b.frontend) {
            let users = || changes.chunk_by(|a, b| a.user == b.user);
            let count = users().count();
            let several = count < changes.len();
            let size = 2 * count + usize::from(several);
            let sign = if self.is_join { "" } else { "-" };
            self.cmd.arg(format!("{sign}{size}"));
            self.cmd.arg(self.sids[changes[0].frontend]);
            for fields in users() {
                self.cmd.arg(fields[0].uid);
            }
            for fields in users() {
                if several {
                    self.cmd.arg(fields.len());
                }
                for change in fields {
                    self.cmd.arg(change.field);
                    self.order.push(change.unit);
                }
            }
        }
        self.run.clear();
        self.sids.clear();
        self.places.clear();
        self.users.clear();
    }
}
