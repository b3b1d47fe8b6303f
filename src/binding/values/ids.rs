//! The text of one id: a channel name, a server id or a uid. Which objects are ids, and with which text, is decided in
//! `lib/ids.js`. Arguments are read in [`super::args`].

use std::fmt::{Arguments, Display};

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{BufferSlice, JsObjectValue as _, JsValue as _},
};

use super::{
    args::Read,
    js::{Args, Installed, Ref},
    text,
};
use crate::{
    command::Member,
    error::Error,
    size_limits::{LONGEST, Sizes, too_long},
};

pub(super) const ID: &str =
    "a string, number, bigint, boolean, or an object with a toString of its own";

pub(super) const UID: &str =
    "a string, number, bigint, boolean, Buffer, or an object with a toString of its own";

pub(super) fn check_string(value: &Unknown, name: Arguments) -> Read<String> {
    let length = text::length(value.value().env, value.raw())?;
    if length > LONGEST {
        return Ok(Err(too_long(name, length, LONGEST)));
    }
    Ok(Ok(String::new()))
}

pub(super) fn string(value: &Unknown, name: impl Display) -> Read<String> {
    let read = text::read(value, LONGEST)?;
    Ok(read
        .map_err(|length| too_long(name, length, LONGEST))
        .map(|bytes| {
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        }))
}

/// Reads a number, boolean or bigint.
pub(super) fn primitive(value: &Unknown, name: Arguments, accepted: &str) -> Read<String> {
    let text = value.coerce_to_string()?.into_utf8()?.into_owned()?;
    if text == text::NAN {
        return Ok(Err(refused(name, text::NAN, accepted)));
    }
    Ok(Ok(text))
}

/// Returns the text of an object as a string.
pub(super) fn object(
    value: &Unknown,
    name: impl Display,
    accepted: &str,
) -> Read<Unknown<'static>> {
    let read = call(value, |installed| &installed.read_object)?;
    let read = read.coerce_to_object()?;
    let text: Unknown = read.get_named_property("text")?;
    if text.get_type()? == ValueType::String {
        return Ok(Ok(text));
    }
    let why: String = read.get_named_property("why")?;
    Ok(Err(refused(name, &format!("an object{why}"), accepted)))
}

/// Calls a function of `lib/` with one value.
pub(super) fn call(
    value: &Unknown,
    function: impl Fn(&Installed) -> &Ref,
) -> napi::Result<Unknown<'static>> {
    let env = Env::from_raw(value.value().env);
    let args = Args::new().with(&env, *value)?;
    function(Installed::of(&env)?).call(&env, args)
}

pub(super) fn invalid(name: impl Display, accepted: &str, kind: ValueType) -> Error {
    let kind = match kind {
        ValueType::Undefined => "undefined",
        ValueType::Null => "null",
        ValueType::Function => "a function",
        ValueType::Symbol => "a symbol",
        _ => "an object",
    };
    refused(name, kind, accepted)
}

pub(super) fn refused(name: impl Display, what: &str, accepted: &str) -> Error {
    Error::InvalidArgument(format!("argument {name} is {what}; accepted is {accepted}"))
}

/// Reads a uid given as a buffer, which is copied only if it is not too long.
pub(super) fn buffer(value: &Unknown, name: Arguments, sizes: Sizes) -> Read<Member> {
    // SAFETY: the caller checked that it is a buffer; the bytes are copied before JavaScript runs again.
    let buffer: BufferSlice = unsafe { value.cast() }?;
    let checked = sizes.check_member(name, &buffer);
    Ok(checked.map(|()| buffer.to_vec()))
}
