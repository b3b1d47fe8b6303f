//! Making the JavaScript side of an instance: what `index.js` installed is called with the tools
//! that the host needs.

use std::rc::Rc;

use napi::{
    Env, Unknown,
    bindgen_prelude::{Function, JsObjectValue as _, Object},
};

use super::{
    errors,
    js::{Args, Ref, Return},
    service::Service,
};
use crate::error::Error;

/// What `index.js` gives each environment once: the function that makes the host of an instance.
pub struct Attach(pub Ref);

/// Makes the JavaScript side of an instance: calls what `index.js` installed with
/// `(channel, app, opts, {settle, failure, commandTimeout, startTimeout, pushTimeout})`.
pub fn attach(
    env: &Env,
    service: &Rc<Service>,
    channel: Object,
    app: Unknown,
    opts: Object,
) -> napi::Result<()> {
    let Some(Attach(attach)) = env.get_instance_data::<Attach>()? else {
        let words = "load pome-globalchannel-plugin, not its binding.js".to_owned();
        return Err(errors::to_throw(env, &Error::Internal(words)));
    };
    let mut tools = Object::new(env)?;
    let weak = Rc::downgrade(service);
    let settle: Function<Args, ()> = env.create_function_from_closure("settle", move |call| {
        let (token, args) = (call.get::<i64>(0)?, call.get::<Object>(1)?);
        let token = u64::try_from(token).unwrap_or_default();
        weak.upgrade()
            .map_or(Ok(()), |service| service.settle(token, &args))
    })?;
    tools.set_named_property("settle", settle)?;
    let timeout = service.options.limits.command_timeout;
    let failure: Function<Args, Return> =
        env.create_function_from_closure("failure", move |call| {
            let error = match call.get::<String>(0)?.as_str() {
                "timeout" => Error::Timeout {
                    after: timeout.unwrap_or_default(),
                    cause: None,
                },
                "option" => Error::InvalidOption(call.get(2)?),
                "unreachable" => Error::Unreachable {
                    store: "the channel manager".to_owned(),
                    cause: None,
                },
                _ => Error::PushFailed(call.get::<Option<String>>(2)?),
            };
            let env = *call.env;
            let object = errors::with_cause(&env, &error, call.get::<Unknown>(1)?)?;
            Ok(Return::new(&object))
        })?;
    tools.set_named_property("failure", failure)?;
    let limits = &service.options.limits;
    for (name, limit) in [
        ("commandTimeout", limits.command_timeout),
        ("startTimeout", limits.start_timeout),
        ("pushTimeout", service.options.push_timeout),
        ("drain", Some(limits.drain)),
    ] {
        let ms = u32::try_from(limit.unwrap_or_default().as_millis()).unwrap_or(u32::MAX);
        tools.set_named_property(name, ms)?;
    }
    let args = Args::new()
        .with(env, channel)?
        .with(env, app)?
        .with(env, opts)?
        .with(env, tools)?;
    attach.call(env, args).map(drop)
}
