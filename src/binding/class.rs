//! Class `GlobalChannel`: constructor, methods and their arguments. Everything else is in
//! [`super::service`].

use std::rc::Rc;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Object, This},
};
use napi_derive::napi;

use super::{
    args,
    attach::attach,
    call::{Call, Kind, Outcome, State},
    errors,
    host::Host,
    js::{Args, Callback, Held},
    outbox::Payload,
    service::Service,
};
use crate::{
    command::{Command, Member},
    error::Error,
    options::{Options, Raw},
};

/// The global channel service. What its methods promise is written in `index.d.ts`.
#[napi]
pub struct GlobalChannel {
    service: Rc<Service>,
}

#[napi]
impl GlobalChannel {
    /// Checks the options and makes an instance that is not started.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, this: This, app: Unknown, opts: Unknown) -> napi::Result<Self> {
        let given = args::options(&opts)?.map_err(|error| errors::to_throw(&env, &error))?;
        let args::Given { known, unknown } = match &given {
            Some(given) => args::given(given)?,
            None => args::Given::default(),
        };
        let source = |name: &str| known.get(name).cloned().unwrap_or(Raw::Absent);
        let options = Options::parse(&source).map_err(|error| errors::to_throw(&env, &error))?;
        let opts = match given {
            Some(given) => given,
            None => Object::new(&env)?,
        };
        let service = Service::new(env, options);
        let channel = this.object;
        attach(&env, &service, channel, app, opts)?;
        for name in unknown {
            let line = format!("unknown option {name:?} is ignored");
            Host::of(&env, &channel)?.log(&env, "warn", &line, None)?;
        }
        Ok(Self { service })
    }

    /// 0 = not started, 1 = started, 2 = stopped.
    #[napi(getter, catch_unwind)]
    pub fn state(&self) -> u32 {
        match self.service.state.get() {
            State::Inited | State::Starting => 0,
            State::Started => 1,
            State::Closed => 2,
        }
    }

    /// `start(cb)`
    #[napi(catch_unwind)]
    pub fn start(&self, this: This, cb: Unknown) -> napi::Result<()> {
        self.service.start(&this.object, Callback::new(&cb)?)
    }

    /// `stop(force, cb)`
    #[napi(catch_unwind)]
    pub fn stop(&self, this: This, force: Unknown, cb: Unknown) -> napi::Result<()> {
        let left_out = force.get_type()? == ValueType::Function;
        let (force, cb) = if left_out && cb.get_type()? != ValueType::Function {
            (args::undefined(&self.service.env)?, force)
        } else {
            (force, cb)
        };
        let force = Args::new().with(&self.service.env, force)?;
        self.service.stop(&this.object, force, Callback::new(&cb)?)
    }

    /// `add(name, uid, sid, cb)`
    #[napi(catch_unwind)]
    pub fn add(&self, name: Unknown, uid: Unknown, sid: Unknown, cb: Unknown) -> napi::Result<()> {
        self.write("add", [name, uid, sid], &cb, |key, members| Command::Add {
            key,
            members,
        })
    }

    /// `leave(name, uid, sid, cb)`
    #[napi(catch_unwind)]
    pub fn leave(
        &self,
        name: Unknown,
        uid: Unknown,
        sid: Unknown,
        cb: Unknown,
    ) -> napi::Result<()> {
        self.write("leave", [name, uid, sid], &cb, |key, members| {
            Command::Remove { key, members }
        })
    }

    /// `getMembersBySid(name, sid, cb)`
    #[napi(catch_unwind)]
    pub fn get_members_by_sid(&self, name: Unknown, sid: Unknown, cb: Unknown) -> napi::Result<()> {
        let Some(call) = self.admit(Kind::List, &cb)? else {
            return Ok(());
        };
        if self.service.is_custom() {
            let args = self.args([name, sid])?;
            return self.service.call_custom(call, "getMembersBySid", args);
        }
        match (args::text(&name, "name")?, args::text(&sid, "sid")?) {
            (Ok(name), Ok(sid)) => {
                let keys = vec![self.service.keys.key(&name, &sid)];
                self.service.call(call, Command::Members { keys })
            }
            (Err(error), _) | (_, Err(error)) => self.refuse(call, &error),
        }
    }

    /// `getMembersByChannelName(serverType, name, cb)`
    #[napi(catch_unwind)]
    pub fn get_members_by_channel_name(
        &self,
        server_type: Unknown,
        name: Unknown,
        cb: Unknown,
    ) -> napi::Result<()> {
        let Some(call) = self.admit(Kind::Joined, &cb)? else {
            return Ok(());
        };
        let sids = self.server_ids(&server_type)?;
        if sids.is_empty() {
            return self.answer_empty(call);
        }
        self.read(call, "getMembersJoined", name, sids)
    }

    /// `pushMessage(serverType, route, msg, channelName, opts, cb)`
    #[napi(catch_unwind)]
    pub fn push_message(
        &self,
        server_type: Unknown,
        route: Unknown,
        msg: Unknown,
        channel_name: Unknown,
        opts: Unknown,
        cb: Unknown,
    ) -> napi::Result<()> {
        let env = &self.service.env;
        let left_out = opts.get_type()? == ValueType::Function;
        let (opts, cb) = if left_out && cb.get_type()? != ValueType::Function {
            (args::undefined(env)?, opts)
        } else {
            (opts, cb)
        };
        let Some(call) = self.admit(Kind::Write, &cb)? else {
            return Ok(());
        };
        let sids = self.server_ids(&server_type)?;
        if sids.is_empty() {
            return self.answer_empty(call);
        }
        let mut held = env.create_array(3)?;
        held.set(0, route)?;
        held.set(1, msg)?;
        held.set(2, opts)?;
        let held = Held::new(env, &held.coerce_to_object()?)?;
        let kind = Kind::Push {
            sids: sids.clone(),
            held,
        };
        let call = Call { kind, ..call };
        self.read(call, "getMembersEach", channel_name, sids)
    }

    /// `destroyChannel(name, cb)`
    #[napi(catch_unwind)]
    pub fn destroy_channel(&self, name: Unknown, cb: Unknown) -> napi::Result<()> {
        let Some(call) = self.admit(Kind::Write, &cb)? else {
            return Ok(());
        };
        if self.service.is_custom() {
            return self
                .service
                .call_custom(call, "destroyChannel", self.args([name])?);
        }
        let name = match args::text(&name, "name")? {
            Ok(name) => name,
            Err(error) => return self.refuse(call, &error),
        };
        let env = &self.service.env;
        let sids = self.service.host()?.frontend_ids(env)?;
        if sids.is_empty() {
            return call.callback.call(env, Args::new());
        }
        let keys = sids
            .iter()
            .map(|sid| self.service.keys.key(&name, sid))
            .collect();
        self.service.call(call, Command::Delete { keys })
    }

    /// `clean(cb)`
    #[napi(catch_unwind)]
    pub fn clean(&self, cb: Unknown) -> napi::Result<()> {
        let Some(call) = self.admit(Kind::Write, &cb)? else {
            return Ok(());
        };
        if self.service.is_custom() {
            return self.service.call_custom(call, "clean", Args::new());
        }
        let pattern = self.service.keys.pattern();
        self.service.call(call, Command::Clean { pattern })
    }
}

