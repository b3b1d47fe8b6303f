//! Defines the methods of class `GlobalChannel` on its prototype by hand. What napi-rs generates around a method takes
//! a process-wide lock and allocates, at each call, to guard against values that are borrowed mutably, which ours never
//! are; and for an object that is not an instance its error is not a `TypeError`. The methods themselves are in
//! [`crate::binding::service::calls`] and [`crate::binding::service::lifecycle`].
//!
//! `this` may also be a Proxy of an instance, or inherit from one: what Node-API does not recognise is looked up by
//! `lib/instances.js`.

use std::{array, ptr, rc::Rc};

use napi::{
    Env, JsError, Property, PropertyAttributes, Unknown, ValueType,
    bindgen_prelude::{
        CallbackInfo, ClassInstance, Function, JsObjectValue as _, JsValue as _, Object,
        ToNapiValue as _,
    },
    sys,
};
use napi_derive::napi;

use crate::{
    binding::{
        class::GlobalChannel,
        methods::{Arguments, ENTRIES, INTERNAL_ENTRIES, Kind},
        service::{Service, call::State, panic},
        values::{
            args, errors,
            js::{Args, Callback, Installed},
        },
    },
    failpoints::may_panic,
};

/// A function with the signature that Node-API calls.
pub type Entry = extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Defines the methods on the prototype, when the addon is loaded.
#[napi(module_exports)]
pub fn define_methods(exports: Object) -> napi::Result<()> {
    let class: Function<Args> = exports.get_named_property("GlobalChannel")?;
    let mut prototype: Object = class.coerce_to_object()?.get_named_property("prototype")?;
    let method = |name, callback: Entry| -> napi::Result<Property> {
        let property = Property::new().with_utf8_name(name)?.with_method(callback);
        // The attributes that napi-rs gives to methods.
        let attributes = PropertyAttributes::Writable
            | PropertyAttributes::Enumerable
            | PropertyAttributes::Configurable;
        Ok(property.with_property_attributes(attributes))
    };
    let store = ENTRIES
        .iter()
        .map(|(kind, entry)| method(kind.name(), *entry));
    let mut properties: Vec<Property> = store.collect::<napi::Result<_>>()?;
    properties.extend([
        method("start", start)?,
        method("stop", stop)?,
        method("stats", stats)?,
        Property::new()
            .with_utf8_name("state")?
            .with_getter(state)
            .with_property_attributes(
                PropertyAttributes::Enumerable | PropertyAttributes::Configurable,
            ),
    ]);
    let registry = INTERNAL_ENTRIES.iter().map(|(kind, entry)| {
        let property = Property::new().with_utf8_name(kind.name())?;
        Ok(property
            .with_method(*entry)
            .with_property_attributes(PropertyAttributes::Default))
    });
    properties.extend(registry.collect::<napi::Result<Vec<_>>>()?);
    prototype.define_properties(&properties)
}

/// Calls the store method that has this number in [`Kind::ALL`].
pub extern "C" fn store_method<const KIND: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let kind = const { Kind::ALL[KIND] };
    match const { Kind::ALL[KIND].arguments() } {
        Arguments::Member => store(env, info, kind, |service, [name, uid, sid, cb]| {
            service.write(kind, [name, uid, sid], &cb)
        }),
        Arguments::OneMember => store(env, info, kind, |service, [name, uid, sid, cb]| {
            service.of_member(kind, [name, uid, sid], &cb)
        }),
        Arguments::Many => store(env, info, kind, |service, [name, members, cb]| {
            service.write_many(kind, [name, members], cb)
        }),
        Arguments::Frontend => store(env, info, kind, |service, [name, sid, cb]| {
            service.of_frontend(kind, [name, sid], &cb)
        }),
        Arguments::Servers => store(env, info, kind, |service, [server_type, name, cb]| {
            service.of_servers(kind, &server_type, name, &cb)
        }),
        Arguments::Groups => store(env, info, kind, |service, [server_type, names, cb]| {
            service.of_groups(kind, &server_type, names, &cb)
        }),
        Arguments::Counted => store(env, info, kind, |service, [name, server_type, cb]| {
            service.of_servers(kind, &server_type, name, &cb)
        }),
        Arguments::Push => store(env, info, kind, |service, args| {
            let [server_type, route, msg, name, opts, cb] = args;
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.push(kind, &server_type, name, [route, msg, opts, cb])
        }),
        Arguments::PushUids => store(env, info, kind, |service, args| {
            let [server_type, route, msg, uids, opts, cb] = args;
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.push_to_uids(kind, &server_type, uids, [route, msg, opts, cb])
        }),
        Arguments::Broadcast => store(env, info, kind, |service, args| {
            let [server_type, route, msg, opts, cb] = args;
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.broadcast(kind, &server_type, [route, msg, opts, cb])
        }),
        Arguments::Users => store(env, info, kind, |service, [uids, cb]| {
            service.of_users(kind, &uids, &cb)
        }),
        Arguments::UserOn => store(env, info, kind, |service, [uid, sid, cb]| {
            service.of_user_on(kind, [uid, sid], &cb)
        }),
        Arguments::OnlinePage => store(env, info, kind, |service, [opts, cb]| {
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.of_online_page(kind, &opts, &cb)
        }),
        Arguments::OnlineCount => store(env, info, kind, |service, [server_type, cb]| {
            service.of_online(kind, &server_type, &cb)
        }),
        Arguments::Frontends => store(env, info, kind, |service, [name, opts, cb]| {
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.of_frontends(kind, [name, opts], &cb)
        }),
        Arguments::MemberPage => store(env, info, kind, |service, [name, sid, opts, cb]| {
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.page_of_members(kind, [name, sid, opts], &cb)
        }),
        Arguments::ChannelPage => store(env, info, kind, |service, [opts, cb]| {
            let (opts, cb) = optional(&service.env, opts, cb)?;
            service.page_of_channels(kind, opts, &cb)
        }),
        Arguments::Store => store(env, info, kind, |service, [cb]| service.of_store(kind, &cb)),
        Arguments::Lease
        | Arguments::LeaseKeys
        | Arguments::Leases
        | Arguments::Online
        | Arguments::OnlineMembers
        | Arguments::Index
        | Arguments::Gone
        | Arguments::Purge
        | Arguments::ChannelsOn
        | Arguments::Entered => ptr::null_mut(),
    }
}

