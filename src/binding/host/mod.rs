//! Calls into the JavaScript side of an instance (`lib/host.js`), which handles pomelo's objects, the app's callbacks
//! and a custom manager. What is called, and with what, is decided in Rust.

mod held_calls;
mod servers;

pub use self::servers::Servers;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use napi::{
    Env, Unknown,
    bindgen_prelude::{FromNapiValue, Function, JsObjectValue as _, JsValue as _, Object},
};

use crate::binding::{
    answers::tape::Tape,
    values::js::{Args, Held, Ref},
};

/// The host object of an instance. Each `Ref` is one of its functions.
pub struct Host {
    /// `(serverType) => sid[]`: a snapshot; the same array while nothing changes.
    server_ids: Ref,
    /// `() => sid[]`: all frontends, a snapshot.
    frontend_ids: Ref,
    /// The array of unanswered calls, each at its number modulo [`Host::places`].
    calls: Held,
    places: Cell<u64>,
    /// `(first)`: doubles the room for calls; `first` is the number of the oldest.
    room: Ref,
    /// `(opts, name) => own`: what the service takes of the options of a push to channels, with the name of its list;
    /// `undefined` if there is nothing; the names as a text if nothing else is to be read, and `hold_prepared` is to be
    /// called. This one and `prepare_own` may run the app's getters, those that hold a call run none.
    prepare: Ref,
    /// `(opts, isBroadcast) => own`: the same of a push to users, or to all sessions.
    prepare_own: Ref,
    /// `(at, sids, route, msg, opts, callback, name, selection)`: puts a push at that place in `calls`.
    hold: Ref,
    /// `(at, sids, route, msg, callback)`: the same with what `prepare` has kept.
    hold_prepared: Ref,
    /// `(at, seq, sids, route, msg, opts, callback, uids | null, isSought, selection)`: the same for a push to users, or to all
    /// sessions, whose lists are known; with `isSought`, to users who may be on any of `sids`.
    hold_own: Ref,
    /// `(at, sids, callback, names)`: puts a call that is answered by frontend there; without `names` it is about one
    /// channel.
    hold_groups: Ref,
    /// `(callback, count)`: makes the call of this number of parts that `hold` takes.
    parts: Ref,
    /// `() => []`: an empty list for the app.
    empty: Ref,
    /// `(sid)`: looks at a server id that was not given to a call before (`lib/sids.js`).
    meet_sid: Ref,
    /// `()`: schedules the hand-over of the packed calls at the end of the tick.
    soon: Ref,
    /// `(length) => tape`: makes the tape a typed array with room for `length` words.
    tape_of: Ref,
    /// What it has returned last.
    tape: RefCell<Option<Held>>,
    /// `(length, values)`: answers calls as the tape says; without `values` if it refers to none.
    answer: Ref,
    /// `()`: answers all pushes whose RPCs are under way, with [`crate::error::Error::Stopped`].
    fail_pushes: Ref,
    /// `()`: makes the oldest call that was kept for the end of the start (`lib/early.js`).
    make_kept: Ref,
    /// `(err)`: answers all of these with an error.
    refuse_kept: Ref,
    /// `()`: releases what was kept for later answers.
    close: Ref,
    /// `(token, op, …args)`: calls the custom manager and settles `token` with the arguments of the callback. `None`
    /// without a custom manager.
    execute: Option<Ref>,
    /// `(token, ms)`: settles `token` after `ms` milliseconds.
    wait: Ref,
    /// `(token)`: claims this frontend's lease (`lib/sessions/`), and settles `token`.
    begin_sessions: Ref,
    /// `(token)`: releases it, and settles `token`.
    end_sessions: Ref,
    /// `(token, method, …args)`: answers a question of who is online by settling `token`.
    ask_online: Ref,
    /// `(token, option, argument)`: calls a function among the options and answers the question `token`.
    ask: Ref,
    /// `(text)`: tells of changes of channels that are watched, and of gaps (`lib/watch.js`).
    tell_changes: Ref,
    /// `(level, line, part)`: writes a log line, tagged with `part`.
    log: Ref,
    /// The last result of `server_ids`.
    last: RefCell<Option<Rc<Servers>>>,
    /// The instance. The app may drop one that is started, and its calls must be answered all the same.
    _channel: Held,
}

