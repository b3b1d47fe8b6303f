//! Where calls enter: the methods of class `GlobalChannel` that go to the store, put on its prototype
//! by hand. What napi-rs generates around a method takes a lock of the whole process and allocates,
//! at each call, to guard against values that are borrowed mutably; ours never are. What the methods
//! do is in [`super::methods`].

use std::{array, ptr};

use napi::{
    Env, JsError, Property, PropertyAttributes, Unknown, ValueType,
    bindgen_prelude::{CallbackInfo, Function, JsObjectValue as _, JsValue as _, Object},
    sys,
};
use napi_derive::napi;

use super::{args, call::Kind, class::GlobalChannel, guard, js::Args, service::Service};

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
    ])
}

/// Defines a method of JavaScript: its arguments, and what it does on a service.
macro_rules! method {
    ($name:ident($service:ident, $($arg:ident),*) $body:block) => {
        extern "C" fn $name(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
            enter(env, info, |$service, [$($arg),*]| $body)
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

/// Runs a method; an error, or a panic, is thrown.
fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    method: impl FnOnce(&Service, [Unknown; N]) -> napi::Result<()>,
) -> sys::napi_value {
    let done = guard::thrown(&Env::from_raw(env), || {
        let mut info = CallbackInfo::<N>::new(env, info, None, false)?;
        // SAFETY: what carries the tag of the class is an instance, and lives as long as `this`.
        let channel = unsafe { info.unwrap_raw::<GlobalChannel>().map(|channel| &*channel) };
        let Ok(channel) = channel else {
            // In the words of V8, for a method that was taken off its instance.
            return Env::from_raw(env).throw_type_error("Illegal invocation", None);
        };
        // SAFETY: values of the current scope.
        let arg = |index| unsafe { Unknown::from_raw_unchecked(env, info.get_arg(index)) };
        let service = channel.service();
        guard::method(service, || method(service, array::from_fn(arg)))
    });
    if let Err(error) = done {
        // SAFETY: on the JavaScript thread, with its environment.
        unsafe { JsError::from(error).throw_into(env) };
    }
    ptr::null_mut()
}
