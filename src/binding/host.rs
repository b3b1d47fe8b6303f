//! The JavaScript side of an instance, made by `lib/host.js`: everything that touches pomelo
//! objects, the app's callbacks or a custom manager. Rust decides who gets what; the host looks
//! things up and calls.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use napi::{
    Env, Unknown,
    bindgen_prelude::{FromNapiValue, Function, JsObjectValue as _, JsValue as _, Object},
};

use super::{
    js::{Args, Held, Ref},
    tape::Tape,
};

/// See the module. Each `Ref` is a function of the host object.
pub struct Host {
    /// `(serverType) => sid[]`: a snapshot; the same array as long as nothing changes.
    server_ids: Ref,
    /// `() => sid[]`: all frontends, a snapshot.
    frontend_ids: Ref,
    /// The calls that wait for an answer, each at its number modulo [`Host::places`].
    calls: Held,
    places: Cell<u64>,
    /// `(first)`: makes room for twice as many calls; `first` is the number of the oldest.
    room: Ref,
    /// `(at, sids, route, msg, opts, callback, name)`: puts a push at that place in `calls`.
    hold: Ref,
    /// `(array) => text | array`: a long array of uids, read.
    uids: Ref,
    /// `()`: has the packed calls handed over at the end of the tick.
    soon: Ref,
    /// `(length) => tape`, with room for so many words.
    tape_of: Ref,
    /// `(length, values)`: answers calls as the tape says.
    answer: Ref,
    /// `()`: answers all pushes whose RPCs are under way, with [`crate::error::Error::Stopped`].
    fail_pushes: Ref,
    /// `()`: lets go of what was kept for later answers.
    close: Ref,
    /// `(token, op, …args)`: does it with the custom manager and settles `token` with the
    /// arguments of the callback. Absent when the store is ours.
    execute: Option<Ref>,
    /// `(token, ms)`: settles `token` after that time.
    wait: Ref,
    /// `(level, line, part)`.
    log: Ref,
    /// What `server_ids` gave last.
    last: RefCell<Option<Rc<Servers>>>,
    /// The instance: nobody else may hold one that is started, and it must be answered all the
    /// same.
    _channel: Held,
}

/// A snapshot of the servers of a type.
pub struct Servers {
    array: Held,
    /// Their ids.
    pub ids: Vec<String>,
}

impl Servers {
    /// Their ids, as a JavaScript array.
    pub fn array<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        self.array.get(env).map(|array| array.to_unknown())
    }
}

impl Host {
    /// The host of an instance, which `lib/host.js` put there.
    pub fn of(env: &Env, channel: &Object) -> napi::Result<Self> {
        let object: Object = channel.get_named_property("_host")?;
        let function = |name| Ref::function(&object.get_named_property::<Function<Args>>(name)?);
        let calls: Object = object.get_named_property("calls")?;
        Ok(Self {
            server_ids: function("serverIds")?,
            frontend_ids: function("frontendIds")?,
            places: Cell::new(calls.get_array_length()?.into()),
            calls: Held::new(env, &calls)?,
            room: function("room")?,
            hold: function("hold")?,
            uids: function("uids")?,
            soon: function("soon")?,
            tape_of: function("tapeOf")?,
            answer: function("answer")?,
            fail_pushes: function("failPushes")?,
            close: function("close")?,
            execute: object
                .has_named_property("execute")?
                .then(|| function("execute"))
                .transpose()?,
            wait: function("wait")?,
            log: function("log")?,
            last: RefCell::default(),
            _channel: Held::new(env, channel)?,
        })
    }

    /// Whether a custom manager replaces the store.
    pub fn is_custom(&self) -> bool {
        self.execute.is_some()
    }

