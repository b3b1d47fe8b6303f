//! Makes the JavaScript side of an instance: calls the function that `lib/globalChannel.js` installed, with the tools
//! that the host needs.

use std::{path::PathBuf, rc::Rc, time::Duration};

use napi::{
    Env, Unknown,
    bindgen_prelude::{Function, FunctionCallContext, JsObjectValue as _, Object},
};

use crate::{
    app::PLATFORM_CAS,
    binding::{
        service::{
            Service,
            panic::{closure, thrown},
        },
        tables::shared,
        values::{
            errors,
            js::{Args, Installed, Return},
        },
    },
    embedded::EmbeddedOptions,
    error::Error,
    options::{FanOut, Membership, Store},
};

/// Makes a relative folder absolute, from the app's base: the current directory may change later.
pub fn anchor(env: &Env, app: Unknown, store: &mut Store) -> napi::Result<()> {
    if let Store::Embedded(EmbeddedOptions { folder, .. }) = store {
        let base = Installed::of(env)?
            .base_of
            .call(env, Args::new().with(env, app)?)?;
        // SAFETY: napi-rs checks the type.
        let base: String = unsafe { base.cast() }?;
        *folder = PathBuf::from(base).join(&*folder);
    }
    Ok(())
}

/// Makes the JavaScript side of an instance: calls what `lib/globalChannel.js` installed with
/// `(channel, app, opts, {settle, failure, manager, commandTimeout, …})`. `given` are the functions among the options, by
/// name.
pub fn attach(
    env: &Env,
    service: &Rc<Service>,
    channel: Object,
    app: Unknown,
    opts: Option<Object>,
    given: &[(&str, Unknown)],
) -> napi::Result<()> {
    let Installed { attach, .. } = Installed::of(env)?;
    let mut tools = Object::new(env)?;
    add_functions(env, service, &mut tools)?;
    add_options(env, service, &mut tools)?;
    let mut functions = Object::new(env)?;
    for (option, function) in given {
        functions.set_named_property(option, *function)?;
    }
    tools.set_named_property("functions", functions)?;
    tools.set_named_property("manager", described(env, service)?)?;
    let args = Args::new()
        .with(env, channel)?
        .with(env, app)?
        .with_or_undefined(env, opts)?
        .with(env, tools)?;
    attach.call(env, args).map(drop)
}

/// Adds the functions that the host calls.
fn add_functions(env: &Env, service: &Rc<Service>, tools: &mut Object) -> napi::Result<()> {
    let settle = closure(env, "settle", service, |service, call| {
        let (token, args) = (call.get::<i64>(0)?, call.get::<Object>(1)?);
        service.settle(u64::try_from(token).unwrap_or_default(), &args)
    })?;
    let settled = closure(env, "settled", service, |service, _| {
        service.push_settled();
        Ok(())
    })?;
    let failed = closure(env, "failed", service, |service, call| {
        service.counts.foreign_error(call.env, &call.get(0)?);
        Ok(())
    })?;
    let answered = closure(env, "answered", service, |service, call| {
        let (token, failed) = (call.get::<i64>(0)?, call.get::<bool>(1)?);
        let token = u64::try_from(token).unwrap_or_default();
        service.on_answered(token, failed, &call.get(2)?)
    })?;
    let watch = closure(env, "watch", service, |service, call| {
        let (text, is_prefix, is_on) = (call.get::<String>(0)?, call.get(1)?, call.get(2)?);
        service.feed.watch(&text, is_prefix, is_on);
        Ok(())
    })?;
    let flush = closure(env, "flush", service, |service, _| {
        service.on_soon();
        Ok(())
    })?;
    let failure: Function<Args, Return> =
        env.create_function_from_closure("failure", |call| thrown(call.env, || failure(&call)))?;
    tools.set_named_property("settle", settle)?;
    tools.set_named_property("settled", settled)?;
    tools.set_named_property("failed", failed)?;
    tools.set_named_property("answered", answered)?;
    tools.set_named_property("watch", watch)?;
    tools.set_named_property("flush", flush)?;
    tools.set_named_property("failure", failure)
}

/// Adds the options that the host needs.
fn add_options(env: &Env, service: &Service, tools: &mut Object) -> napi::Result<()> {
    let options = &service.options;
    for (name, limit) in [
        ("commandTimeout", options.limits.command_timeout),
        ("startTimeout", options.limits.start_timeout),
        ("pushTimeout", options.push_timeout),
        ("drain", Some(options.limits.drain)),
    ] {
        tools.set_named_property(name, ms(limit.unwrap_or_default()))?;
    }
    let leave_delay = options.events.map(|events| ms(events.leave_delay));
    tools.set_named_property("leaveDelay", leave_delay)?;
    tools.set_named_property("cleanOnStartUp", options.clean_on_start_up)?;
    tools.set_named_property("rpcNoDelay", options.rpc_no_delay)?;
    tools.set_named_property("fanOut", fan_out(env, options.fan_out)?)?;
    tools.set_named_property("sessions", sessions(env, service)?)?;
    tools.set_named_property("platformCas", PLATFORM_CAS)
}

