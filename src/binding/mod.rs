//! The only module that knows JavaScript: class `GlobalChannel` and what it needs.
//!
//! - [`class`]: the class and its methods, as JavaScript sees them; its statistics; the functions of the command
//!   line that copy a store and look into one.
//! - [`methods`]: the table of the methods that go to the store; [`tables`]: what JavaScript is told of it, and of all
//!   else that both languages know.
//! - [`service`]: what one instance is, its calls on their way to the store, its life from start to stop, and where
//!   panics end.
//! - [`answers`]: results from the runtime to the JavaScript thread, one wake for many, and how they go on to
//!   JavaScript.
//! - [`host`]: the JavaScript side (`lib/`): what only it can do, because pomelo objects are there.
//! - [`fan_out`]: sending one frame to many clients.
//! - [`values`]: values in and out.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "napi-rs ties the lifetime of values to a borrow of Env"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "napi-rs hands arguments over by value"
)]

mod answers;
mod class;
mod fan_out;
mod host;
mod methods;
mod service;
mod tables;
mod values;

use napi::{Env, bindgen_prelude::Function};
use napi_derive::napi;

use self::{
    class::attach::Installed,
    values::js::{Args, Ref},
};

/// Registers the functions of `lib/` that this environment needs: `attach` makes the JavaScript side of an instance,
/// `rethrow` throws in a later turn of the event loop, and `base_of` returns the base of relative paths. Internal:
/// `lib/globalChannel.js` calls it once.
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

/// Checks all rows of the embedded store in a folder, for tests. Returns the numbers of channels, members and readers.
///
/// # Errors
/// Says what does not belong together.
#[cfg(feature = "failpoints")]
#[napi]
pub fn audit(folder: String) -> napi::Result<Vec<i64>> {
    let found = crate::embedded::audit(std::path::Path::new(&folder));
    let totals = found.map_err(napi::Error::from_reason)?;
    let counts = [totals.channels, totals.members, totals.readers];
    Ok(counts.iter().map(|&count| count.cast_signed()).collect())
}

/// Reads memory that was freed, so that `npm run test:memory` can show that the checker works.
#[cfg(feature = "failpoints")]
#[napi]
pub fn use_after_free() -> u8 {
    let freed = Box::into_raw(Box::new(1));
    // SAFETY: there is none, on purpose. Nothing but that script calls it, in a process that the checker ends here.
    unsafe {
        drop(Box::from_raw(freed));
        freed.read_volatile()
    }
}
