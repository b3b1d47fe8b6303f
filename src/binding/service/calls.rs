//! The methods of [`crate::binding::methods`], one function for each kind of arguments: each checks its arguments and
//! makes a call to the store, or to the custom manager. Packing the call is done in [`super::packing`].

use std::rc::Rc;

use napi::Unknown;

use crate::{
    binding::{
        host::{Host, Servers},
        methods::Kind,
        service::Service,
        values::{
            args::{self, Names},
            js::{Args, call_back},
        },
    },
    command::Member,
    error::Result,
    keys::Key,
};

impl Service {
    /// Executes methods that change the members on one frontend.
    pub fn write(
        &self,
        kind: Kind,
        [name, uid, sid]: [Unknown; 3],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name, uid, sid]);
        }
        if self.pack_key(&name, &sid)? && self.pack_uid(&uid)? {
            return self.call(&host, kind, cb);
        }
        // Several channels, a Buffer, several uids, or a value that is not accepted.
        let checked = match (
            args::names(&name)?,
            args::members(uid, self.sizes, |uid| host.uids(&self.env, uid))?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(names), Ok(members), Ok(sid)) => names
                .check_members(&members)
                .and_then(|()| self.keys_of(&names, &[sid], "arguments name and sid"))
                .map(|keys| (keys, members)),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        };
        let (keys, members) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        // Reading an array may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        if keys.is_empty() || members.iter().next().is_none() {
            return self.answer_in_turn(&host, kind, cb);
        }
        self.pack_given_keys(&keys);
        self.pack_items(members.iter());
        self.call(&host, kind, cb)
    }

    /// Executes methods that change members of a channel on several frontends: one part for each of them.
    pub fn write_many(
        &self,
        kind: Kind,
        [name, members]: [Unknown; 2],
        callback: Unknown,
    ) -> napi::Result<()> {
        let cb = &callback;
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name, members]);
        }
        let checked = match (
            args::text(&name, "name")?,
            args::members_by_sid(&members, self.sizes)?,
        ) {
            (Ok(name), Ok(members)) => {
                let key = |(sid, uids): (String, Vec<Member>)| {
                    self.check_key(&name, &sid)?;
                    Ok((self.keys.key(&name, &sid), uids))
                };
                members.into_iter().map(key).collect::<Result<Vec<_>>>()
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        // Reading the array may have run a getter.
        let checked = checked.and_then(|parts| self.admit_parts(parts.len()).map(|()| parts));
        let parts = match checked {
            Ok(parts) => parts,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let call = host.parts(&self.env, callback, parts.len().max(1))?;
        if parts.is_empty() {
            return self.answer_in_turn(&host, kind, &call);
        }
        for (index, (key, uids)) in parts.iter().enumerate() {
            self.pack_given_keys([key]);
            self.pack_items(uids.iter().map(Vec::as_slice));
            self.send_part(&host, kind, &call, index == 0)?;
        }
        Ok(())
    }

    /// Executes methods that ask about one user of a channel on one frontend.
    pub fn of_member(
        &self,
        kind: Kind,
        [name, uid, sid]: [Unknown; 3],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name, uid, sid]);
        }
        if self.pack_key(&name, &sid)? && self.pack_uid(&uid)? {
            return self.call(&host, kind, cb);
        }
        // A Buffer, or a value that is not accepted.
        let checked = match (
            args::text(&name, "name")?,
            args::uid(&uid, self.sizes)?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(name), Ok(uid), Ok(sid)) => self.check_key(&name, &sid).map(|()| uid),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        };
        match checked {
            Ok(uid) => {
                self.pack_key(&name, &sid)?;
                self.pack_items([uid.as_slice()]);
                self.call(&host, kind, cb)
            }
            Err(error) => self.refuse(kind, cb, &error),
        }
    }

    /// Executes methods about a channel on one frontend.
    pub fn of_frontend(
        &self,
        kind: Kind,
        [name, sid]: [Unknown; 2],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name, sid]);
        }
        if self.pack_key(&name, &sid)? {
            return self.call(&host, kind, cb);
        }
        let checked = match (args::text(&name, "name")?, args::text(&sid, "sid")?) {
            (Ok(name), Ok(sid)) => self.check_key(&name, &sid),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        self.refuse_if(kind, cb, checked)
    }

    /// Executes methods about a channel on all servers of a type.
    pub fn of_servers(
        &self,
        kind: Kind,
        server_type: &Unknown,
        name: Unknown,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        if host.is_custom() {
            let sids = servers.array(&self.env)?;
            return self.call_custom(&host, kind, cb, [name, sids]);
        }
        if servers.ids.is_empty() {
            return match self.check_keys(&name, &[])? {
                Ok(()) => self.answer_in_turn(&host, kind, cb),
                Err(error) => self.refuse(kind, cb, &error),
            };
        }
        if self.pack_keys(&name, &servers.ids)? {
            return self.call(&host, kind, cb);
        }
        self.refuse_if(kind, cb, self.check_keys(&name, &servers.ids)?)
    }

    /// Executes methods about one or several channels on all servers of a type, which are answered by frontend.
    pub fn of_groups(
        &self,
        kind: Kind,
        server_type: &Unknown,
        name: Unknown,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        if host.is_custom() {
            let sids = servers.array(&self.env)?;
            return self.call_custom(&host, kind, cb, [name, sids]);
        }
        let read = match args::names(&name)? {
            Ok(names) => {
                let keys = self.keys_of(&names, &servers.ids, "argument name");
                keys.map(|keys| (names, keys))
            }
            Err(error) => Err(error),
        };
        let (names, keys) = match read {
            Ok(read) => read,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        // Reading an array may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let hold = |seq| host.hold_groups(&self.env, seq, &servers, *cb, names.array());
        if keys.is_empty() {
            return self.answer_held(&host, kind, hold);
        }
        self.pack_given_keys(&keys);
        self.take_packed(&host, kind, hold)
    }

    /// Executes `pushMessage`; `values` are route, msg, opts and the callback.
    pub fn push(
        &self,
        kind: Kind,
        server_type: &Unknown,
        name: Unknown,
        [route, msg, opts, callback]: [Unknown; 4],
    ) -> napi::Result<()> {
        let cb = &callback;
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        let values = [route, msg, opts, callback, name];
        let hold = |seq| host.hold_push(&self.env, seq, &servers, values);
        if host.is_custom() {
            let seq = self.take_call(&host, kind, hold)?;
            let args = self.args([name, servers.array(&self.env)?])?;
            return self.execute(seq, kind.name(), args);
        }
        if !self.pack_keys(&name, &servers.ids)? {
            return self.refuse_if(kind, cb, self.check_keys(&name, &servers.ids)?);
        }
        self.take_packed(&host, kind, hold)
    }

    /// Executes methods about a channel on all frontends.
    pub fn of_frontends(&self, kind: Kind, name: Unknown, cb: &Unknown) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name]);
        }
        let names = match args::names(&name)? {
            Ok(names) => names,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let sids = host.frontend_ids(&self.env)?;
        if sids.is_empty() {
            self.counts.command(kind);
            return call_back(&self.env, cb, Args::new());
        }
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        match self.keys_of(&names, &sids, "argument name") {
            Ok(keys) if keys.is_empty() => self.answer_in_turn(&host, kind, cb),
            Ok(keys) => {
                self.pack_given_keys(&keys);
                self.call(&host, kind, cb)
            }
            Err(error) => self.refuse(kind, cb, &error),
        }
    }

    /// Executes methods about the whole store.
    pub fn of_store(&self, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, []);
        }
        self.pack_items([self.keys.stem().as_slice()]);
        self.call(&host, kind, cb)
    }

    /// Returns the host if the call may go to the store; otherwise calls the callback with the reason.
    fn admitted(&self, kind: Kind, cb: &Unknown) -> napi::Result<Option<Rc<Host>>> {
        match self.admit() {
            Ok(()) => self.host().map(Some),
            Err(error) => self.refuse(kind, cb, &error).map(|()| None),
        }
    }

    /// Returns the host and the servers to ask, or nothing if the callback was called already. Without a server to ask
    /// the answer of a method of 0.0.7 is `(null, [])`, at once, as there.
    fn servers(
        &self,
        kind: Kind,
        cb: &Unknown,
        server_type: &Unknown,
    ) -> napi::Result<Option<(Rc<Host>, Rc<Servers>)>> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(None);
        };
        let env = &self.env;
        let servers = host.server_ids(env, server_type)?;
        if servers.ids.is_empty() && kind.answers_at_once() {
            self.counts.command(kind);
            let args = Args::new().with_null(env)?;
            let args = args.with(env, env.create_array(0)?)?;
            return call_back(env, cb, args).map(|()| None);
        }
        // The app's look-up has run, which may have called `stop`.
        let host = self.admitted(kind, cb)?;
        Ok(host.map(|host| (host, servers)))
    }

    /// Returns the keys of these channels on these frontends, channel by channel; `given` names these arguments in an
    /// error.
    fn keys_of(&self, names: &Names, sids: &[String], given: &str) -> Result<Vec<Key>> {
        names.check_keys(sids.len())?;
        let mut keys = Vec::with_capacity(names.list().len() * sids.len());
        for name in names.list() {
            self.keys.check_name(name)?;
            for sid in sids {
                self.sizes.check_key(&self.keys, given, name, sid)?;
                keys.push(self.keys.key(name, sid));
            }
        }
        Ok(keys)
    }

    fn check_key(&self, name: &str, sid: &str) -> Result<()> {
        self.keys.check_name(name)?;
        let given = "arguments name and sid";
        self.sizes.check_key(&self.keys, given, name, sid)
    }

    /// Checks the keys of a channel on servers whose ids the caller did not give.
    fn check_keys(&self, name: &Unknown, sids: &[String]) -> napi::Result<Result<()>> {
        Ok(args::text(name, "name")?.and_then(|name| {
            self.keys.check_name(&name)?;
            let check = |sid| {
                self.sizes
                    .check_key(&self.keys, "argument name", &name, sid)
            };
            sids.iter().try_for_each(|sid| check(sid))
        }))
    }

    fn refuse_if(&self, kind: Kind, cb: &Unknown, checked: Result<()>) -> napi::Result<()> {
        match checked {
            Ok(()) => Ok(()),
            Err(error) => self.refuse(kind, cb, &error),
        }
    }
}