impl GlobalChannel {
    /// The call, if it may go to the store; otherwise its callback was called with the reason.
    fn admit(&self, kind: Kind, cb: &Unknown) -> napi::Result<Option<Call>> {
        let callback = Callback::new(cb)?;
        match self.service.admit() {
            Ok(()) => Ok(Some(Call { kind, callback })),
            Err(error) => self.service.fail(&kind, callback, &error).map(|()| None),
        }
    }

    fn refuse(&self, call: Call, error: &Error) -> napi::Result<()> {
        self.service.fail(&call.kind, call.callback, error)
    }

    fn write(
        &self,
        op: &str,
        [name, uid, sid]: [Unknown; 3],
        cb: &Unknown,
        command: impl FnOnce(Vec<u8>, Vec<Member>) -> Command,
    ) -> napi::Result<()> {
        let Some(call) = self.admit(Kind::Write, cb)? else {
            return Ok(());
        };
        if self.service.is_custom() {
            return self
                .service
                .call_custom(call, op, self.args([name, uid, sid])?);
        }
        match (
            args::text(&name, "name")?,
            args::members(&uid)?,
            args::text(&sid, "sid")?,
        ) {
            (Ok(_), Ok(members), Ok(_)) if members.is_empty() => self
                .service
                .answer_in_turn(call, Outcome::Store(Ok(Payload::Done))),
            (Ok(name), Ok(members), Ok(sid)) => {
                let key = self.service.keys.key(&name, &sid);
                self.service.call(call, command(key, members))
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => self.refuse(call, &error),
        }
    }

    /// Reads the members on several frontends.
    fn read(&self, call: Call, op: &str, name: Unknown, sids: Vec<String>) -> napi::Result<()> {
        if self.service.is_custom() {
            let args = self.args([name])?.with(&self.service.env, sids)?;
            return self.service.call_custom(call, op, args);
        }
        match args::text(&name, "name")? {
            Ok(name) => {
                let keys = sids
                    .iter()
                    .map(|sid| self.service.keys.key(&name, sid))
                    .collect();
                self.service.call(call, Command::Members { keys })
            }
            Err(error) => self.refuse(call, &error),
        }
    }

    fn server_ids(&self, server_type: &Unknown) -> napi::Result<Vec<String>> {
        self.service
            .host()?
            .server_ids(&self.service.env, server_type)
    }

    /// No frontend to ask: `(null, [])` at once, as in 0.0.7.
    fn answer_empty(&self, call: Call) -> napi::Result<()> {
        let env = &self.service.env;
        let args = Args::new()
            .with_null(env)?
            .with(env, env.create_array(0)?)?;
        call.callback.call(env, args)
    }

    fn args<const N: usize>(&self, values: [Unknown; N]) -> napi::Result<Args> {
        values.into_iter().try_fold(Args::new(), |args, value| {
            args.with(&self.service.env, value)
        })
    }
}
