//! The only module that knows JavaScript: class `GlobalChannel` and what it needs.
//!
//! - [`class`], [`prototype`]: the class and its methods, as JavaScript sees them.
//! - [`service`]: what one instance is; its calls ([`calls`], [`packing`], [`call`]) on their way to
//!   the store, its life ([`lifecycle`]) from start to stop, and how it answers ([`answers`]).
//! - [`host`], [`attach`]: the JavaScript side (`lib/`): what only it can do, because pomelo
//!   objects are there.
//! - [`outbox`]: results from the runtime to the JavaScript thread, one wake for many; [`tape`],
//!   [`answer_encoder`], [`shared_arrays`]: how they go on to JavaScript.
//! - [`fan_out`]: sending one frame to many clients.
//! - [`js`], [`args`], [`text`], [`errors`]: values in and out.
//! - [`panic`]: where panics end.
//! - [`stats`]: what is counted.
//! - [`stores`]: copying a store and looking into one, for the command line.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "napi-rs ties the lifetime of values to a borrow of Env"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "napi-rs hands arguments over by value"
)]

mod answer_encoder;
mod answers;
mod args;
mod attach;
mod call;
mod calls;
mod class;
mod errors;
mod fan_out;
mod host;
mod js;
mod lifecycle;
mod outbox;
mod packing;
mod panic;
mod prototype;
mod service;
mod shared_arrays;
mod stats;
mod stores;
mod tape;
mod text;

use napi::{Env, bindgen_prelude::Function};
use napi_derive::napi;

use self::{
    attach::Installed,
    js::{Args, Ref},
};

/// Tells this environment how to make the JavaScript side of an instance, how to throw in a later turn
/// of the event loop, and where relative paths begin. `lib/globalChannel.js` calls it once; it is not
/// meant for anybody else.
#[napi(catch_unwind)]
pub fn install(
    env: Env,
    attach: Function<Args>,
    rethrow: Function<Args>,
    base_of: Function<Args>,
) -> napi::Result<()> {
    let installed = Installed {
        attach: Ref::function(&attach)?,
        rethrow: Ref::function(&rethrow)?,
        base_of: Ref::function(&base_of)?,
    };
    env.set_instance_data(installed, (), |_| {})
}

/// For tests: goes through all rows of the embedded store in a folder, and says how many channels, members
/// and readers there are.
///
/// # Errors
/// Says what does not belong together.
#[cfg(feature = "broken")]
#[napi]
pub fn audit(folder: String) -> napi::Result<Vec<i64>> {
    let found = crate::embedded::audit(std::path::Path::new(&folder));
    let totals = found.map_err(napi::Error::from_reason)?;
    let counts = [totals.channels, totals.members, totals.readers];
    Ok(counts.iter().map(|&count| count.cast_signed()).collect())
}

/// For `npm run test:memory`: reads memory that was freed, to see that the checker is at work.
#[cfg(feature = "broken")]
#[napi]
pub fn use_after_free() -> u8 {
    let freed = Box::into_raw(Box::new(1));
    // SAFETY: there is none, on purpose. Nothing but that script calls it, in a process that the checker ends here.
    unsafe {
        drop(Box::from_raw(freed));
        freed.read_volatile()
    }
}
