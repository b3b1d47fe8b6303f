//! The keys of a call: made of the names and frontends among its arguments, checked, and packed.

use napi::Unknown;

use crate::{
    binding::{
        methods::Kind,
        service::Service,
        values::args::{self, Names, Read},
    },
    error::{Error, Result},
    keys::Key,
};

impl Service {
    /// Makes the keys of channels on the frontend that was given.
    pub(super) fn frontend_keys(&self, names: &Names, sid: &String) -> Result<Vec<Key>> {
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
    pub(super) fn keys_of(&self, names: &Names, sids: &[String], given: &str) -> Result<Vec<Key>> {
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
