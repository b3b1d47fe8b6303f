//! Names, server ids and uids, read straight into the buffer in which they go to the runtime.

use std::ptr;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{JsValue as _, check_status},
    sys,
};

/// Room for a usual string with some to spare: one that does not fit has to be read twice.
const ROOM: usize = 256;

/// The longest UTF-8 sequence: what may be left free where a string was cut off.
const LONGEST: usize = 4;

/// Appends an id as text, lone surrogates as U+FFFD. Says `false`, and leaves some text or none,
/// if it is nothing that is text without guessing. Runs no JavaScript.
pub fn append(env: &Env, value: &Unknown, out: &mut Vec<u8>) -> napi::Result<bool> {
    if append_string(env, value.raw(), out)? {
        return Ok(true);
    }
    if !matches!(
        value.get_type()?,
        ValueType::Number | ValueType::Boolean | ValueType::BigInt
    ) {
        return Ok(false);
    }
    append_string(env, value.coerce_to_string()?.raw(), out)
}

fn append_string(env: &Env, value: sys::napi_value, out: &mut Vec<u8>) -> napi::Result<bool> {
    let mut room = ROOM;
    loop {
        out.reserve(room);
        let (free, mut length) = (out.spare_capacity_mut(), 0);
        // SAFETY: Node-API writes `length` bytes and a NUL, no more than there are free.
        let status = unsafe {
            let buffer = free.as_mut_ptr().cast();
            sys::napi_get_value_string_utf8(env.raw(), value, buffer, free.len(), &raw mut length)
        };
        if status == sys::Status::napi_string_expected {
            return Ok(false);
        }
        check_status!(status)?;
        if length + LONGEST < free.len() {
            // SAFETY: that many bytes were written just now.
            unsafe { out.set_len(out.len() + length) };
            return Ok(true);
        }
        // SAFETY: without a buffer it says how long the string is.
        check_status!(unsafe {
            let none = ptr::null_mut();
            sys::napi_get_value_string_utf8(env.raw(), value, none, 0, &raw mut length)
        })?;
        room = length + LONGEST + 1;
    }
}
