//! Reads the arguments of the methods: JavaScript values become what the core takes, or an error that names the
//! argument. Options are read in [`super::options`].

use std::{
    collections::HashMap,
    fmt::{Arguments, Display},
};

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Array, BufferSlice, JsObjectValue as _, JsValue as _},
};

use crate::{
    binding::values::text,
    command::Member,
    error::Error,
    size_limits::{LONGEST, MOST_MEMBERS, Sizes, too_long},
};

/// The outer error is one that JavaScript threw (from a getter, say), the inner one is for a value that is not
/// accepted.
pub type Read<T> = napi::Result<Result<T, Error>>;

const TEXT: &str = "a string, number, bigint or boolean";

/// Reads a channel name or server id: a string, or a primitive with one textual form.
pub fn text(value: &Unknown, name: &str) -> Read<String> {
    let kind = value.get_type()?;
    Ok(match kind {
        ValueType::String => match text::read(value, LONGEST)? {
            Ok(bytes) => Ok(String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
            Err(length) => Err(too_long(name, length, LONGEST)),
        },
        ValueType::Number | ValueType::Boolean | ValueType::BigInt => {
            Ok(value.coerce_to_string()?.into_utf8()?.into_owned()?)
        }
        _ => Err(invalid(name, TEXT, kind)),
    })
}

/// The channels of one call: one name, or an array of them.
pub enum Names {
    /// Given as one value.
    One(String),
    /// Given as an array, which may be empty.
    Several(Vec<String>),
}

impl Names {
    /// Returns all names.
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }

    /// Returns the names if they were given as an array.
    pub fn array(&self) -> Option<Vec<String>> {
        match self {
            Self::One(_) => None,
            Self::Several(names) => Some(names.clone()),
        }
    }

    /// Refuses more keys than one call may have, on this number of frontends.
    pub fn check_keys(&self, frontends: usize) -> Result<(), Error> {
        let count = self.list().len();
        if count == 1 || count.saturating_mul(frontends) <= MOST_KEYS {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "argument name has {count} elements, for {frontends} frontends each; accepted are {MOST_KEYS} of both \
             together"
        )))
    }

    /// Refuses more members than one call may write, over all channels.
    pub fn check_members(&self, members: &Members) -> Result<(), Error> {
        let count = self.list().len();
        if count <= 1 {
            return Ok(());
        }
        // What a member takes in Redis's protocol at least.
        let bytes: usize = members.iter().map(|member| member.len() + 5).sum();
        if count.saturating_mul(bytes) <= MOST_MEMBERS {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "arguments name and uid have more than {MOST_MEMBERS} bytes of uids in all, over {count} channels; give \
             their elements in several calls"
        )))
    }
}

/// The maximum number of keys of one call. Redis up to 6.2 closes the connection at a command of more than 2^20
/// arguments.
const MOST_KEYS: usize = 1 << 19;

/// Reads the name of a channel, or an array of them.
pub fn names(value: &Unknown) -> Read<Names> {
    if !value.is_array()? {
        return Ok(text(value, "name")?.map(Names::One));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    let mut names = Vec::with_capacity(array.len().min(1024) as usize);
    for index in 0..array.len() {
        let argument = format!("name[{index}]");
        let Some(element) = array.get::<Unknown>(index)? else {
            // A hole, or `undefined`.
            return Ok(Err(invalid(argument, TEXT, ValueType::Undefined)));
        };
        match text(&element, &argument)? {
            Ok(name) => names.push(name),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(Names::Several(names)))
}

/// The uids of one call.
pub enum Members {
    /// Each in its own vector, read by Rust.
    Each(Vec<Member>),
    /// Read by JavaScript (`lib/uids.js`): one text, separated by NUL.
    Joined(String),
}

impl Members {
    /// Iterates over the uids as bytes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let (each, joined) = match self {
            Self::Each(members) => (Some(members.iter().map(Vec::as_slice)), None),
            Self::Joined(text) => (None, Some(text.split('\0').map(str::as_bytes))),
        };
        each.into_iter()
            .flatten()
            .chain(joined.into_iter().flatten())
    }
}

/// The length from which an array is read by JavaScript (`lib/uids.js`).
const LONG: u32 = 256;

