//! The methods of the session registry, which `lib/leases.js` calls: the leases of frontends ([`crate::lease`]) and the sets
//! of their online users. They are calls to the store as any other, in call order, but are not counted as calls of the
//! app.

use napi::Unknown;

use crate::{
    binding::{
        methods::{Arguments, Kind},
        service::Service,
        values::args,
    },
    error::{Error, Result},
    keys::Key,
    options::Store,
};

impl Service {
    /// Executes a method about these frontends; `items` are the users, or the arguments of an operation on a lease. It is
    /// answered by a count of changes, or by an array with a value for each frontend.
    pub fn registry(
        &self,
        kind: Kind,
        sids: &Unknown,
        items: &Unknown,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let checked = match (args::texts(sids, "sid")?, args::members(items, self.sizes)?) {
            (Ok(sids), Ok(items)) => self.registry_keys(kind, &sids).map(|keys| (keys, items)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        // Last, because reading an array or an object may have run a getter.
        let checked = self.admit_registry().and(checked);
        let (keys, items) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let host = self.host()?;
        if keys.is_empty() {
            return self.answer_in_turn(&host, kind, cb);
        }
        self.pack_given_keys(&keys);
        self.pack_items(items.iter());
        self.call(&host, kind, cb)
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
            made.push(keys.leases());
            return Ok(made);
        }
        for sid in sids {
            keys.check_lease_sid(sid)?;
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
