//! The methods on all frontends that the store knows: `null` in the place of a server type or id, and
//! `destroyChannel(name, {everywhere: true})`. Which frontends those are is found out in the core ([`crate::everywhere`],
//! [`crate::removal`]); here the app's own are added.

use std::rc::Rc;

use napi::{Unknown, ValueType};

use crate::{
    binding::{host::Host, methods::Kind, service::Service, values::args::Names},
    command::{Code, Op, Texts},
    error::Result,
    keys::Key,
};

/// Returns whether all frontends are meant.
pub(super) fn is_everywhere(sid: &Unknown) -> napi::Result<bool> {
    Ok(sid.get_type()? == ValueType::Null)
}

impl Service {
    /// Executes the operation of a method on channels on all frontends.
    pub(super) fn of_everywhere(
        &self,
        host: &Rc<Host>,
        kind: Kind,
        given: Result<(Names, Texts)>,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(Code::Command(op)) = kind.code() else {
            return Ok(());
        };
        let checked = given.and_then(|(names, members)| {
            names.check_members(&members)?;
            Ok((self.bases(&names)?, members))
        });
        let (bases, members) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let (bases, op) = self.with_index_base(bases, op);
        let sids = host.frontend_ids(&self.env)?;
        // Reading arguments and asking the app may have run JavaScript.
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let lacks_members = matches!(op, Op::Write(_)) && members.is_empty();
        if bases.is_empty() || lacks_members {
            return self.answer_in_turn(host, kind, cb);
        }
        let sids = sids.iter().map(String::as_bytes);
        self.input
            .borrow_mut()
            .calls
            .everywhere(bases.iter().map(Vec::as_slice), members.iter().chain(sids));
        let code = Code::Everywhere(op, u32::try_from(members.len()).unwrap_or(u32::MAX));
        self.take_packed(host, kind, code, |seq| host.hold(&self.env, seq, cb))
    }

    /// Removes channels on all frontends, by a scan of their keys.
    pub(super) fn remove_everywhere(
        &self,
        host: &Rc<Host>,
        kind: Kind,
        names: &Names,
        cb: &Unknown,
    ) -> napi::Result<()> {
        let bases = match self.bases(names) {
            Ok(bases) => bases,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let sids = host.frontend_ids(&self.env)?;
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        if bases.is_empty() {
            return self.answer_in_turn(host, kind, cb);
        }
        let stem = self.keys.stem();
        let channels = [&stem].into_iter().chain(&bases).map(Vec::as_slice);
        let sids = sids.iter().map(String::as_bytes);
        let code = Code::CleanChannels(u32::try_from(bases.len()).unwrap_or(u32::MAX));
        self.pack_items(channels.chain(sids));
        self.take_packed(host, kind, code, |seq| host.hold(&self.env, seq, cb))
    }

    /// Returns the parts of the keys of channels before the sid.
    fn bases(&self, names: &Names) -> Result<Vec<Key>> {
        names.check_keys(1)?;
        let base = |name: &String| {
            self.keys.check_name(name)?;
            self.sizes
                .check_key(&self.keys, "argument name", name, "")?;
            Ok(self.keys.base(name))
        };
        names.list().iter().map(base).collect()
    }
}
