//! Reads `opts` of a push or a removal: what the service itself takes of it. All of it reaches the push schedulers of the frontends,
//! but what is read here.

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{FromNapiValue as _, JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    binding::{
        host::Host,
        values::args::{self, Read},
    },
    error::Error,
};

/// What a push holds of its options.
pub struct Held<'env> {
    /// The options for the push schedulers.
    pub user_options: Unknown<'env>,
    /// The users who get it, or do not, for `lib/recipients.js`; `None` without options about that.
    pub selection: Option<Unknown<'env>>,
}

/// The options of a push to channels.
pub struct PushOptions<'env> {
    pub held: Held<'env>,
    /// The name of its list, if that is not the name of the channel.
    pub list: Option<Unknown<'env>>,
    /// `exceptChannels`: channels whose members are left out.
    pub without: Vec<String>,
    /// The same as it was given, for a custom manager.
    pub except_channels: Option<Unknown<'env>>,
    /// `sids`: the only frontends that are pushed to.
    pub sids: Option<Vec<String>>,
}

/// Reads the options of a push to channels of this name. `except` and `only` are read by `lib/recipients.js`, and checked
/// here.
pub fn read<'env>(
    env: &'env Env,
    host: &Host,
    given: &Unknown<'env>,
    name: &Unknown,
) -> Read<PushOptions<'env>> {
    // Nearly always none of them is given; JavaScript finds that out in less time than one property takes here.
    let own = if is_object(given)? || name.is_array()? {
        host.prepare(env, given, name)?
    } else {
        None
    };
    let Some(opts) = own else {
        return Ok(Ok(PushOptions {
            held: held(given, None)?,
            list: None,
            without: Vec::new(),
            except_channels: None,
            sids: None,
        }));
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
            held: held(given, Some(&opts))?,
            list: Some(opts.get_named_property("list")?),
            without,
            except_channels: is_excepting.then_some(except),
            sids,
        }),
        (Err(error), _) | (_, Err(error)) => Err(error),
    })
}

/// Reads the options of a broadcast: what it holds, and `opts.sids`.
pub fn sids<'env>(
    env: &'env Env,
    host: &Host,
    given: &Unknown<'env>,
) -> Read<(Held<'env>, Option<Vec<String>>)> {
    let own = own(env, host, given, true)?;
    let sids = own.as_ref().map_or(Ok(Ok(None)), sids_of)?;
    let held = held(given, own.as_ref())?;
    Ok(sids.map(|sids| (held, sids)))
}

/// Reads the options of a push to users: what it holds, and `opts.sid`, the frontend. Checks `except` and `only`.
pub fn sid<'env>(
    env: &'env Env,
    host: &Host,
    given: &Unknown<'env>,
) -> Read<(Held<'env>, Option<String>)> {
    let own = own(env, host, given, false)?;
    let held = held(given, own.as_ref())?;
    let Some(opts) = own else {
        return Ok(Ok((held, None)));
    };
    if let Err(error) = check_users(&opts)? {
        return Ok(Err(error));
    }
    let sid: Unknown = opts.get_named_property("sid")?;
    if !is_given(&sid)? {
        return Ok(Ok((held, None)));
    }
    Ok(args::text(&sid, "opts.sid")?.map(|sid| (held, Some(sid))))
}

/// Takes the service's own options of a push to users or to all sessions.
fn own(
    env: &Env,
    host: &Host,
    given: &Unknown,
    is_broadcast: bool,
) -> napi::Result<Option<Object<'static>>> {
    if is_object(given)? {
        host.prepare_own(env, given, is_broadcast)
    } else {
        Ok(None)
    }
}

/// Returns what a push holds of the options that were given, of which the service took `own`.
fn held<'env>(given: &Unknown<'env>, own: Option<&Object<'env>>) -> napi::Result<Held<'env>> {
    Ok(match own {
        Some(own) => Held {
            user_options: own.get_named_property("userOptions")?,
            selection: Some(own.get_named_property("selection")?),
        },
        None => Held {
            user_options: *given,
            selection: None,
        },
    })
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
            && let Err(error) = args::check_texts(&value, shown)?
        {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn is_object(opts: &Unknown) -> napi::Result<bool> {
    Ok(opts.get_type()? == ValueType::Object)
}

fn object<'env>(env: &'env Env, opts: &Unknown<'env>) -> napi::Result<Option<Object<'env>>> {
    if !is_object(opts)? {
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
