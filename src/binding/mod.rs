//! The only module that knows JavaScript: class `GlobalChannel` and what it needs.
//!
//! - [`class`]: the class and its methods, as JavaScript sees them; its statistics; copying and listing stores, for the
//!   command line.
//! - [`methods`]: the table of the store's methods; [`tables`]: constants that both languages share.
//! - [`service`]: one instance: its calls on their way to the store, start and stop, and catching panics.
//! - [`answers`]: results on their way from the runtime to JavaScript, with one wake for many.
//! - [`host`]: calls into the JavaScript side (`lib/`), which handles pomelo's objects.
//! - [`fan_out`]: sends one frame to many clients.
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
#[cfg_attr(not(target_os = "linux"), path = "no_readiness.rs")]
mod readiness;
mod service;
mod tables;
mod values;

use napi::{
    Env,
    bindgen_prelude::{Function, JsObjectValue as _, Object},
};
use napi_derive::napi;

use self::values::js::{Args, Installed, Ref, Registered};

/// Registers the function that makes errors. Internal: `lib/native.js` calls it when it has loaded the addon.
#[napi(catch_unwind)]
pub fn install_errors(env: Env, make_error: Function<Args>) -> napi::Result<()> {
    let make_error = Some(Ref::function(&make_error)?);
    Registered::update(&env, |registered| registered.make_error = make_error)
}

/// Registers the functions of `lib/` that this environment needs, by the names of the fields of [`Installed`].
/// Internal: `lib/globalChannel.js` calls it once.
#[napi(catch_unwind)]
pub fn install(env: Env, functions: Object) -> napi::Result<()> {
    let function = |name| Ref::function(&functions.get_named_property::<Function<Args>>(name)?);
    let installed = Installed {
        attach: function("attach")?,
        rethrow: function("rethrow")?,
        base_of: function("baseOf")?,
        instance_of: function("instanceOf")?,
        read_object: function("readObject")?,
        read_uids: function("readUids")?,
        read_pairs: function("readPairs")?,
    };
    Registered::update(&env, |registered| registered.install(installed))
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