/// Returns a time in milliseconds, as the host has it.
fn ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Makes option `fanOut` for the host; `null` if it is off. A `maxBuffered` of 0 means no limit.
#[expect(clippy::cast_precision_loss, reason = "at most 2^40")]
pub fn fan_out(env: &Env, option: Option<FanOut>) -> napi::Result<Option<Object<'_>>> {
    let Some(option) = option else {
        return Ok(None);
    };
    let mut object = Object::new(env)?;
    object.set("deflateThreshold", option.deflate_threshold as f64)?;
    object.set(
        "maxBuffered",
        option.max_buffered.unwrap_or_default() as f64,
    )?;
    object.set("onSlow", option.on_slow.name())?;
    object.set("lists", option.lists)?;
    Ok(Some(object))
}

/// Makes options `sessions`, `leaseTtl`, `leaveDelay` and `membership` for the host; `null` without a registry.
fn sessions<'env>(env: &'env Env, service: &Service) -> napi::Result<Option<Object<'env>>> {
    let Some(option) = service.options.sessions else {
        return Ok(None);
    };
    let mut object = Object::new(env)?;
    object.set("leaseTtl", ms(option.lease_ttl))?;
    object.set("leaveDelay", ms(option.leave_delay))?;
    object.set("membership", option.membership == Membership::Session)?;
    let longest = u32::try_from(service.sizes.member).unwrap_or(u32::MAX);
    object.set("longestUid", longest)?;
    Ok(Some(object))
}

shared! {
    /// The kinds of failures on the JavaScript side.
    pub enum Failure {
        /// A custom manager did not answer in time.
        Timeout = "TIMEOUT",
        /// Option `channelManager` is not a manager.
        Option = "OPTION",
        /// A custom manager did not start, stop or clean in time.
        Unreachable = "UNREACHABLE",
        /// A custom manager answered with a value of a wrong kind.
        Answer = "ANSWER",
        /// A value that throws when it is read.
        Internal = "INTERNAL",
        /// The service has ended.
        Stopped = "STOPPED",
        /// No frontend took a push.
        Push = "PUSH",
        /// A call that a custom manager does not take.
        Unsupported = "UNSUPPORTED",
        /// An argument that is not accepted.
        Argument = "ARGUMENT",
    }
}

/// Makes an error for a failure on the JavaScript side: `(failure, cause, words)`.
fn failure(call: &FunctionCallContext) -> napi::Result<Return> {
    let number: u32 = call.get(0)?;
    let failure = Failure::ALL.get(number as usize);
    let error = match failure {
        Some((Failure::Timeout, _)) => Error::ManagerTimeout(call.get(2)?),
        Some((Failure::Option, _)) => Error::InvalidOption(call.get(2)?),
        Some((Failure::Unreachable, _)) => Error::Unreachable {
            store: format!("the channel manager: {}", call.get::<String>(2)?),
            cause: None,
        },
        Some((Failure::Answer, _)) => Error::Store(call.get::<String>(2)?.into()),
        Some((Failure::Internal, _)) => Error::Internal(call.get(2)?),
        Some((Failure::Stopped, _)) => Error::Stopped,
        Some((Failure::Argument, _)) => Error::InvalidArgument(call.get(2)?),
        Some((Failure::Unsupported, _)) => Error::Unsupported(call.get(2)?),
        Some((Failure::Push, _)) => Error::PushFailed(call.get::<Option<String>>(2)?),
        None => Error::Internal("a failure without a name".to_owned()),
    };
    let env = *call.env;
    let object = errors::with_cause(&env, &error, call.get::<Unknown>(1)?)?;
    Ok(Return::new(&object))
}

/// Returns what field `manager` shows of the store.
fn described<'env>(env: &'env Env, service: &Service) -> napi::Result<Object<'env>> {
    let mut manager = Object::new(env)?;
    manager.set_named_property("prefix", service.keys.prefix())?;
    match &service.options.store {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^31")]
        Store::Redis(redis) => manager.set_named_property("db", redis.db as f64)?,
        // A Redis Cluster has no other database.
        Store::Cluster(_) => manager.set_named_property("db", 0.0)?,
        Store::Embedded(embedded) => {
            manager.set_named_property("path", embedded.folder.to_string_lossy().as_ref())?;
        }
    }
    Ok(manager)
}