impl Host {
    /// Reads the host object that `lib/host.js` has put on an instance.
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
            prepare: function("prepare")?,
            prepare_own: function("prepareOwn")?,
            hold: function("hold")?,
            hold_prepared: function("holdPrepared")?,
            hold_own: function("holdOwn")?,
            hold_groups: function("holdGroups")?,
            parts: function("parts")?,
            empty: function("empty")?,
            meet_sid: function("meetSid")?,
            soon: function("soon")?,
            tape_of: function("tapeOf")?,
            tape: RefCell::default(),
            answer: function("answer")?,
            fail_pushes: function("failPushes")?,
            make_kept: function("makeKept")?,
            refuse_kept: function("refuseKept")?,
            close: function("close")?,
            execute: object
                .has_named_property("execute")?
                .then(|| function("execute"))
                .transpose()?,
            wait: function("wait")?,
            begin_sessions: function("beginSessions")?,
            end_sessions: function("endSessions")?,
            ask_online: function("askOnline")?,
            ask: function("ask")?,
            tell_changes: function("tellChanges")?,
            log: function("log")?,
            last: RefCell::default(),
            _channel: Held::new(env, channel)?,
        })
    }

    /// Returns whether a custom manager replaces the store.
    pub fn is_custom(&self) -> bool {
        self.execute.is_some()
    }

    /// Returns the ids of the servers of a type that exist now.
    pub fn server_ids(&self, env: &Env, server_type: Unknown) -> napi::Result<Rc<Servers>> {
        let array = self
            .server_ids
            .call(env, Args::new().with(env, server_type)?)?;
        if let Some(last) = &*self.last.borrow()
            && env.strict_equals(array, last.array.get(env)?)?
        {
            return Ok(last.clone());
        }
        let servers = Rc::new(Servers {
            array: Held::new(env, &get(array)?)?,
            ids: get(array)?,
            told: Cell::default(),
        });
        *self.last.borrow_mut() = Some(servers.clone());
        Ok(servers)
    }

    /// Returns the ids of the frontends that exist now.
    pub fn frontend_ids(&self, env: &Env) -> napi::Result<Vec<String>> {
        get(self.frontend_ids.call(env, Args::new())?)
    }

    /// Makes an empty list for the app, an array of its realm.
    pub fn empty(&self, env: &Env) -> napi::Result<Unknown<'static>> {
        self.empty.call(env, Args::new())
    }

    /// Looks at a server id that was not given to a call before.
    pub fn meet_sid(&self, env: &Env, sid: &str) -> napi::Result<()> {
        self.meet_sid
            .call(env, Args::new().with(env, sid)?)
            .map(drop)
    }

    /// Schedules [`crate::binding::service::Service::flush`] for the end of the tick.
    pub fn soon(&self, env: &Env) -> napi::Result<()> {
        self.soon.call(env, Args::new()).map(drop)
    }

    /// Answers the calls on the tape.
    pub fn answer(&self, env: &Env, tape: &Tape) -> napi::Result<()> {
        let length = u32::try_from(tape.words().len()).unwrap_or(u32::MAX);
        let fits = match &*self.tape.borrow() {
            Some(array) => tape.copy_to(env, &array.get(env)?)?,
            None => false,
        };
        if !fits {
            let array = get(self.tape_of.call(env, Args::new().with(env, length)?)?)?;
            tape.copy_to(env, &array)?;
            *self.tape.borrow_mut() = Some(Held::new(env, &array)?);
        }
        let args = Args::new().with(env, length)?;
        let args = match tape.values(env)? {
            Some(values) => args.with(env, values)?,
            None => args,
        };
        self.answer.call(env, args).map(drop)
    }

    /// Answers all pushes whose RPCs are in flight with [`crate::error::Error::Stopped`].
    pub fn fail_pushes(&self, env: &Env) -> napi::Result<()> {
        self.fail_pushes.call(env, Args::new()).map(drop)
    }

    /// Makes the oldest call that was kept for the end of the start.
    pub fn make_kept(&self, env: &Env) -> napi::Result<()> {
        self.make_kept.call(env, Args::new()).map(drop)
    }

    /// Answers all of these with an error.
    pub fn refuse_kept(&self, env: &Env, error: Unknown) -> napi::Result<()> {
        let args = Args::new().with(env, error)?;
        self.refuse_kept.call(env, args).map(drop)
    }

    /// Releases what was kept for later answers, when the service has ended or failed to start.
    pub fn close(&self, env: &Env) -> napi::Result<()> {
        self.close.call(env, Args::new()).map(drop)
    }

    /// Calls the custom manager.
    pub fn execute(&self, env: &Env, args: Args) -> napi::Result<()> {
        match &self.execute {
            Some(execute) => execute.call(env, args).map(drop),
            None => Ok(()),
        }
    }

    /// Settles `token` after `ms` milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn wait(&self, env: &Env, token: u64, ms: u32) -> napi::Result<()> {
        self.wait
            .call(env, Args::new().with(env, token as f64)?.with(env, ms)?)
            .map(drop)
    }

    /// Claims this frontend's lease, and settles `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn begin_sessions(&self, env: &Env, token: u64) -> napi::Result<()> {
        self.begin_sessions
            .call(env, Args::new().with(env, token as f64)?)
            .map(drop)
    }

    /// Releases this frontend's lease, if it has one, and settles `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn end_sessions(&self, env: &Env, token: u64) -> napi::Result<()> {
        self.end_sessions
            .call(env, Args::new().with(env, token as f64)?)
            .map(drop)
    }

    /// Asks who is online; the answer settles `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn ask_online(&self, env: &Env, token: u64, method: &str, args: Args) -> napi::Result<()> {
        let head = Args::new().with(env, token as f64)?.with(env, method)?;
        self.ask_online.call(env, head.append(args)).map(drop)
    }

    /// Calls the function that is option `option`, which answers the question `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn ask(
        &self,
        env: &Env,
        token: u64,
        option: &str,
        argument: Option<String>,
    ) -> napi::Result<()> {
        let args = Args::new()
            .with(env, token as f64)?
            .with(env, option)?
            .with(env, argument)?;
        self.ask.call(env, args).map(drop)
    }

    /// Tells of changes of channels that are watched; `text` is JSON.
    pub fn tell_changes(&self, env: &Env, text: &str) -> napi::Result<()> {
        let args = Args::new().with(env, text)?;
        self.tell_changes.call(env, args).map(drop)
    }

    /// Writes a line to the log, tagged with `part` if it is about the store.
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
