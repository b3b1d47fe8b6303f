//! The methods of [`crate::binding::methods`], one function for each kind of arguments: each checks its arguments and
//! makes a call to the store, or to the custom manager. Pushes are in [`super::pushes`], who may call in
//! [`super::admission`], packing a call in [`super::packing`].

use napi::Unknown;

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::{Service, call::CLEAN_CALLED, everywhere::is_everywhere},
        values::{
            args::{self, Names, Read},
            js::{Args, call_back},
            pairs, push_options,
        },
    },
    command::Texts,
    error::{Error, Result},
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
        if self.pack_member([&name, &uid, &sid], true)? {
            return self.call_frontend(&host, kind, cb);
        }
        if kind == Kind::Leave && is_everywhere(&sid)? {
            let given = match (
                args::names(&name, "name")?,
                args::members(&uid, self.sizes)?,
            ) {
                (Ok(names), Ok(members)) => Ok((names, members)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            return self.of_everywhere(&host, kind, given, cb);
        }
        // Several channels, a Buffer, several uids, an object with a text, or a value that is not accepted.
        let checked = match (
            args::names(&name, "name")?,
            args::members(&uid, self.sizes)?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(names), Ok(members), Ok(sid)) => names
                .check_members(&members)
                .and_then(|()| self.check_events_sid(sid.as_bytes()))
                .and_then(|()| self.frontend_keys(&names, &sid))
                .and_then(|keys| self.with_index(keys, &sid, members.iter()))
                .map(|keys| (keys, members)),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        };
        let (keys, members) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        // Reading an array or an object may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        if keys.is_empty() || members.is_empty() {
            return self.answer_in_turn(&host, kind, cb);
        }
        self.pack_given_keys(&keys);
        self.pack_items(&members);
        self.call_frontend(&host, kind, cb)
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
            pairs::members_by_sid(&members, self.sizes)?,
        ) {
            (Ok(name), Ok(members)) => {
                let key = |(sid, uids): (String, Texts)| {
                    self.check_events_sid(sid.as_bytes())?;
                    let keys = vec![self.key(&name, &sid)?];
                    let keys = self.with_index(keys, &sid, uids.iter())?;
                    Ok((keys, uids, sid))
                };
                members.into_iter().map(key).collect::<Result<Vec<_>>>()
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        // Reading an array or an object may have run a getter.
        let checked = checked.and_then(|parts| self.admit_parts(parts.len()).map(|()| parts));
        let parts = match checked {
            Ok(parts) => parts,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let call = host.parts(&self.env, callback, parts.len().max(1))?;
        if parts.is_empty() {
            return self.answer_in_turn(&host, kind, &call);
        }
        for (index, (keys, uids, sid)) in parts.iter().enumerate() {
            self.pack_given_keys(keys);
            self.pack_items(uids);
            self.mark_sid_of(kind, sid);
            self.send_part(&host, kind, &call, (index == 0, index + 1 == parts.len()))?;
        }
        self.meet_new_sids(&host)
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
        if self.pack_member([&name, &uid, &sid], false)? {
            return self.call_frontend(&host, kind, cb);
        }
        if is_everywhere(&sid)? {
            let given = match (args::text(&name, "name")?, args::uid(&uid, self.sizes)?) {
                (Ok(name), Ok(uid)) => Ok((Names::One(name), Texts::from_iter([uid]))),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            return self.of_everywhere(&host, kind, given, cb);
        }
        // A Buffer, an object with a text, or a value that is not accepted.
        let checked = match (
            args::text(&name, "name")?,
            args::uid(&uid, self.sizes)?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(name), Ok(uid), Ok(sid)) => self.key(&name, &sid).map(|key| (key, uid)),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        };
        let (key, uid) = match checked {
            Ok((key, uid)) => (Ok(vec![key]), uid),
            Err(error) => (Err(error), Vec::new()),
        };
        if !self.pack_read(kind, cb, key)? {
            return Ok(());
        }
        self.pack_items([uid.as_slice()]);
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
        if kind.arguments() == Arguments::Counted && is_everywhere(server_type)? {
            let Some(host) = self.admitted(kind, cb)? else {
                return Ok(());
            };
            if host.is_custom() {
                return self.call_custom(&host, kind, cb, [name, *server_type]);
            }
            let name = args::text(&name, "name")?;
            let given = name.map(|name| (Names::One(name), Texts::default()));
            return self.of_everywhere(&host, kind, given, cb);
        }
        let Some((host, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        if host.is_custom() {
            let sids = servers.array(&self.env)?;
            return self.call_custom(&host, kind, cb, [name, sids]);
        }
        if !servers.ids.is_empty() && self.pack_keys(&name, &servers.ids)? {
            return self.call(&host, kind, cb);
        }
        let keys = self.keys(&name, &servers.ids)?.map(|(_, keys)| keys);
        if !self.pack_read(kind, cb, keys)? {
            return Ok(());
        }
        if servers.ids.is_empty() {
            return self.answer_in_turn(&host, kind, cb);
        }
        self.call(&host, kind, cb)
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
        let read = match args::names(&name, "name")? {
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
        // Reading an array or an object may have run a getter.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let hold = |seq| host.hold_groups(&self.env, seq, &servers, *cb, names.array());
        if keys.is_empty() {
            return self.answer_held(&host, kind, hold);
        }
        self.pack_given_keys(&keys);
        let Some(code) = kind.code() else {
            return Ok(());
        };
        self.take_packed(&host, kind, code, hold)
    }

    /// Executes methods about a channel on all frontends: those of the app, or with an option all that the store knows.
    pub fn of_frontends(
        &self,
        kind: Kind,
        [name, opts]: [Unknown; 2],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        let everywhere = match push_options::everywhere(&self.env, &opts)? {
            Ok(everywhere) => everywhere,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        if host.is_custom() {
            // Reading the options may have run a getter.
            if self.admitted(kind, cb)?.is_none() {
                return Ok(());
            }
            return if everywhere {
                self.call_custom(&host, kind, cb, [name, opts])
            } else {
                self.call_custom(&host, kind, cb, [name])
            };
        }
        let names = match args::names(&name, "name")? {
            Ok(names) => names,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        if everywhere {
            return self.remove_everywhere(&host, kind, &names, cb);
        }
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
                self.tell_sids(&sids);
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
            self.log_passed_clean(CLEAN_CALLED);
            return self.call_custom(&host, kind, cb, []);
        }
        self.pack_items([self.keys.stem().as_slice()]);
        self.call(&host, kind, cb)
    }

    /// Makes the keys of channels on the frontend that was given.
    fn frontend_keys(&self, names: &Names, sid: &String) -> Result<Vec<Key>> {
        let keys = self.keys_of(names, std::slice::from_ref(sid), "arguments name and sid")?;
        self.note_sid(sid);
        Ok(keys)
    }

    /// Makes the key of a channel on one frontend.
    pub(super) fn key(&self, name: &str, sid: &str) -> Result<Key> {
        self.keys.check_name(name)?;
        let given = "arguments name and sid";
        self.sizes.check_key(&self.keys, given, name, sid)?;
        self.note_sid(sid);
        Ok(self.keys.key(name, sid))
    }

    /// Reads the name of a channel and makes its keys on servers whose ids the caller did not give.
    pub(super) fn keys(&self, name: &Unknown, sids: &[String]) -> Read<(String, Vec<Key>)> {
        Ok(args::text(name, "name")?.and_then(|name| {
            let names = Names::One(name);
            let keys = self.keys_of(&names, sids, "argument name")?;
            let Names::One(name) = names else {
                return Err(Error::Internal("one name became several".to_owned()));
            };
            Ok((name, keys))
        }))
    }

    /// Makes the keys of these channels on these frontends, channel by channel; `given` names these arguments in an
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
                self.pack_given_keys(&keys);
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => self.refuse(kind, cb, &error).map(|()| false),
        }
    }
}
