//! Class `GlobalChannel` as JavaScript sees it: constructor, life and `stats`. The methods that go to
//! the store are defined in [`super::entry`].

use std::rc::Rc;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Object, This},
};
use napi_derive::napi;

use super::{
    args,
    attach::{anchor, attach},
    call::State,
    errors, guard,
    host::Host,
    js::{Args, Callback, Return},
    service::Service,
};
use crate::{
    broken::may_panic,
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
        guard::thrown(&env, || Self::make(env, this.object, app, opts))
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
        guard::method(&self.service, || {
            self.service.start(&this.object, Callback::new(&cb)?)
        })
    }

    /// `stop(force, cb)`
    #[napi(catch_unwind)]
    pub fn stop(&self, this: This, force: Unknown, cb: Unknown) -> napi::Result<()> {
        guard::method(&self.service, || {
            let left_out = force.get_type()? == ValueType::Function;
            let (force, cb) = if left_out && cb.get_type()? != ValueType::Function {
                (args::undefined(&self.service.env)?, force)
            } else {
                (force, cb)
            };
            let force = Args::new().with(&self.service.env, force)?;
            self.service.stop(&this.object, force, Callback::new(&cb)?)
        })
    }

    /// `stats()`
    #[napi(catch_unwind)]
    pub fn stats(&self, this: This) -> napi::Result<Return> {
        guard::thrown(&self.service.env, || {
            may_panic("stats");
            self.service
                .stats(&this.object)
                .map(|stats| Return::new(&stats))
        })
    }
}

impl GlobalChannel {
    fn make(env: Env, channel: Object, app: Unknown, opts: Unknown) -> napi::Result<Self> {
        may_panic("constructor");
        let given = args::options(&opts)?.map_err(|error| errors::to_throw(&env, &error))?;
        let args::Given { known, unknown } = match &given {
            Some(given) => args::given(given)?,
            None => args::Given::default(),
        };
        let source = |name: &str| known.get(name).cloned().unwrap_or(Raw::Absent);
        let mut options =
            Options::parse(&source).map_err(|error| errors::to_throw(&env, &error))?;
        anchor(&env, app, &mut options.store)?;
        let opts = match given {
            Some(given) => given,
            None => Object::new(&env)?,
        };
        let service = Service::new(env, options);
        attach(&env, &service, channel, app, opts)?;
        for name in unknown {
            let line = format!("unknown option {name:?} is ignored");
            Host::of(&env, &channel)?.log(&env, "warn", &line, None)?;
        }
        Ok(Self { service })
    }

    /// What does the work.
    pub fn service(&self) -> &Rc<Service> {
        &self.service
    }
}
