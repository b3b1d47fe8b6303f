//! Calls that keep or use the index of members ([`crate::membership`], option `membership: 'session'`): which operation a
//! method is with that option, and its keys; and what `lib/members.js` asks.

use napi::{Unknown, ValueType};

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::Service,
        values::{args, text},
    },
    command::{Code, Op, Texts, Value, WriteOp},
    error::{Error, Result},
    keys::Key,
    list::List,
    membership::{entry, field, name},
    options::Membership,
};

impl Service {
    /// Returns whether members are indexed.
    pub(super) fn indexes(&self) -> bool {
        let sessions = self.options.sessions.as_ref();
        sessions.is_some_and(|sessions| sessions.membership == Membership::Session)
    }

    /// Returns the operation of a method of the app.
    pub(super) fn code(&self, kind: Kind) -> Option<Code> {
        let code = kind.code();
        if !self.indexes() {
            return code;
        }
        Some(match code? {
            Code::Command(Op::Write(WriteOp::Add)) => Code::Command(Op::Write(WriteOp::Join)),
            Code::Command(Op::Write(WriteOp::Remove)) => Code::Command(Op::Write(WriteOp::Part)),
            other => other,
        })
    }

    /// Packs a call about one member: the key of the channel, with the option that of the index, and the uid. Returns
    /// `false`, and packs nothing, if an argument is not text, is too long or is refused.
    pub(super) fn pack_member(
        &self,
        [name, uid, sid]: [&Unknown; 3],
        is_write: bool,
    ) -> napi::Result<bool> {
        if !self.pack_key(name, sid)? {
            return Ok(false);
        }
        if is_write && self.check_events_sid(self.sids.borrow().last()).is_err() {
            self.pack(|_| Ok(false))?;
            return Ok(false);
        }
        if !(is_write && self.indexes()) {
            return self.pack_uid(uid);
        }
        self.pack(|packed| {
            let sids = self.sids.borrow();
            let sid = sids.last();
            let channel = packed.last_item();
            let length = channel.saturating_sub(self.keys.prefix().len() + sid.len() + 2);
            let index = packed.bytes();
            let begin = index.len();
            self.keys.append_members(sid, index);
            let fits = index.len() - begin <= self.sizes.key && self.keys.takes_lease_sid(sid);
            packed.end_key();
            let member = packed.bytes();
            let begin = member.len();
            let is_text = text::append(&self.env, uid, member, self.sizes.member)?;
            let uid = &member[begin..];
            let fits = fits && uid.len() + digits(uid.len()) + 1 + length <= self.sizes.member;
            packed.end_item();
            Ok(is_text && fits)
        })
    }

    /// Returns the keys of a write of these members of channels on a frontend: with the option pairs of channel and index.
    pub(super) fn with_index<'a>(
        &self,
        keys: Vec<Key>,
        sid: &str,
        members: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<Key>> {
        if !self.indexes() || keys.is_empty() {
            return Ok(keys);
        }
        let index = self.index(sid)?;
        let fields = keys.iter().filter_map(|key| field(key, &index));
        let longest = fields.max_by_key(|field| field.len()).unwrap_or_default();
        for uid in members {
            self.check_entry(uid, longest)?;
        }
        let pairs = keys.into_iter().flat_map(|key| [key, index.clone()]);
        Ok(pairs.collect())
    }

    /// The same for members on all frontends; channels and index are given by the parts of their keys before the sid.
    pub(super) fn with_index_base(&self, bases: Vec<Key>, op: Op) -> (Vec<Key>, Op) {
        let op = match op {
            Op::Write(WriteOp::Remove) if self.indexes() => Op::Write(WriteOp::Part),
            _ => return (bases, op),
        };
        let index = self.keys.members_base();
        let pairs = bases.into_iter().flat_map(|base| [base, index.clone()]);
        (pairs.collect(), op)
    }

    fn index(&self, sid: &str) -> Result<Key> {
        self.keys.check_lease_sid(sid)?;
        let index = self.keys.members(sid);
        if index.len() <= self.sizes.key {
            return Ok(index);
        }
        Err(Error::InvalidArgument(format!(
            "argument sid: the key {} has {} bytes; accepted are at most {}",
            String::from_utf8_lossy(&index),
            index.len(),
            self.sizes.key
        )))
    }

