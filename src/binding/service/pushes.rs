//! The methods that push: to channels, to users, to all sessions of frontends. Who gets a push to channels is decided
//! where the lists are ([`crate::list::Unions`]); single users are left out in JavaScript (`lib/recipients.js`), where
//! the lists are arrays already. The RPCs are made by `lib/delivery.js`.

use std::rc::Rc;

use napi::{Unknown, bindgen_prelude::JsValue as _};

use crate::{
    binding::{
        host::{Host, Servers},
        methods::Kind,
        service::{Service, call::Outcome},
        values::{
            args,
            push_options::{self, HeldHere},
        },
    },
    command::Code,
    error::Result,
    list::Groups,
};

impl Service {
    /// Executes `pushMessage`; `values` are route, msg, opts and the callback.
    pub fn push(
        &self,
        kind: Kind,
        server_type: &Unknown,
        name: Unknown,
        values: [Unknown; 4],
    ) -> napi::Result<()> {
        let [route, msg, opts, callback] = values;
        let cb = &callback;
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        let is_array = name.is_array()?;
        let options = match push_options::read(&self.env, &host, &opts, (&name, is_array))? {
            Ok(options) => options,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        // Reading an object may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let servers = servers.among(&self.env, options.sids.as_deref())?;
        if servers.ids.is_empty() {
            return self.answer_nobody(&host, kind, cb);
        }
        let given = &options.held;
        let hold = |name| {
            let (host, servers) = (&host, &servers);
            move |seq| match given {
                HeldHere::Values(held, list) => {
                    let list = list.unwrap_or(name);
                    let values = [route, msg, held.user_options, callback, list];
                    host.hold_push(&self.env, seq, servers, values, held.selection)
                }
                HeldHere::Prepared => {
                    host.hold_prepared(&self.env, seq, servers, [route, msg, callback])
                }
            }
        };
        let is_plain = options.without.is_empty() && !is_array;
        if host.is_custom() {
            let seq = self.take_call(&host, kind, hold(name))?;
            let mut args = vec![name, servers.array(&self.env)?];
            args.extend(options.except_channels);
            return self.execute(seq, kind.name(), self.args(args)?);
        }
        if is_plain {
            return self.push_to_one(&host, kind, cb, &name, &servers.ids, hold);
        }
        let read;
        let mut all: Vec<&str> = if let Some(joined) = &options.names {
            joined.split('\0').collect()
        } else {
            read = match args::texts(&name, "name")? {
                Ok(names) => names,
                Err(error) => return self.refuse(kind, cb, &error),
            };
            read.iter().map(String::as_str).collect()
        };
        if all.is_empty() {
            return self.answer_nobody(&host, kind, cb);
        }
        let groups = Groups::new(all.len(), options.without.len());
        all.extend(options.without.iter().map(String::as_str));
        if let Err(error) = self.check_groups(&all, &servers.ids) {
            return self.refuse(kind, cb, &error);
        }
        // Reading an array may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        self.pack_groups(&all, &servers.ids);
        self.take_packed(&host, kind, Code::Combined(groups), hold(name))
    }

    /// Executes a push to one channel. `hold` gets the channel's name.
    fn push_to_one<'env, H: FnOnce(u64) -> napi::Result<()>>(
        &'env self,
        host: &Rc<Host>,
        kind: Kind,
        cb: &Unknown,
        name: &Unknown<'env>,
        sids: &[String],
        hold: impl Fn(Unknown<'env>) -> H,
    ) -> napi::Result<()> {
        let Some(code) = kind.code() else {
            return Ok(());
        };
        if self.pack_keys(name, sids)? {
            return self.take_packed(host, kind, code, hold(*name));
        }
        let (text, keys) = match self.keys(name, sids)? {
            Ok((text, keys)) => (text, Ok(keys)),
            Err(error) => (String::new(), Err(error)),
        };
        if self.pack_read(kind, cb, keys)? {
            let text = self.env.create_string(&text)?.to_unknown();
            return self.take_packed(host, kind, code, hold(text));
        }
        Ok(())
    }

    /// Refuses channels without keys on these frontends, and too many of both.
    fn check_groups(&self, names: &[&str], sids: &[String]) -> Result<()> {
        args::check_keys(names.len(), sids.len())?;
        for name in names {
            self.keys.check_name(name)?;
            for sid in sids {
                let given = "a name of a channel";
                self.sizes.check_key(&self.keys, given, name, sid)?;
            }
        }
        Ok(())
    }

    /// Executes methods that push to users: of one frontend (`opts.sid`), without asking the store, or wherever they are
    /// online.
    pub fn push_to_uids(
        &self,
        kind: Kind,
        server_type: &Unknown,
        uids: Unknown,
        values: [Unknown; 4],
    ) -> napi::Result<()> {
        let [route, msg, opts, callback] = values;
        let cb = &callback;
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if let Err(error) = args::text(server_type, "serverType")? {
            return self.refuse(kind, cb, &error);
        }
        let read = match (
            args::texts(&uids, "uids")?,
            push_options::sid(&self.env, &host, &opts)?,
        ) {
            (Ok(uids), Ok((held, sid))) => {
                let without = "pushMessageByUids without opts.sid";
                let checked = sid.map_or_else(
                    || self.check_registry(without).map(|()| None),
                    |sid| Ok(Some(sid)),
                );
                checked.map(|sid| (uids, held, sid))
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let (uids, held, sid) = match read {
            Ok(read) => read,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let values = [route, msg, held.user_options, callback];
        let Some(sid) = sid else {
            return self.push_to_online(kind, server_type, uids, values, held.selection);
        };
        self.note_sid(&sid);
        let servers = Servers::new(&self.env, vec![sid])?;
        self.push_in_turn(&host, kind, &servers, Some(uids), values, held.selection)?;
        self.meet_new_sids(&host)
    }

    /// Pushes to users on each server of a type where they are online.
    fn push_to_online(
        &self,
        kind: Kind,
        server_type: &Unknown,
        uids: Vec<String>,
        values: [Unknown; 4],
        selection: Option<Unknown>,
    ) -> napi::Result<()> {
        let [.., cb] = &values;
        if let Err(error) = self.check_uids(&uids) {
            return self.refuse(kind, cb, &error);
        }
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        let hold = |seq| {
            host.hold_own_push(
                &self.env,
                seq,
                &servers,
                (values, selection),
                Some(uids),
                true,
            )
        };
        self.take_call(&host, kind, hold).map(drop)
    }

    /// Executes methods that push to all sessions on servers of a type, without asking the store.
    pub fn broadcast(
        &self,
        kind: Kind,
        server_type: &Unknown,
        values: [Unknown; 4],
    ) -> napi::Result<()> {
        let [route, msg, opts, callback] = values;
        let cb = &callback;
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        let (held, sids) = match push_options::sids(&self.env, &host, &opts)? {
            Ok(read) => read,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let servers = servers.among(&self.env, sids.as_deref())?;
        let values = [route, msg, held.user_options, callback];
        self.push_in_turn(&host, kind, &servers, None, values, held.selection)
    }

    /// Takes a push that needs nothing from the store; its turn comes after all calls before it.
    fn push_in_turn(
        &self,
        host: &Rc<Host>,
        kind: Kind,
        servers: &Servers,
        uids: Option<Vec<String>>,
        values: [Unknown; 4],
        selection: Option<Unknown>,
    ) -> napi::Result<()> {
        let [.., cb] = &values;
        // Reading an object may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let seq = self.take_call(host, kind, |seq| {
            host.hold_own_push(&self.env, seq, servers, (values, selection), uids, false)
        })?;
        self.calls.borrow_mut().settle(seq, Outcome::Own);
        self.nudge();
        Ok(())
    }
}
