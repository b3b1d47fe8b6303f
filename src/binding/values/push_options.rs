//! Reads `opts` of a push or a removal: what the service itself takes of it. All of it reaches the push schedulers of
//! the frontends, but what is read here.

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{FromNapiValue as _, JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    binding::{
        host::Host,
        values::{
            args::{self, Read},
            thrown,
        },
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

/// What a push to channels holds of its options.
pub enum HeldHere<'env> {
    /// These, and the name of its list, if that is not the name of the channel.
    Values(Held<'env>, Option<Unknown<'env>>),
    /// What `lib/recipients.js` has prepared, which stays there until the push is held.
    Prepared,
}

/// The options of a push to channels.
pub struct PushOptions<'env> {
    pub held: HeldHere<'env>,
    /// The names of the channels with NULs between them, if JavaScript has read them.
    pub names: Option<String>,
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
    (name, is_array): (&Unknown<'env>, bool),
) -> Read<PushOptions<'env>> {
    let simple = |held, names| PushOptions {
        held,
        names,
        without: Vec::new(),
        except_channels: None,
        sids: None,
    };
    // Nearly always none of them is given; JavaScript finds that out in less time than one property takes here.
    let own = if is_array || is_object(given)? {
        host.prepare(env, given, name)?
    } else {
        args::undefined(env)?
    };
    let opts = match own.get_type()? {
        ValueType::Undefined => {
            let held = HeldHere::Values(held(given, None)?, None);
            return Ok(Ok(simple(held, None)));
        }
        ValueType::String => {
            let names = args::text(&own, "name")?;
            return Ok(names.map(|names| simple(HeldHere::Prepared, Some(names))));
        }
        _ => Own::new(own.coerce_to_object()?)?,
    };
    if let Err(error) = check_users(&opts)? {
        return Ok(Err(error));
    }
    let except_channels = opts.given(Own::EXCEPT_CHANNELS)?;
    let without = match &except_channels {
        Some(channels) => args::texts(channels, "opts.exceptChannels")?,
        None => Ok(Vec::new()),
    };
    Ok(match (without, sids_of(&opts)?) {
        (Ok(without), Ok(sids)) => Ok(PushOptions {
            held: HeldHere::Values(held(given, Some(&opts))?, Some(opts.get(Own::LIST)?)),
            names: None,
            without,
            except_channels,
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
    let Some(sid) = opts.given(Own::SIDS)? else {
        return Ok(Ok((held, None)));
    };
    Ok(args::text(&sid, "opts.sid")?.map(|sid| (held, Some(sid))))
}

/// Takes the service's own options of a push to users or to all sessions.
fn own(env: &Env, host: &Host, given: &Unknown, is_broadcast: bool) -> napi::Result<Option<Own>> {
    if !is_object(given)? {
        return Ok(None);
    }
    let own = host.prepare_own(env, given, is_broadcast)?;
    own.map(Own::new).transpose()
}

/// The service's own options of a push: an array of `lib/recipients.js`, which has the last ones only if they are to be read.
struct Own {
    array: Object<'static>,
    len: u32,
}

impl Own {
    const USER_OPTIONS: u32 = 0;
    const SELECTION: u32 = 1;
    const LIST: u32 = 2;
    /// `sids`, or `sid` of a push to users.
    const SIDS: u32 = 3;
    const EXCEPT_CHANNELS: u32 = 4;
    /// `except` and `only`, if JavaScript could not check them.
    const USERS: [(u32, &str); 2] = [(5, "opts.except"), (6, "opts.only")];

    fn new(array: Object<'static>) -> napi::Result<Self> {
        let len = array.get_array_length()?;
        Ok(Self { array, len })
    }

    fn get(&self, index: u32) -> napi::Result<Unknown<'static>> {
        self.array.get_element(index)
    }

    /// Returns an option, if it is given.
    fn given(&self, index: u32) -> napi::Result<Option<Unknown<'static>>> {
        if index >= self.len {
            return Ok(None);
        }
        let value = self.get(index)?;
        Ok(is_given(&value)?.then_some(value))
    }
}

/// Returns what a push holds of the options that were given, of which the service took `own`.
fn held<'env>(given: &Unknown<'env>, own: Option<&Own>) -> napi::Result<Held<'env>> {
    Ok(match own {
        Some(own) => Held {
            user_options: own.get(Own::USER_OPTIONS)?,
            selection: Some(own.get(Own::SELECTION)?),
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
    let everywhere = thrown::property(&opts, "everywhere")?;
    if !is_given(&everywhere)? {
        return Ok(Ok(false));
    }
    if everywhere.get_type()? != ValueType::Boolean {
        let words = "argument opts.everywhere is no boolean; accepted is true or false";
        return Ok(Err(Error::InvalidArgument(words.to_owned())));
    }
    Ok(Ok(everywhere.coerce_to_bool()?))
}

fn sids_of(opts: &Own) -> Read<Option<Vec<String>>> {
    match opts.given(Own::SIDS)? {
        Some(sids) => Ok(args::texts(&sids, "opts.sids")?.map(Some)),
        None => Ok(Ok(None)),
    }
}

fn check_users(opts: &Own) -> Read<()> {
    for (index, name) in Own::USERS {
        if let Some(value) = opts.given(index)?
            && let Err(error) = args::check_texts(&value, name)?
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