/// Returns whether a value is an array of at least [`LONG`] elements.
fn is_long(value: &Unknown) -> napi::Result<bool> {
    if !value.is_array()? {
        return Ok(false);
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    Ok(array.len() >= LONG)
}

/// Reads one uid or an array of them, none longer than `sizes` allows. `read` is [`crate::binding::host::Host::uids`].
pub fn members<'env>(
    value: Unknown<'env>,
    sizes: Sizes,
    read: impl FnOnce(Unknown<'env>) -> napi::Result<Unknown<'env>>,
) -> Read<Members> {
    let each = |value| Ok(each(value, sizes)?.map(Members::Each));
    if !is_long(&value)? {
        return each(&value);
    }
    let value = read(value)?;
    if value.get_type()? != ValueType::String {
        return each(&value);
    }
    // SAFETY: its type was checked just now.
    let joined: String = unsafe { value.cast() }?;
    let joined = Members::Joined(joined);
    let check = |(index, uid)| sizes.check_member(format_args!("uid[{index}]"), uid);
    let checked = joined.iter().enumerate().try_for_each(check);
    Ok(checked.map(|()| joined))
}

fn each(value: &Unknown, sizes: Sizes) -> Read<Vec<Member>> {
    if !value.is_array()? {
        return Ok(member(value, format_args!("uid"), sizes)?.map(|member| vec![member]));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    let mut members = Vec::with_capacity(array.len().min(1024) as usize);
    let mut sum = 0;
    for index in 0..array.len() {
        let Some(element) = array.get::<Unknown>(index)? else {
            // A hole, or `undefined`.
            let name = format!("uid[{index}]");
            return Ok(Err(invalid(name, UID, ValueType::Undefined)));
        };
        match member(&element, format_args!("uid[{index}]"), sizes)? {
            Ok(member) => {
                sum += member.len();
                if let Err(error) = check_sum(sum) {
                    return Ok(Err(error));
                }
                members.push(member);
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(members))
}

/// Reads an array of `{uid, sid}`, none longer than `sizes` allows, as the uids of each sid in the order in which the sids
/// come first.
pub fn members_by_sid(value: &Unknown, sizes: Sizes) -> Read<Vec<(String, Vec<Member>)>> {
    const PAIRS: &str = "an array of {uid, sid}";
    if !value.is_array()? {
        return Ok(Err(invalid("members", PAIRS, value.get_type()?)));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    let mut groups: Vec<(String, Vec<Member>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut sum = 0;
    for index in 0..array.len() {
        let argument = format!("members[{index}]");
        let element = array.get::<Unknown>(index)?;
        let kind = element.map_or(Ok(ValueType::Undefined), |element| element.get_type())?;
        let Some(element) = element.filter(|_| kind == ValueType::Object) else {
            return Ok(Err(invalid(argument, "{uid, sid}", kind)));
        };
        let object = element.coerce_to_object()?;
        let uid: Unknown = object.get_named_property("uid")?;
        let sid: Unknown = object.get_named_property("sid")?;
        let sid = text(&sid, &format!("{argument}.sid"))?;
        let uid = member(&uid, format_args!("{argument}.uid"), sizes)?;
        let (sid, uid) = match (sid, uid) {
            (Ok(sid), Ok(uid)) => (sid, uid),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        sum += uid.len();
        if let Err(error) = check_sum(sum) {
            return Ok(Err(error));
        }
        let place = *places.entry(sid).or_insert_with_key(|sid| {
            groups.push((sid.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(uid);
    }
    Ok(Ok(groups))
}

fn check_sum(sum: usize) -> Result<(), Error> {
    if sum <= MOST_MEMBERS {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "argument uid has more than {MOST_MEMBERS} bytes in all; give its elements in several calls"
    )))
}

/// Reads one uid, which is not longer than `sizes` allows.
pub fn uid(value: &Unknown, sizes: Sizes) -> Read<Member> {
    member(value, format_args!("uid"), sizes)
}

const UID: &str = "a string, number, bigint, boolean or Buffer";

fn member(value: &Unknown, name: Arguments, sizes: Sizes) -> Read<Member> {
    let member = match value.get_type()? {
        ValueType::Object if value.is_buffer()? => return buffer(value, name, sizes),
        ValueType::String => {
            let most = sizes.member;
            let read = text::read(value, most)?;
            return Ok(read.map_err(|length| too_long(name, length, most)));
        }
        ValueType::Number | ValueType::Boolean | ValueType::BigInt => match text(value, "uid")? {
            Ok(text) => text.into_bytes(),
            Err(error) => return Ok(Err(error)),
        },
        kind => return Ok(Err(invalid(name, UID, kind))),
    };
    Ok(sizes.check_member(name, &member).map(|()| member))
}

fn invalid(name: impl Display, accepted: &str, kind: ValueType) -> Error {
    let kind = match kind {
        ValueType::Undefined => "undefined",
        ValueType::Null => "null",
        ValueType::Function => "a function",
        ValueType::Symbol => "a symbol",
        _ => "an object",
    };
    Error::InvalidArgument(format!("argument {name} is {kind}; accepted is {accepted}"))
}

/// Reads a uid given as a buffer, which is copied only if it is not too long.
fn buffer(value: &Unknown, name: Arguments, sizes: Sizes) -> Read<Member> {
    // SAFETY: the caller checked that it is a buffer; the bytes are copied before JavaScript runs again.
    let buffer: BufferSlice = unsafe { value.cast() }?;
    let checked = sizes.check_member(name, &buffer);
    Ok(checked.map(|()| buffer.to_vec()))
}

/// Makes `undefined`.
pub fn undefined(env: &Env) -> napi::Result<Unknown<'static>> {
    use napi::bindgen_prelude::{FromNapiValue as _, ToNapiValue as _};
    // SAFETY: on the JavaScript thread, with its environment.
    unsafe { Unknown::from_napi_value(env.raw(), <()>::to_napi_value(env.raw(), ())?) }
}
