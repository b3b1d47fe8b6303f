//! The methods about channels on several frontends: all servers of a type, or all frontends of the app.

use napi::Unknown;

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::{Service, everywhere::is_everywhere},
        values::{
            args::{self, Names},
            js::{Args, call_back},
            push_options,
        },
    },
    command::Texts,
};

impl Service {
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
}
