//! Class `GlobalChannel` as JavaScript sees it: constructor and methods, with arguments that were
//! left out put right. What the methods do is in [`super::methods`] and [`super::life`].

use std::rc::Rc;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Object, This},
};
use napi_derive::napi;

use super::{
    args,
    attach::attach,
    call::{Kind, State},
    errors,
    host::Host,
    js::{Args, Callback, Return},
    service::Service,
};
use crate::options::{Options, Raw};

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
        self.service.write(Kind::Add, [name, uid, sid], &cb)
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
        self.service.write(Kind::Leave, [name, uid, sid], &cb)
    }

    /// `getMembersBySid(name, sid, cb)`
    #[napi(catch_unwind)]
    pub fn get_members_by_sid(&self, name: Unknown, sid: Unknown, cb: Unknown) -> napi::Result<()> {
        self.service.get_members_by_sid([name, sid], &cb)
    }

    /// `getMembersByChannelName(serverType, name, cb)`
    #[napi(catch_unwind)]
    pub fn get_members_by_channel_name(
        &self,
        server_type: Unknown,
        name: Unknown,
        cb: Unknown,
    ) -> napi::Result<()> {
        self.service
            .get_members_by_channel_name(&server_type, name, &cb)
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
        let left_out = opts.get_type()? == ValueType::Function;
        let (opts, cb) = if left_out && cb.get_type()? != ValueType::Function {
            (args::undefined(&self.service.env)?, opts)
        } else {
            (opts, cb)
        };
        self.service
            .push_message(&server_type, channel_name, [route, msg, opts, cb])
    }

    /// `destroyChannel(name, cb)`
    #[napi(catch_unwind)]
    pub fn destroy_channel(&self, name: Unknown, cb: Unknown) -> napi::Result<()> {
        self.service.destroy_channel(name, &cb)
    }

    /// `clean(cb)`
    #[napi(catch_unwind)]
    pub fn clean(&self, cb: Unknown) -> napi::Result<()> {
        self.service.clean(&cb)
    }

    /// `stats()`
    #[napi(catch_unwind)]
    pub fn stats(&self, this: This) -> napi::Result<Return> {
        self.service
            .stats(&this.object)
            .map(|stats| Return::new(&stats))
    }
}
