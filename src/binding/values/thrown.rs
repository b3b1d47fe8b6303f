//! Calls functions of JavaScript and reads the app's objects, where a getter or a Proxy may throw. What is thrown stays the
//! very value. napi-rs's own methods convert it together with its causes, which has no end where an error is among its own
//! causes, and call `toString` for it, which may throw as well: the stack overflows, and the process ends.

use std::ptr;

use napi::{
    Env, Status, Unknown, ValueType,
    bindgen_prelude::{Function, JsValue, JsValuesTupleIntoVec as _, Object},
    sys,
};

use super::js::Args;

/// Calls a function, without `this`.
pub fn call(
    env: &Env,
    function: &Function<Args, Unknown<'static>>,
    args: Args,
) -> napi::Result<Unknown<'static>> {
    let env = env.raw();
    let args = args.into_vec(env)?;
    value(env, |result| call_raw(env, function.raw(), &args, result))
}

/// The same, with handles of this environment that live in the current scope; what is thrown stays pending.
pub(super) fn call_raw(
    env: sys::napi_env,
    function: sys::napi_value,
    args: &[sys::napi_value],
    result: *mut sys::napi_value,
) -> sys::napi_status {
    let mut this = ptr::null_mut();
    // SAFETY: the handles are the caller's, and `result` is its variable.
    unsafe {
        sys::napi_get_undefined(env, &raw mut this);
        sys::napi_call_function(env, this, function, args.len(), args.as_ptr(), result)
    }
}

/// Reads a property.
pub fn property(object: &Object, name: &str) -> napi::Result<Unknown<'static>> {
    let env = object.value().env;
    let length = isize::try_from(name.len()).unwrap_or_default();
    let key = value(env, |key| {
        // SAFETY: Node-API copies so many bytes of the name.
        unsafe { sys::napi_create_string_utf8(env, name.as_ptr().cast(), length, key) }
    })?;
    value(env, |result| {
        // SAFETY: handles of this environment that live in the current scope.
        unsafe { sys::napi_get_property(env, object.raw(), key.raw(), result) }
    })
}

/// Reads an element of an array; `None` if it is `undefined` or a hole.
pub fn element<'env>(
    array: &impl JsValue<'env>,
    index: u32,
) -> napi::Result<Option<Unknown<'static>>> {
    let env = array.value().env;
    let element = value(env, |result| {
        // SAFETY: handles of this environment that live in the current scope.
        unsafe { sys::napi_get_element(env, array.raw(), index, result) }
    })?;
    Ok((element.get_type()? != ValueType::Undefined).then_some(element))
}

/// Returns the result of a call of Node-API, or what JavaScript has thrown in it.
fn value(
    env: sys::napi_env,
    call: impl FnOnce(*mut sys::napi_value) -> sys::napi_status,
) -> napi::Result<Unknown<'static>> {
    let mut result = ptr::null_mut();
    match call(&raw mut result) {
        // SAFETY: the call has set it to a handle of the current scope.
        sys::Status::napi_ok => Ok(unsafe { Unknown::from_raw_unchecked(env, result) }),
        sys::Status::napi_pending_exception => {
            let mut thrown = ptr::null_mut();
            // SAFETY: on the JavaScript thread with an exception pending. Fails only in an environment that is being torn down.
            let status = unsafe { sys::napi_get_and_clear_last_exception(env, &raw mut thrown) };
            if status != sys::Status::napi_ok {
                return Err(napi::Error::from_status(Status::PendingException));
            }
            // SAFETY: a handle of the current scope.
            let thrown = unsafe { Unknown::from_raw_unchecked(env, thrown) };
            Err(napi::Error::from_unknown_without_coercion(thrown))
        }
        other => Err(napi::Error::from_status(Status::from(other))),
    }
}
