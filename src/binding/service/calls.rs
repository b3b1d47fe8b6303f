//! The methods of [`crate::binding::methods`], one function for each kind of arguments: each checks its arguments and
//! makes a call to the store, or to the custom manager. Those about several frontends are in [`super::frontends`], pushes in
//! [`super::pushes`]; who may call is in [`super::admission`], the keys of a call in [`super::keys`], packing it in
//! [`super::packing`].

use napi::Unknown;

use crate::{
    binding::{
        methods::Kind,
        service::{Service, call::CLEAN_CALLED, everywhere::is_everywhere},
        values::{
            args::{self, Names},
            pairs,
        },
    },
    command::Texts,
    error::Result,
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
}
