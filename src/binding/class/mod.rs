//! Class `GlobalChannel` and its constructor. Its methods are defined in [`prototype`].

pub(in crate::binding) mod attach;
pub(in crate::binding) mod durations;
pub(in crate::binding) mod prototype;
pub(in crate::binding) mod stats;
pub(in crate::binding) mod stores;
pub(in crate::binding) mod views;

use std::rc::Rc;

use napi::{
    Env, Unknown,
    bindgen_prelude::{Object, This},
};
use napi_derive::napi;

use crate::{
    binding::{
        class::attach::{anchor, attach},
        host::Host,
        service::{Service, panic},
        values::{errors, options},
    },
    failpoints::may_panic,
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
        panic::thrown(&env, || Self::make(env, this.object, app, opts))
    }
}

impl GlobalChannel {
    fn make(env: Env, channel: Object, app: Unknown, opts: Unknown) -> napi::Result<Self> {
        may_panic("constructor");
        let given = options::object(&opts)?.map_err(|error| errors::to_throw(&env, &error))?;
        let options::Given {
            known,
            unknown,
            functions,
        } = match &given {
            Some(given) => options::given(given)?,
            None => options::Given::default(),
        };
        let source = |name: &str| known.get(name).cloned().unwrap_or(Raw::Absent);
        let mut options =
            Options::parse(&source).map_err(|error| errors::to_throw(&env, &error))?;
        anchor(&env, app, &mut options.store)?;
        let service = Service::new(env, options);
        attach(&env, &service, channel, app, given, &functions)?;
        let unknown = unknown.iter();
        let unknown = unknown.map(|name| format!("unknown option {name:?} is ignored"));
        for line in unknown.chain(Options::without_effect(&source)) {
            Host::of(&env, &channel)?.log(&env, "warn", &line, None)?;
        }
        Ok(Self { service })
    }

    /// Returns the service behind the instance.
    pub fn service(&self) -> &Rc<Service> {
        &self.service
    }
}
