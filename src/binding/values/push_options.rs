//! Reads `opts` of a push or a removal: what the service itself takes of it. All of it reaches the push schedulers of the frontends,
//! but what is read here.

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{FromNapiValue as _, JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    binding::values::args::{self, Read},
    error::Error,
};

/// The options of a push to channels.
#[derive(Default)]
pub struct PushOptions<'env> {
    /// `exceptChannels`: channels whose members are left out.
    pub without: Vec<String>,
    /// The same as it was given, for a custom manager.
    pub except_channels: Option<Unknown<'env>>,
    /// `sids`: the only frontends that are pushed to.
    pub sids: Option<Vec<String>>,
}

/// Reads the options of a push to channels. `except` and `only` are checked here and read by `lib/recipients.js`.
pub fn read<'env>(env: &'env Env, opts: &Unknown<'env>) -> Read<PushOptions<'env>> {
    let Some(opts) = object(env, opts)? else {
        return Ok(Ok(PushOptions::default()));
    };
    if let Err(error) = check_users(&opts)? {
        return Ok(Err(error));
    }
    let except: Unknown = opts.get_named_property("exceptChannels")?;
    let is_excepting = is_given(&except)?;
    let without = if is_excepting {
        args::texts(&except, "opts.exceptChannels")?
    } else {
        Ok(Vec::new())
    };
    Ok(match (without, sids_of(&opts)?) {
        (Ok(without), Ok(sids)) => Ok(PushOptions {
            without,
            except_channels: is_excepting.then_some(except),
            sids,
        }),
        (Err(error), _) | (_, Err(error)) => Err(error),
    })
}

/// Reads `opts.sids` of a broadcast.
pub fn sids(env: &Env, opts: &Unknown) -> Read<Option<Vec<String>>> {
    match object(env, opts)? {
        Some(opts) => sids_of(&opts),
        None => Ok(Ok(None)),
    }
}

/// Reads `opts.sid`, the frontend of a push to users, and checks `except` and `only`.
pub fn sid(env: &Env, opts: &Unknown) -> Read<Option<String>> {
    let Some(opts) = object(env, opts)? else {
        return Ok(Ok(None));
    };
    if let Err(error) = check_users(&opts)? {
        return Ok(Err(error));
    }
    let sid: Unknown = opts.get_named_property("sid")?;
    if !is_given(&sid)? {
        return Ok(Ok(None));
    }
    Ok(args::text(&sid, "opts.sid")?.map(Some))
}

/// Reads `opts.everywhere` of a removal.
pub fn everywhere(env: &Env, opts: &Unknown) -> Read<bool> {
    let Some(opts) = object(env, opts)? else {
        return Ok(Ok(false));
    };
    let everywhere: Unknown = opts.get_named_property("everywhere")?;
    if !is_given(&everywhere)? {
        return Ok(Ok(false));
    }
    if everywhere.get_type()? != ValueType::Boolean {
        let words = "argument opts.everywhere is no boolean; accepted is true or false";
        return Ok(Err(Error::InvalidArgument(words.to_owned())));
    }
    Ok(Ok(everywhere.coerce_to_bool()?))
}

fn sids_of(opts: &Object) -> Read<Option<Vec<String>>> {
    let sids: Unknown = opts.get_named_property("sids")?;
    if !is_given(&sids)? {
        return Ok(Ok(None));
    }
    Ok(args::texts(&sids, "opts.sids")?.map(Some))
}

fn check_users(opts: &Object) -> Read<()> {
    for (name, shown) in [("except", "opts.except"), ("only", "opts.only")] {
        let value: Unknown = opts.get_named_property(name)?;
        if is_given(&value)?
            && let Err(error) = args::texts(&value, shown)?
        {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn object<'env>(env: &'env Env, opts: &Unknown<'env>) -> napi::Result<Option<Object<'env>>> {
    if opts.get_type()? != ValueType::Object {
        return Ok(None);
    }
    // SAFETY: an object of this environment, checked just now.
    unsafe { Object::from_napi_value(env.raw(), opts.raw()) }.map(Some)
}

fn is_given(value: &Unknown) -> napi::Result<bool> {
    Ok(!matches!(
        value.get_type()?,
        ValueType::Undefined | ValueType::Null
    ))
}
