//! The JavaScript side of an instance, made by `lib/host.js`: everything that touches pomelo
//! objects or a custom manager. Rust decides who gets what; the host looks things up and calls.

use napi::{
    Env, Unknown,
    bindgen_prelude::{FromNapiValue, Function, JsObjectValue as _, JsValue as _, Object},
};

use super::js::{Args, Held, Ref};

/// See the module. Each field is a function of the host object.
pub struct Host {
    /// `(serverType) => sid[]`: a snapshot.
    server_ids: Ref,
    /// `() => sid[]`: all frontends, a snapshot.
    frontend_ids: Ref,
    /// `(token, sids, lists, errors, [serverType, route, msg, name, opts])`: makes the RPCs of a
    /// push and settles `token` with the arguments of its callback.
    deliver: Ref,
    /// `(token, op, …args)`: does it with the custom manager and settles `token` with the
    /// arguments of the callback. Absent when Redis is the manager.
    execute: Option<Ref>,
    /// `(json) => lists`, the lists of several frontends.
    lists: Ref,
    /// `(json) => list`, the list of the only frontend.
    list: Ref,
    /// `(json) => list`, the lists of several frontends as one.
    joined: Ref,
    /// `(token, ms)`: settles `token` after that time.
    wait: Ref,
    /// `(level, line, part)`.
    log: Ref,
    /// The instance: nobody else may hold one that is started, and it must be answered all the
    /// same.
    _channel: Held,
}

impl Host {
    /// The host of an instance, which `lib/host.js` put there.
    pub fn of(env: &Env, channel: &Object) -> napi::Result<Self> {
        let object: Object = channel.get_named_property("_host")?;
        let function = |name| Ref::function(&object.get_named_property::<Function<Args>>(name)?);
        Ok(Self {
            server_ids: function("serverIds")?,
            frontend_ids: function("frontendIds")?,
            deliver: function("deliver")?,
            execute: object
                .has_named_property("execute")?
                .then(|| function("execute"))
                .transpose()?,
            lists: function("lists")?,
            list: function("list")?,
            joined: function("joined")?,
            wait: function("wait")?,
            log: function("log")?,
            _channel: Held::new(env, channel)?,
        })
    }

    /// Whether a custom manager replaces the store.
    pub fn is_custom(&self) -> bool {
        self.execute.is_some()
    }

    /// The ids of all servers of a type, now.
    pub fn server_ids(&self, env: &Env, server_type: &Unknown) -> napi::Result<Vec<String>> {
        get(self
            .server_ids
            .call(env, Args::new().with(env, *server_type)?)?)
    }

    /// The ids of all frontends, now.
    pub fn frontend_ids(&self, env: &Env) -> napi::Result<Vec<String>> {
        get(self.frontend_ids.call(env, Args::new())?)
    }

    /// Makes the RPCs of a push.
    pub fn deliver(&self, env: &Env, args: Args) -> napi::Result<()> {
        self.deliver.call(env, args).map(drop)
    }

    /// Gives something to the custom manager.
    pub fn execute(&self, env: &Env, args: Args) -> napi::Result<()> {
        match &self.execute {
            Some(execute) => execute.call(env, args).map(drop),
            None => Ok(()),
        }
    }

    /// Member lists from JSON.
    pub fn read(&self, env: &Env, json: String, how: Lists) -> napi::Result<Unknown<'static>> {
        let read = match how {
            Lists::Each => &self.lists,
            Lists::Only => &self.list,
            Lists::Joined => &self.joined,
        };
        read.call(env, Args::new().with(env, json)?)
    }

    /// Settles `token` after a time.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn wait(&self, env: &Env, token: u64, ms: u32) -> napi::Result<()> {
        self.wait
            .call(env, Args::new().with(env, token as f64)?.with(env, ms)?)
            .map(drop)
    }

    /// Writes a line to the log, of the store if `part` says so.
    pub fn log(&self, env: &Env, level: &str, line: &str, part: Option<&str>) -> napi::Result<()> {
        let args = Args::new()
            .with(env, level)?
            .with(env, line)?
            .with(env, part)?;
        self.log.call(env, args).map(drop)
    }
}

/// Which shape member lists are read in.
#[derive(Debug, Clone, Copy)]
pub enum Lists {
    /// One array for each frontend.
    Each,
    /// The array of the only frontend.
    Only,
    /// One array for all.
    Joined,
}

fn get<T: FromNapiValue>(value: Unknown) -> napi::Result<T> {
    // SAFETY: a live value of this environment; napi-rs checks the type while converting.
    unsafe { T::from_napi_value(value.value().env, value.raw()) }
}
