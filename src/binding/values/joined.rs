//! Texts that JavaScript has joined (`lib/uids.js`, `lib/pairs.js`): Node-API takes some calls for each element of an array, and
//! few for one long string.

use memchr::memchr_iter;
use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Array, Function},
};

use super::{
    js::{Args, Ref},
    thrown,
};

/// What JavaScript has made of an array.
pub(super) enum Made {
    /// Its texts, with a NUL between two of them.
    Joined(String),
    /// A copy, of which each property was read once: a text has a NUL itself, or something is none.
    Copy(Array<'static>),
}

/// Has a function of `lib/` join the texts of an array. It returns `[text, NULs, copy]`: the texts if they can be joined, how
/// many NULs that takes, and a function that makes the copy. More NULs than these are those of a text.
pub(super) fn join(env: &Env, function: &Ref, args: Args) -> napi::Result<Made> {
    let made = function.call(env, args)?;
    // SAFETY: the functions of `lib/` return an array.
    let made: Array = unsafe { made.cast() }?;
    let element = |index| thrown::element(&made, index);
    if let (Some(text), Some(nuls)) = (element(0)?, element(1)?)
        && text.get_type()? == ValueType::String
    {
        // SAFETY: its type was checked just now.
        let text: String = unsafe { text.cast() }?;
        // SAFETY: the functions of `lib/` count in a number.
        let nuls: u32 = unsafe { nuls.cast() }?;
        if memchr_iter(0, text.as_bytes()).count() == nuls as usize {
            return Ok(Made::Joined(text));
        }
    }
    let copy = element(2)?.ok_or_else(|| napi::Error::from_reason("no copy"))?;
    // SAFETY: the functions of `lib/` return a function here.
    let copy: Function<Args, Unknown<'static>> = unsafe { copy.cast() }?;
    let copy = thrown::call(env, &copy, Args::new())?;
    // SAFETY: a copy of an array is one.
    Ok(Made::Copy(unsafe { copy.cast() }?))
}

/// Splits what was joined.
pub(super) fn split(joined: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = joined.as_bytes();
    let mut begin = 0;
    memchr_iter(0, bytes)
        .chain([bytes.len()])
        .map(move |end| &bytes[std::mem::replace(&mut begin, end + 1)..end])
}
