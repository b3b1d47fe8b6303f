//! Who may call: the state of the service, arguments that were left out, and the servers that a call asks.

use std::rc::Rc;

use napi::{Unknown, ValueType, bindgen_prelude::JsValue as _};

use crate::binding::{
    host::{Host, Servers},
    methods::{Arguments, Kind},
    service::Service,
    values::{
        args,
        js::{Args, call_back},
    },
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
            if given == ValueType::Function && *name == "opts" {
                // Options may be left out: it is the callback.
                return Ok(false);
            }
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

    /// Returns the host if the call may go to the store; otherwise calls the callback with the reason.
    pub(super) fn admitted(&self, kind: Kind, cb: &Unknown) -> napi::Result<Option<Rc<Host>>> {
        match self.admit() {
            Ok(()) => self.host().map(Some),
            Err(error) => self.refuse(kind, cb, &error).map(|()| None),
        }
    }

    /// Returns the host and the servers to ask, or nothing if the callback was called already. Without a server to ask
    /// the answer of a method of 0.0.7 is `(null, [])`, at once, as there.
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
        if servers.ids.is_empty() && kind.answers_at_once() {
            return self.answer_nobody(&host, kind, cb).map(|()| None);
        }
        // The app's look-up has run, which may have called `stop`.
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(None);
        };
        if !host.is_custom() && !servers.tell() {
            self.tell_sids(&servers.ids);
        }
        Ok(Some((host, servers)))
    }

    /// Answers `(null, [])` at once.
    pub(super) fn answer_nobody(&self, host: &Host, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        let env = &self.env;
        self.counts.command(kind);
        let args = Args::new().with_null(env)?.with(env, host.empty(env)?)?;
        call_back(env, cb, args)
    }
}
