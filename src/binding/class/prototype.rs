//! Where calls enter: the methods of class `GlobalChannel`, put on its prototype by hand. What napi-rs
//! generates around a method takes a lock of the whole process and allocates, at each call, to guard
//! against values that are borrowed mutably; ours never are. And its error for what is no instance is
//! no `TypeError`. What the methods do is in [`crate::binding::service::calls`] and [`crate::binding::service::lifecycle`].

use std::{array, ptr, rc::Rc};

use napi::{
    Env, JsError, Property, PropertyAttributes, Unknown, ValueType,
    bindgen_prelude::{
        CallbackInfo, Function, JsObjectValue as _, JsValue as _, Object, ToNapiValue as _,
    },
    sys,
};
use napi_derive::napi;

use crate::{
    binding::{
        class::GlobalChannel,
        service::{
            Service,
            call::{Kind, State},
            panic,
        },
        values::{
            args,
            js::{Args, Callback},
        },
    },
    failpoints::may_panic,
};

type Method = extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Puts them there, when the addon is loaded.
#[napi(module_exports)]
pub fn define_methods(exports: Object) -> napi::Result<()> {
    let class: Function<Args> = exports.get_named_property("GlobalChannel")?;
    let mut prototype: Object = class.coerce_to_object()?.get_named_property("prototype")?;
    let method = |name, callback: Method| -> napi::Result<Property> {
        let property = Property::new().with_utf8_name(name)?.with_method(callback);
        // As napi-rs's own.
        let attributes = PropertyAttributes::Writable
            | PropertyAttributes::Enumerable
            | PropertyAttributes::Configurable;
        Ok(property.with_property_attributes(attributes))
    };
    prototype.define_properties(&[
        method("add", add)?,
        method("leave", leave)?,
        method("getMembersBySid", get_members_by_sid)?,
        method("getMembersByChannelName", get_members_by_channel_name)?,
        method("pushMessage", push_message)?,
        method("destroyChannel", destroy_channel)?,
        method("clean", clean)?,
        method("start", start)?,
        method("stop", stop)?,
        method("stats", stats)?,
        Property::new()
            .with_utf8_name("state")?
            .with_getter(state)
            .with_property_attributes(
                PropertyAttributes::Enumerable | PropertyAttributes::Configurable,
            ),
    ])
}

/// Defines a method of JavaScript: its arguments, and what it does on a service.
macro_rules! method {
    ($name:ident($service:ident, $($arg:ident),*) $body:block) => {
        method!($name($service of _channel, $($arg),*) $body);
    };
    ($name:ident($service:ident of $this:ident, $($arg:ident),*) $body:block) => {
        extern "C" fn $name(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
            enter(env, info, |$service, $this, [$($arg),*]| {
                let done: napi::Result<()> = $body;
                done.map(|()| ptr::null_mut())
            })
        }
    };
}

method!(add(service, name, uid, sid, cb) {
    service.write(Kind::Add, [name, uid, sid], &cb)
});

method!(leave(service, name, uid, sid, cb) {
    service.write(Kind::Leave, [name, uid, sid], &cb)
});

method!(get_members_by_sid(service, name, sid, cb) {
    service.get_members_by_sid([name, sid], &cb)
});

method!(get_members_by_channel_name(service, server_type, name, cb) {
    service.get_members_by_channel_name(&server_type, name, &cb)
});

method!(push_message(service, server_type, route, msg, name, opts, cb) {
    let left_out = opts.get_type()? == ValueType::Function;
    let (opts, cb) = if left_out && cb.get_type()? != ValueType::Function {
        (args::undefined(&service.env)?, opts)
    } else {
        (opts, cb)
    };
    service.push_message(&server_type, name, [route, msg, opts, cb])
});

method!(destroy_channel(service, name, cb) {
    service.destroy_channel(name, &cb)
});

method!(clean(service, cb) {
    service.clean(&cb)
});

method!(start(service of channel, cb) {
    service.start(&channel, Callback::new(&cb)?)
});

method!(stop(service of channel, force, cb) {
    let left_out = force.get_type()? == ValueType::Function;
    let (force, cb) = if left_out && cb.get_type()? != ValueType::Function {
        (args::undefined(&service.env)?, force)
    } else {
        (force, cb)
    };
    let force = Args::new().with(&service.env, force)?;
    service.stop(&channel, force, Callback::new(&cb)?)
});

extern "C" fn stats(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter(env, info, |service, channel, []| {
        may_panic("stats");
        service.stats(&channel).map(|stats| stats.raw())
    })
}

/// 0 = not started, 1 = started, 2 = stopped.
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

/// Runs a method; an error, or a panic, is thrown.
fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    method: impl FnOnce(&Rc<Service>, Object, [Unknown; N]) -> napi::Result<sys::napi_value>,
) -> sys::napi_value {
    let done = panic::thrown(&Env::from_raw(env), || {
        let mut info = CallbackInfo::<N>::new(env, info, None, false)?;
        // SAFETY: what carries the tag of the class is an instance, and lives as long as `this`.
        let channel = unsafe { info.unwrap_raw::<GlobalChannel>().map(|channel| &*channel) };
        let Ok(channel) = channel else {
            // In the words of V8, for a method that was taken off its instance.
            Env::from_raw(env).throw_type_error("Illegal invocation", None)?;
            return Ok(ptr::null_mut());
        };
        // SAFETY: values of the current scope.
        let arg = |index| unsafe { Unknown::from_raw_unchecked(env, info.get_arg(index)) };
        let (service, this) = (channel.service(), Object::from_raw(env, info.this()));
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
