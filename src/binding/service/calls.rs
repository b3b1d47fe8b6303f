//! The methods of [`crate::binding::methods`], one function for each kind of arguments: each checks its arguments and
//! makes a call to the store, or to the custom manager. Pushes are in [`super::pushes`], packing a call in
//! [`super::packing`].

use std::{iter, rc::Rc};

use napi::{Unknown, ValueType, bindgen_prelude::JsValue as _};

use crate::{
    binding::{
        host::{Host, Servers},
        methods::{Arguments, Kind},
        service::{Service, call::CLEAN_CALLED},
        values::{
            args::{self, Read},
            js::{Args, call_back},
        },
    },
    error::Result,
    keys::Key,
};

impl Service {
    /// Refuses a call without a callback that has a function in the place of an id: an argument was left out, and the
    /// function, which is meant as the callback, gets the error. Returns whether it did.
    pub fn lacks_argument(&self, kind: Kind, given: &[Unknown]) -> napi::Result<bool> {
        let Some((cb, given)) = given.split_last() else {
            return Ok(false);
        };
        if cb.get_type()? == ValueType::Function {
            return Ok(false);
        }
        // Before an id that is not there, other arguments may be meant as the callback too.
        let mut lacks_id = false;
        for (name, value) in kind.arguments().names().iter().zip(given).rev() {
            let (given, is_id) = (value.get_type()?, Arguments::is_id(name));
            if given == ValueType::Function && (is_id || lacks_id) {
                if self.admitted(kind, value)?.is_some() {
                    self.refuse(kind, value, &args::misplaced_function(name))?;
                }
                return Ok(true);
            }
            lacks_id |= is_id && given == ValueType::Undefined;
        }
        Ok(false)
    }

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
            return self.call_frontend(&host, kind, cb);
        }
        // A Buffer, several uids, an object with a text, or a value that is no uid or too long.
        let (key, members) = match (
            args::text(&name, "name")?,
            args::members(&uid, self.sizes)?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(name), Ok(members), Ok(sid)) => match self.key(&name, &sid) {
                Ok(key) => (key, members),
                Err(error) => return self.refuse(kind, cb, &error),
            },
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                return self.refuse(kind, cb, &error);
            }
        };
        // Reading an array or an object may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        if members.iter().next().is_none() {
            return self.answer_in_turn(&host, kind, cb);
        }
        self.pack_items(iter::once(key.as_slice()).chain(members.iter()));
        self.call_frontend(&host, kind, cb)
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
            return self.call_frontend(&host, kind, cb);
        }
        let key = match (args::text(&name, "name")?, args::text(&sid, "sid")?) {
            (Ok(name), Ok(sid)) => self.key(&name, &sid),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        if self.pack_read(kind, cb, key.map(|key| vec![key]))? {
            return self.call_frontend(&host, kind, cb);
        }
        Ok(())
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
        if self.pack_keys(&name, &servers.ids)? {
            return self.call(&host, kind, cb);
        }
        let keys = self.keys(&name, &servers.ids)?;
        if self.pack_read(kind, cb, keys.map(|(_, keys)| keys))? {
            return self.call(&host, kind, cb);
        }
        Ok(())
    }

    /// Executes methods about a channel on all frontends.
    pub fn of_frontends(&self, kind: Kind, name: Unknown, cb: &Unknown) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name]);
        }
        let name = match args::text(&name, "name")? {
            Ok(name) => name,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let sids = host.frontend_ids(&self.env)?;
        if sids.is_empty() {
            self.counts.command(kind);
            return call_back(&self.env, cb, Args::new());
        }
        if self.pack_read(kind, cb, self.keys_of(&name, &sids))? {
            return self.call(&host, kind, cb);
        }
        Ok(())
    }

    /// Executes methods about the whole store.
    pub fn of_store(&self, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            self.log_passed_clean(CLEAN_CALLED);
            return self.call_custom(&host, kind, cb, []);
        }
        self.pack_items([self.keys.stem().as_slice()]);
        self.call(&host, kind, cb)
    }

    /// Returns the host if the call may go to the store; otherwise calls the callback with the reason.
    pub(super) fn admitted(&self, kind: Kind, cb: &Unknown) -> napi::Result<Option<Rc<Host>>> {
        match self.admit() {
            Ok(()) => self.host().map(Some),
            Err(error) => self.refuse(kind, cb, &error).map(|()| None),
        }
    }

    /// Returns the host and the servers to ask, or nothing if the callback was called already. Without a server to ask
    /// the answer is `(null, [])`, at once, as in 0.0.7.
    pub(super) fn servers(
        &self,
        kind: Kind,
        cb: &Unknown,
        server_type: &Unknown,
    ) -> napi::Result<Option<(Rc<Host>, Rc<Servers>)>> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(None);
        };
        let env = &self.env;
        let mut server_type = *server_type;
        if server_type.get_type()? != ValueType::String {
            server_type = match args::text(&server_type, "serverType")? {
                Ok(text) => env.create_string(&text)?.to_unknown(),
                Err(error) => return self.refuse(kind, cb, &error).map(|()| None),
            };
        }
        let servers = host.server_ids(env, server_type)?;
        if servers.ids.is_empty() {
            return self.answer_nobody(&host, kind, cb).map(|()| None);
        }
        // The app's look-up has run, which may have called `stop`.
        let host = self.admitted(kind, cb)?;
        Ok(host.map(|host| (host, servers)))
    }

    /// Answers `(null, [])` at once.
    pub(super) fn answer_nobody(&self, host: &Host, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        let env = &self.env;
        self.counts.command(kind);
        let args = Args::new().with_null(env)?.with(env, host.empty(env)?)?;
        call_back(env, cb, args)
    }

    /// Makes the key of a channel on one frontend.
    fn key(&self, name: &str, sid: &str) -> Result<Key> {
        self.keys.check_name(name)?;
        let given = "arguments name and sid";
        self.sizes.check_key(&self.keys, given, name, sid)?;
        self.note_sid(sid);
        Ok(self.keys.key(name, sid))
    }

    /// Reads the name of a channel and makes its keys on servers whose ids the caller did not give.
    pub(super) fn keys(&self, name: &Unknown, sids: &[String]) -> Read<(String, Vec<Key>)> {
        Ok(args::text(name, "name")?.and_then(|name| {
            let keys = self.keys_of(&name, sids)?;
            Ok((name, keys))
        }))
    }

    fn keys_of(&self, name: &str, sids: &[String]) -> Result<Vec<Key>> {
        self.keys.check_name(name)?;
        let key = |sid: &String| {
            let given = "argument name";
            self.sizes.check_key(&self.keys, given, name, sid)?;
            Ok(self.keys.key(name, sid))
        };
        sids.iter().map(key).collect()
    }

    /// Packs the keys of a call whose arguments JavaScript may have run to read. Returns `false` if the call was refused:
    /// for an argument, or because of what that JavaScript did.
    pub(super) fn pack_read(
        &self,
        kind: Kind,
        cb: &Unknown,
        keys: Result<Vec<Key>>,
    ) -> napi::Result<bool> {
        match keys {
            Ok(keys) if self.admitted(kind, cb)?.is_some() => {
                self.pack_items(keys.iter().map(Vec::as_slice));
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => self.refuse(kind, cb, &error).map(|()| false),
        }
    }
}
