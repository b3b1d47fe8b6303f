//! The methods of the session registry, which `lib/leases.js` calls: the leases of frontends ([`crate::lease`]) and the sets
//! of their online users. The store executes them in order with the calls of the app, but they take no number among
//! these: the app's questions of who is online are answered from them, and a later number would wait for an earlier one.
//! They are not counted as calls of the app, and are accepted during a start and until the lease is released in a stop.
//!
//! An answer is JSON, since these calls are few: a count of changes, or an array with a value for each frontend.

use std::fmt::Write as _;

use napi::Unknown;

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::{
            Service,
            call::{Late, State},
        },
        values::{
            args, errors,
            js::{Args, Callback, call_back},
            page_options::{PageOptions, no_cursor},
        },
    },
    command::{Code, Reply, Value},
    error::{Error, Result},
    keys::Key,
    options::Store,
    pages::{PageQuery, USUAL, is_match},
};

impl Service {
    /// Executes a method about these frontends; `items` are the users, or the arguments of an operation on a lease.
    pub fn registry(
        &self,
        kind: Kind,
        sids: &Unknown,
        items: &Unknown,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let checked = match (args::texts(sids, "sid")?, args::members(items, self.sizes)?) {
            (Ok(sids), Ok(items)) => self
                .registry_keys(kind, &sids)
                .map(|keys| (keys, self.members_items(kind, items))),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        // Last, because reading an array or an object may have run a getter.
        let checked = self.admit_registry().and(checked);
        let (keys, items) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let Some(code) = kind.code().filter(|_| !keys.is_empty()) else {
            let args = Args::new().with_null(&self.env)?.with(&self.env, "[]")?;
            return call_back(&self.env, cb, args);
        };
        let host = self.host()?;
        let token = self.later(Late::Registry(Callback::new(cb)?, None));
        self.pack_given_keys(&keys);
        self.pack_items(&items);
        self.input.borrow_mut().calls.end_call(token, code);
        self.flush_soon(&host)
    }

    /// Executes a method that reads a part of the online users of one frontend, or a step that finds members outside of the
    /// index ([`Self::unindexed_query`]). For the users, `asked` are the cursor, which may be empty,
    /// the limit, and a pattern of uids, or an empty one.
    pub fn registry_page(
        &self,
        kind: Kind,
        sid: &Unknown,
        asked: &Unknown,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let checked = match (args::texts(sid, "sid")?, args::texts(asked, "asked")?) {
            (Ok(sids), Ok(asked)) => self.online_query(kind, &sids, asked),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let checked = self.admit_registry().and(checked);
        let (query, glob) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let host = self.host()?;
        let token = self.later(Late::Registry(Callback::new(cb)?, glob));
        self.pack_items(query.items());
        self.input
            .borrow_mut()
            .calls
            .end_call(token, Code::Page(query.op()));
        self.flush_soon(&host)
    }

    fn online_query(
        &self,
        kind: Kind,
        sids: &[String],
        asked: Vec<String>,
    ) -> Result<(PageQuery, Option<String>)> {
        let key = self.registry_keys(kind, sids)?.pop().unwrap_or_default();
        if matches!(kind.arguments(), Arguments::ChannelsOn | Arguments::Entered) {
            let query = self.unindexed_query(kind, (sids, key), &asked)?;
            return Ok((query, None));
        }
        let mut asked = asked.into_iter();
        let cursor = asked.next().filter(|cursor| !cursor.is_empty());
        let limit = asked.next().and_then(|limit| limit.parse().ok());
        let options = PageOptions {
            cursor,
            limit: limit.unwrap_or(USUAL),
            glob: None,
        };
        let glob = asked.next().filter(|glob| !glob.is_empty());
        Ok((self.member_query(key, &options)?, glob))
    }

    /// Refuses a cursor of `getOnline` that is none: that of a frontend's page, a slash, and its server id. Returns both;
    /// the first is empty at the beginning of a list.
    pub(super) fn online_cursor(&self, text: &str) -> Result<(String, String)> {
        let (inner, sid) = text.split_once('/').ok_or_else(no_cursor)?;
        let options = PageOptions {
            cursor: Some(inner.to_owned()).filter(|inner| !inner.is_empty()),
            limit: USUAL,
            glob: None,
        };
        self.member_query(self.keys.online(sid), &options)?;
        Ok((inner.to_owned(), sid.to_owned()))
    }

    /// Answers a method with what the store has answered.
    pub fn answer_registry(
        &self,
        callback: Callback,
        glob: Option<&str>,
        reply: Result<Reply>,
    ) -> napi::Result<()> {
        let env = &self.env;
        let args = match reply.and_then(|reply| json(reply, glob)) {
            Ok(text) => Args::new().with_null(env)?.with(env, text)?,
            Err(error) => Args::new().with(env, errors::to_js(env, &error)?)?,
        };
        callback.call(env, args)
    }

    /// Answers all methods with an error, because the store will not answer any more; nor are a claim and a release
    /// waited for.
    pub fn fail_registry(&self, error: &Error) {
        let late = self.late.take().into_iter();
        let (registry, others): (Vec<_>, Vec<_>) =
            late.partition(|(_, late)| matches!(late, Late::Registry(..)));
        let is_claim = |late: &Late| matches!(late, Late::Claim | Late::Release);
        let others = others.into_iter().filter(|(_, late)| !is_claim(late));
        self.late.borrow_mut().extend(others);
        for (_, late) in registry {
            if let Late::Registry(callback, _) = late {
                // Fails only in an environment that is gone.
                let _ = self.answer_registry(callback, None, Err(error.clone()));
            }
        }
    }

    /// Checks whether a call of the session registry may go to the store now. There is always room for it: without its
    /// lease a busy frontend would count as dead.
    fn admit_registry(&self) -> Result<()> {
        if let Some(words) = &*self.died.borrow() {
            return Err(Error::Internal(words.clone()));
        }
        let late = self.late.borrow();
        match self.state.get() {
            State::Inited => Err(Error::InvalidState),
            State::Starting | State::Started => Ok(()),
            State::Closed if late.values().any(|late| matches!(late, Late::Release)) => Ok(()),
            State::Closed => Err(Error::Stopped),
        }
    }

    fn registry_keys(&self, kind: Kind, sids: &[String]) -> Result<Vec<Key>> {
        if self.is_custom() {
            let words = "a custom manager keeps no leases of frontends";
            return Err(Error::Unsupported(words.to_owned()));
        }
        if matches!(self.options.store, Store::Cluster(_)) {
            self.keys.check_lease_prefix()?;
        }
        let keys = &self.keys;
        let mut made = Vec::with_capacity(sids.len() + 1);
        if kind.arguments() == Arguments::Leases {
            // Two sets, in place of frontends.
            made.extend(sids.iter().map(|set| match set.as_str() {
                "session" => keys.session_leases(),
                _ => keys.leases(),
            }));
            return Ok(made);
        }
        for sid in sids {
            keys.check_lease_sid(sid)?;
            if let Some(keys) = self.members_keys(kind.arguments(), sid) {
                made.extend(keys);
                continue;
            }
            match kind.arguments() {
                Arguments::Lease => made.extend([keys.online(sid), keys.lease(sid)]),
                Arguments::LeaseKeys => made.push(keys.lease(sid)),
                _ => made.push(keys.online(sid)),
            }
        }
        match made.iter().find(|key| key.len() > self.sizes.key) {
            Some(key) => Err(Error::InvalidArgument(format!(
                "argument sid: the key {} has {} bytes; accepted are at most {}",
                String::from_utf8_lossy(key),
                key.len(),
                self.sizes.key
            ))),
            None => Ok(made),
        }
    }
}

/// Returns an answer of the store as JSON; of a page the members that match `glob`.
fn json(reply: Reply, glob: Option<&str>) -> Result<String> {
    let values = match reply {
        Reply::Done => return Ok("0".to_owned()),
        Reply::Changed(count) | Reply::Removed(count) => return Ok(count.to_string()),
        Reply::Lease(lease) => return Ok(format!("[{}]", lease.json())),
        Reply::Values(values) => values,
        Reply::Page(mut page) => {
            if let Some(glob) = glob {
                page.names.retain(|uid| is_match(glob.as_bytes(), uid));
            }
            return page.json();
        }
    };
    let mut text = String::from("[");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Does not fail: it writes to memory.
        let _ = match value.as_ref().map_err(Clone::clone)? {
            Value::List(list) => text.write_str(list.json()),
            Value::Int(number) => write!(text, "{number}"),
            Value::Bool(is) => write!(text, "{is}"),
            Value::Lease(lease) => text.write_str(&lease.json()),
        };
    }
    text.push(']');
    Ok(text)
}