/// Calls the method of the session registry that has this number in [`Kind::INTERNAL`].
pub extern "C" fn registry_method<const KIND: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let kind = const { Kind::INTERNAL[KIND] };
    method(env, info, |service, _, [sids, items, cb]| {
        if kind.is_page() {
            service.registry_page(kind, &sids, &items, &cb)
        } else {
            service.registry(kind, &sids, &items, &cb)
        }
    })
}

/// Runs a method of the store, unless an argument was left out; or keeps the call until the service is started.
fn store<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    kind: Kind,
    run: impl FnOnce(&Rc<Service>, [Unknown; N]) -> napi::Result<()>,
) -> sys::napi_value {
    method(env, info, |service, channel, args| {
        if service.keep(kind, &channel, &args)? || service.lacks_argument(kind, &args)? {
            return Ok(());
        }
        run(service, args)
    })
}

extern "C" fn start(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    method(env, info, |service, channel, [cb]| {
        service.start(&channel, Callback::new(&cb)?)
    })
}

extern "C" fn stop(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    method(env, info, |service, channel, [force, cb]| {
        let (force, cb) = optional(&service.env, force, cb)?;
        let force = Args::new().with(&service.env, force)?;
        service.stop(&channel, force, Callback::new(&cb)?)
    })
}

/// Returns the last argument and the callback, where that argument may be left out.
fn optional<'env>(
    env: &Env,
    last: Unknown<'env>,
    cb: Unknown<'env>,
) -> napi::Result<(Unknown<'env>, Unknown<'env>)> {
    let left_out = last.get_type()? == ValueType::Function;
    if left_out && cb.get_type()? != ValueType::Function {
        return Ok((args::undefined(env)?, last));
    }
    Ok((last, cb))
}

extern "C" fn stats(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter(env, info, |service, channel, []| {
        may_panic("stats");
        service.stats(&channel).map(|stats| stats.raw())
    })
}

/// Returns 0 (not started), 1 (started) or 2 (stopped).
extern "C" fn state(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter(env, info, |service, _, []| {
        let state: u32 = match service.state.get() {
            State::Inited | State::Starting => 0,
            State::Started => 1,
            State::Closed => 2,
        };
        // SAFETY: on the JavaScript thread, with its environment.
        unsafe { u32::to_napi_value(env, state) }
    })
}

/// Returns the instance behind a `this` that is none.
fn behind(
    env: sys::napi_env,
    this: sys::napi_value,
) -> napi::Result<Option<ClassInstance<'static, GlobalChannel>>> {
    // SAFETY: a value of the current scope.
    let this = unsafe { Unknown::from_raw_unchecked(env, this) };
    let env = Env::from_raw(env);
    let instance_of = &Installed::of(&env)?.instance_of;
    let instance = instance_of.call(&env, Args::new().with(&env, this)?)?;
    if instance.get_type()? != ValueType::Object {
        return Ok(None);
    }
    // SAFETY: napi-rs checks that it is an instance, which lives as long as `this`.
    unsafe { instance.cast() }.map(Some)
}

/// Runs a method that returns nothing.
fn method<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    method: impl FnOnce(&Rc<Service>, Object, [Unknown; N]) -> napi::Result<()>,
) -> sys::napi_value {
    enter(env, info, |service, this, args| {
        method(service, this, args).map(|()| ptr::null_mut())
    })
}

/// Runs a method; throws an error, and a panic as an error.
fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    method: impl FnOnce(&Rc<Service>, Object, [Unknown; N]) -> napi::Result<sys::napi_value>,
) -> sys::napi_value {
    let done = panic::thrown(&Env::from_raw(env), || {
        let mut info = CallbackInfo::<N>::new(env, info, None, false)?;
        // SAFETY: what carries the tag of the class is an instance, and lives as long as `this`.
        let own = unsafe { info.unwrap_raw::<GlobalChannel>().map(|channel| &*channel) };
        let found;
        let (channel, this) = if let Ok(channel) = own {
            (channel, info.this())
        } else {
            found = behind(env, info.this())?;
            let Some(instance) = &found else {
                // V8's message for a method that was taken off its instance.
                return Err(errors::type_error(
                    &Env::from_raw(env),
                    "Illegal invocation",
                ));
            };
            (&**instance, instance.value)
        };
        // SAFETY: values of the current scope.
        let arg = |index| unsafe { Unknown::from_raw_unchecked(env, info.get_arg(index)) };
        let (service, this) = (channel.service(), Object::from_raw(env, this));
        panic::method(service, ptr::null_mut(), || {
            method(service, this, array::from_fn(arg))
        })
    });
    done.unwrap_or_else(|error| {
        // SAFETY: on the JavaScript thread, with its environment.
        unsafe { JsError::from(error).throw_into(env) };
        ptr::null_mut()
    })
}
