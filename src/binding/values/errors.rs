//! Converts the crate's error to a JavaScript `Error` with `code` and, where known, `cause`.

use napi::{
    Env, Status, Unknown, ValueType,
    bindgen_prelude::{JsObjectValue as _, JsValue as _, Object},
};

use crate::error::Error;

/// Makes the JavaScript error.
pub fn to_js<'env>(env: &'env Env, error: &Error) -> napi::Result<Object<'env>> {
    let mut object = plain(env, &error.to_string())?;
    object.set_named_property("code", error.code())?;
    if let Some(cause) = error.cause() {
        let cause = plain(env, cause)?;
        object.set_named_property("cause", cause)?;
    }
    Ok(object)
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
    match to_js(env, error) {
        Ok(object) => napi::Error::from(object.to_unknown()),
        Err(failed) => failed,
    }
}

fn plain<'env>(env: &'env Env, message: &str) -> napi::Result<Object<'env>> {
    let mut object = env.create_error(napi::Error::new(Status::GenericFailure, message))?;
    // `create_error` sets napi-rs's own code.
    object.delete_named_property("code")?;
    Ok(object)
}
