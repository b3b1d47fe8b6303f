//! Reads names, server ids and uids directly into the buffer that goes to the runtime.

use std::ptr;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{JsValue as _, check_status},
    sys,
};

/// The initial room for a string. One that does not fit is read twice.
const ROOM: usize = 256;

/// The longest UTF-8 sequence in bytes: a string that was cut off may leave fewer bytes free.
const LONGEST: usize = 4;

/// The maximum room for a string: Node-API counts it in an `int`, up to 2 GiB.
const MOST_ROOM: usize = 1 << 30;

/// The text of the only number that is no id.
pub const NAN: &str = "NaN";

/// Appends an id as text, lone surrogates as U+FFFD. Returns `false`, and may leave part of the text, if the value is
/// no primitive with one textual form (see [`super::args`] for others) or has more than `most` bytes. Runs no
/// JavaScript.
pub fn append(env: &Env, value: &Unknown, out: &mut Vec<u8>, most: usize) -> napi::Result<bool> {
    if let Some(fits) = append_string(env, value.raw(), out, most)? {
        return Ok(fits);
    }
    if !matches!(
        value.get_type()?,
        ValueType::Number | ValueType::Boolean | ValueType::BigInt
    ) {
        return Ok(false);
    }
    let begin = out.len();
    let text = append_string(env, value.coerce_to_string()?.raw(), out, most)?;
    Ok(text == Some(true) && out.get(begin..) != Some(NAN.as_bytes()))
}

/// Returns the length of a string in bytes of UTF-8.
pub fn length(env: sys::napi_env, string: sys::napi_value) -> napi::Result<usize> {
    let mut length = 0;
    // SAFETY: without a buffer Node-API only returns the length of the string.
    check_status!(unsafe {
        sys::napi_get_value_string_utf8(env, string, ptr::null_mut(), 0, &raw mut length)
    })?;
    Ok(length)
}

/// Reads a string; the inner error is the length of one with more than `most` bytes.
pub fn read(string: &Unknown, most: usize) -> napi::Result<Result<Vec<u8>, usize>> {
    let (env, value) = (string.value().env, string.raw());
    let length = length(env, value)?;
    if length > most.min(MOST_ROOM - 1) {
        return Ok(Err(length));
    }
    let (mut bytes, mut written) = (Vec::<u8>::with_capacity(length + 1), 0);
    // SAFETY: Node-API writes up to `length` bytes and a NUL, for which there is room, and says how many.
    check_status!(unsafe {
        let buffer = bytes.as_mut_ptr().cast();
        sys::napi_get_value_string_utf8(env, value, buffer, length + 1, &raw mut written)
    })?;
    // SAFETY: that many bytes were written just now, and there is room for no more.
    unsafe { bytes.set_len(written.min(length)) };
    Ok(Ok(bytes))
}

/// Appends a string; `Some(false)` if it has more than `most` bytes, `None` if the value is not a string.
fn append_string(
    env: &Env,
    value: sys::napi_value,
    out: &mut Vec<u8>,
    most: usize,
) -> napi::Result<Option<bool>> {
    let most = most.min(MOST_ROOM - LONGEST - 2);
    let mut room = ROOM;
    loop {
        out.reserve(room);
        let (free, mut length) = (out.spare_capacity_mut(), 0);
        let offered = free.len().min(MOST_ROOM);
        let free = &mut free[..offered];
        // SAFETY: Node-API writes `length` bytes and a NUL, no more than there are free.
        let status = unsafe {
            let buffer = free.as_mut_ptr().cast();
            sys::napi_get_value_string_utf8(env.raw(), value, buffer, free.len(), &raw mut length)
        };
        if status == sys::Status::napi_string_expected {
            return Ok(None);
        }
        check_status!(status)?;
        if length + LONGEST < free.len() {
            // SAFETY: that many bytes were written just now.
            unsafe { out.set_len(out.len() + length) };
            return Ok(Some(length <= most));
        }
        length = self::length(env.raw(), value)?;
        if length > most {
            return Ok(Some(false));
        }
        room = length + LONGEST + 1;
    }
}