    /// The ids of all servers of a type, now.
    pub fn server_ids(&self, env: &Env, server_type: &Unknown) -> napi::Result<Rc<Servers>> {
        let array = self
            .server_ids
            .call(env, Args::new().with(env, *server_type)?)?;
        if let Some(last) = &*self.last.borrow()
            && env.strict_equals(array, last.array.get(env)?)?
        {
            return Ok(last.clone());
        }
        let servers = Rc::new(Servers {
            array: Held::new(env, &get(array)?)?,
            ids: get(array)?,
        });
        *self.last.borrow_mut() = Some(servers.clone());
        Ok(servers)
    }

    /// The ids of all frontends, now.
    pub fn frontend_ids(&self, env: &Env) -> napi::Result<Vec<String>> {
        get(self.frontend_ids.call(env, Args::new())?)
    }

    /// Reads a long array of uids, for [`super::args::members`].
    pub fn uids(&self, env: &Env, array: Unknown) -> napi::Result<Unknown<'static>> {
        self.uids.call(env, Args::new().with(env, array)?)
    }

    /// Whether `count` calls wait for which there is room, and no more.
    pub fn is_full(&self, count: u64) -> bool {
        count >= self.places.get()
    }

    /// Makes more room for calls, of which `first` is the oldest.
    #[expect(clippy::cast_precision_loss, reason = "numbers stay below 2^53")]
    pub fn make_room(&self, env: &Env, first: u64) -> napi::Result<()> {
        self.room.call(env, Args::new().with(env, first as f64)?)?;
        self.places
            .set(self.calls.get(env)?.get_array_length()?.into());
        Ok(())
    }

    /// Holds the callback of call `seq` until it is answered.
    pub fn hold(&self, env: &Env, seq: u64, callback: &Unknown) -> napi::Result<()> {
        self.calls.get(env)?.set_element(self.place(seq), *callback)
    }

    /// Holds the push `seq`: route, msg, opts, callback and the channel's name.
    pub fn hold_push(
        &self,
        env: &Env,
        seq: u64,
        servers: &Servers,
        values: [Unknown; 5],
    ) -> napi::Result<()> {
        let args = Args::new()
            .with(env, self.place(seq))?
            .with(env, servers.array.get(env)?)?;
        let args = values
            .into_iter()
            .try_fold(args, |args, value| args.with(env, value))?;
        self.hold.call(env, args).map(drop)
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are fewer places")]
    fn place(&self, seq: u64) -> u32 {
        (seq % self.places.get()) as u32
    }

    /// Has [`super::service::Service::flush`] called at the end of the tick.
    pub fn soon(&self, env: &Env) -> napi::Result<()> {
        self.soon.call(env, Args::new()).map(drop)
    }

    /// Answers calls as the tape says.
    pub fn answer(&self, env: &Env, tape: &Tape) -> napi::Result<()> {
        let length = u32::try_from(tape.words().len()).unwrap_or(u32::MAX);
        let array = self.tape_of.call(env, Args::new().with(env, length)?)?;
        tape.copy_to(env, &get(array)?)?;
        let args = Args::new().with(env, length)?;
        self.answer
            .call(env, args.with(env, tape.values(env)?)?)
            .map(drop)
    }

    /// Answers all pushes whose RPCs are under way.
    pub fn fail_pushes(&self, env: &Env) -> napi::Result<()> {
        self.fail_pushes.call(env, Args::new()).map(drop)
    }

    /// The service has ended, or not begun.
    pub fn close(&self, env: &Env) -> napi::Result<()> {
        self.close.call(env, Args::new()).map(drop)
    }

    /// Gives something to the custom manager.
    pub fn execute(&self, env: &Env, args: Args) -> napi::Result<()> {
        match &self.execute {
            Some(execute) => execute.call(env, args).map(drop),
            None => Ok(()),
        }
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

fn get<T: FromNapiValue>(value: Unknown) -> napi::Result<T> {
    // SAFETY: a live value of this environment; napi-rs checks the type while converting.
    unsafe { T::from_napi_value(value.value().env, value.raw()) }
}