    fn check_entry(&self, uid: &[u8], field: &[u8]) -> Result<()> {
        let length = entry(uid, field).len();
        if length <= self.sizes.member {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "arguments name and uid have {} and {} bytes, and {length} in the index of option membership; accepted are \
             at most {}",
            field.len(),
            uid.len(),
            self.sizes.member
        )))
    }

    /// Executes methods about the channels of a user on a frontend, or on all that the store knows.
    pub fn of_user_on(
        &self,
        kind: Kind,
        [uid, sid]: [Unknown; 2],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        let is_everywhere = matches!(sid.get_type()?, ValueType::Null | ValueType::Undefined);
        let sid = if is_everywhere {
            Ok(String::new())
        } else {
            args::text(&sid, "sid")?
        };
        let checked = match (args::uid(&uid, self.sizes)?, sid) {
            (Ok(uid), Ok(sid)) => self.check_indexes(kind.name()).and_then(|()| {
                let index = if is_everywhere {
                    self.keys.members_base()
                } else {
                    self.index(&sid)?
                };
                Ok((index, [uid, self.keys.stem()], sid))
            }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let (index, items, sid) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let sids = if is_everywhere {
            host.frontend_ids(&self.env)?
        } else {
            Vec::new()
        };
        // Reading an object, or asking the app, may have run JavaScript.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let items = items.iter().map(Vec::as_slice);
        let Some(Code::Command(op)) = kind.code() else {
            return Ok(());
        };
        if !is_everywhere {
            self.pack_given_keys([&index]);
            self.pack_items(items);
            return self.call_index(&host, (kind, &sid), cb);
        }
        let rest = items.chain(sids.iter().map(String::as_bytes));
        self.input
            .borrow_mut()
            .calls
            .everywhere([index.as_slice()], rest);
        let code = Code::Everywhere(op, 2);
        self.take_packed(&host, kind, code, |seq| host.hold(&self.env, seq, cb))
    }

    fn check_indexes(&self, method: &str) -> Result<()> {
        if self.indexes() {
            return Ok(());
        }
        let place = self.place_of_option();
        Err(Error::Unsupported(format!(
            "{method} needs an index of each user's channels, which option membership: 'session' keeps, {place}"
        )))
    }

    /// Makes the items of a call of `lib/members.js` of the given ones.
    pub(super) fn members_items(&self, kind: Kind, items: Texts) -> Texts {
        if kind.arguments() != Arguments::Purge {
            return items;
        }
        let (mut items, mut all) = (items.iter(), Texts::default());
        // After what says when the operation is allowed; the reason and the users follow.
        all.extend(items.by_ref().take(3));
        all.push(&self.keys.stem());
        all.extend(items);
        all
    }

    /// Returns the names in lists of fields, each once.
    pub fn names_of<'a>(&self, lists: impl IntoIterator<Item = &'a Value>) -> Result<List> {
        let fields = lists.into_iter().filter_map(Value::list);
        let mut seen = std::collections::HashSet::new();
        let mut names = Vec::new();
        for field in fields.flat_map(|list| list.texts()) {
            let name = name(&field, self.options.hash_tag).to_owned();
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        List::new(names)
    }

    /// Returns the keys of a call of `lib/members.js` about a frontend; `None` if it is another one.
    pub(super) fn members_keys(&self, arguments: Arguments, sid: &str) -> Option<Vec<Key>> {
        let keys = &self.keys;
        Some(match arguments {
            Arguments::Index | Arguments::ChannelsOn | Arguments::Entered => {
                vec![keys.members(sid)]
            }
            Arguments::Gone => vec![keys.gone(sid)],
            Arguments::Purge => vec![keys.members(sid), keys.lease(sid), keys.gone(sid)],
            _ => return None,
        })
    }
}

fn digits(length: usize) -> usize {
    length
        .checked_ilog10()
        .map_or(1, |digits| digits as usize + 1)
}
