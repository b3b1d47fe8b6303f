//! What `lib/fanOut/` asks of the addon: the native send, and the options of a scheduler that an app names itself.

use napi::{
    Env, Unknown,
    bindgen_prelude::{JsObjectValue as _, Object},
};
use napi_derive::napi;

use super::{args, attach, errors};
use crate::options::{Options, Raw};

/// Checks the fields of option `fanOut` and gives all of them, those that are left out with their defaults.
#[napi(catch_unwind)]
pub fn fan_out_options<'env>(
    env: &'env Env,
    fields: Unknown<'env>,
) -> napi::Result<Option<Object<'env>>> {
    let mut options = Object::new(env)?;
    options.set_named_property("fanOut", fields)?;
    let known = args::given(&options)?.known;
    let source = |name: &str| known.get(name).cloned().unwrap_or(Raw::Absent);
    let parsed = Options::parse(&source).map_err(|error| errors::to_throw(env, &error))?;
    attach::fan_out(env, parsed.fan_out)
}

/// Sends `frame` to the sockets of the first `count` descriptors in `slots`; what the slots hold then, and what is
/// returned, is told in [`crate::fan_out::send_to_all`].
#[cfg(unix)]
#[napi(catch_unwind)]
pub fn send_to_all(
    frame: napi::bindgen_prelude::Uint8ArraySlice,
    mut slots: napi::bindgen_prelude::Int32ArraySlice,
    count: u32,
) -> u32 {
    // SAFETY: the array is one of `lib/fanOut/` and shares no memory with the frame; no JavaScript runs meanwhile.
    let slots = unsafe { slots.as_mut() };
    let count = slots.len().min(count as usize);
    let incomplete = crate::fan_out::send_to_all(&frame, &mut slots[..count]);
    u32::try_from(incomplete).unwrap_or(u32::MAX)
}
