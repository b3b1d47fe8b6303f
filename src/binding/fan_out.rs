//! The addon's part of the fan-out (`lib/fanOut/`): the native send, and checking the options of a scheduler.

use napi::{
    Env, Unknown,
    bindgen_prelude::{JsObjectValue as _, Object},
};
use napi_derive::napi;

use crate::{
    binding::{
        class::attach,
        values::{errors, options},
    },
    options::{Options, Raw},
};

/// Checks the fields of option `fanOut`; returns all of them, with defaults for those that are left out.
#[napi(catch_unwind)]
pub fn fan_out_options<'env>(
    env: &'env Env,
    fields: Unknown<'env>,
) -> napi::Result<Option<Object<'env>>> {
    let mut options = Object::new(env)?;
    options.set_named_property("fanOut", fields)?;
    let known = options::given(&options)?.known;
    let source = |name: &str| known.get(name).cloned().unwrap_or(Raw::Absent);
    let parsed = Options::parse(&source).map_err(|error| errors::to_throw(env, &error))?;
    attach::fan_out(env, parsed.fan_out)
}

/// Sends `frame` to the sockets of the first `count` descriptors in `slots`. Results are those of
/// [`crate::fan_out::send_to_all`].
#[cfg(unix)]
#[napi(catch_unwind)]
pub fn send_to_all(
    frame: napi::bindgen_prelude::Uint8ArraySlice,
    mut slots: napi::bindgen_prelude::Int32ArraySlice,
    count: u32,
) -> u32 {
    // SAFETY: the array belongs to `lib/fanOut/` and shares no memory with the frame; no JavaScript runs meanwhile.
    let slots = unsafe { slots.as_mut() };
    let count = slots.len().min(count as usize);
    let incomplete = crate::fan_out::send_to_all(&frame, &mut slots[..count]);
    u32::try_from(incomplete).unwrap_or(u32::MAX)
}
