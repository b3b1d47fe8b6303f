//! Converts the crate's error to a JavaScript `Error` with `code` and, where known, `cause`. All errors of the package
//! are made here, by `makeError` of `lib/realm.js`: what Node-API creates belongs to Node's main realm, where the app's
//! modules need not be.

use napi::{
    Env, JsError, Status, Unknown, ValueType,
    bindgen_prelude::{JsObjectValue as _, JsValue as _, Object},
    sys,
};

use crate::{
    binding::values::js::{Args, Registered},
    error::Error,
};

/// Makes the JavaScript error.
pub fn to_js<'env>(env: &'env Env, error: &Error) -> napi::Result<Object<'env>> {
    let cause = error.cause();
    let cause = cause.map(|cause| make(env, cause, None, None, false));
    let cause = cause.transpose()?;
    make(env, &error.to_string(), Some(error.code()), cause, false)
}

/// Makes the JavaScript error with a cause that is a JavaScript value, unless that is `undefined`.
pub fn with_cause<'env>(
    env: &'env Env,
    error: &Error,
    cause: Unknown,
) -> napi::Result<Object<'env>> {
    let mut object = to_js(env, error)?;
    if cause.get_type()? != ValueType::Undefined {
        object.set_named_property("cause", cause)?;
    }
    Ok(object)
}

/// Makes the error as one to be thrown: napi-rs keeps the JavaScript object and throws it.
pub fn to_throw(env: &Env, error: &Error) -> napi::Error {
    thrown(to_js(env, error))
}

/// Makes a `TypeError` to be thrown.
pub fn type_error(env: &Env, message: &str) -> napi::Error {
    thrown(make(env, message, None, None, true))
}

/// Makes an error an `uncaughtException`, unless no JavaScript can run any more: an environment that is being torn down, as
/// that of a worker thread, still reports sockets. napi-rs's own method panics then in a debug build.
pub fn report(env: &Env, error: napi::Error) {
    // SAFETY: on the JavaScript thread, with its environment; without a value of the error Node-API refuses the call.
    unsafe {
        let error = JsError::from(error).into_value(env.raw());
        sys::napi_fatal_exception(env.raw(), error);
    }
}

fn thrown(made: napi::Result<Object>) -> napi::Error {
    match made {
        Ok(object) => napi::Error::from(object.to_unknown()),
        Err(failed) => failed,
    }
}

/// Makes an error. Without `lib/`, or where no JavaScript can run, Node-API creates it.
fn make<'env>(
    env: &'env Env,
    message: &str,
    code: Option<&str>,
    cause: Option<Object>,
    is_type_error: bool,
) -> napi::Result<Object<'env>> {
    if let Some(make_error) = &Registered::of(env)?.make_error {
        let args = Args::new().with(env, message)?;
        let args = args.with_or_undefined(env, code)?;
        let args = args.with_or_undefined(env, cause)?;
        let made = make_error.call(env, args.with(env, is_type_error)?);
        if let Ok(error) = made {
            // SAFETY: napi-rs checks the type.
            return unsafe { error.cast() };
        }
    }
    let mut error = env.create_error(napi::Error::new(Status::GenericFailure, message))?;
    // `create_error` sets napi-rs's own code.
    error.delete_named_property("code")?;
    if let Some(code) = code {
        error.set_named_property("code", code)?;
    }
    if let Some(cause) = cause {
        error.set_named_property("cause", cause)?;
    }
    Ok(error)
}
