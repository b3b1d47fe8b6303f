//! Arguments and options: JavaScript values to what the core understands, or an error that names
//! the argument.

use std::{
    collections::HashMap,
    fmt::{Arguments, Display},
};

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Array, BufferSlice, JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    binding::values::text,
    command::Member,
    error::Error,
    options::{NAMES, Raw},
    size_limits::{LONGEST, MOST_MEMBERS, Sizes, too_long},
};

/// More than any list in the options has.
const LONGEST_LIST: u32 = 1024;

/// The outer result is JavaScript's (a getter that throws), the inner one ours.
type Read<T> = napi::Result<Result<T, Error>>;

/// A channel name or server id: text, or what JavaScript writes as text without guessing.
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
        _ => Err(invalid(name, "a string, number, bigint or boolean", kind)),
    })
}

/// The uids of one call.
pub enum Members {
    /// Read here.
    Each(Vec<Member>),
    /// Read by JavaScript: one after the other, divided by NUL.
    Joined(String),
}

impl Members {
    /// One after the other.
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

/// An array of more elements is better read by JavaScript (`lib/uids.js`).
const LONG: u32 = 256;

/// Whether it is an array, and a long one.
fn is_long(value: &Unknown) -> napi::Result<bool> {
    if !value.is_array()? {
        return Ok(false);
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    Ok(array.len() >= LONG)
}

/// One uid or an array of them, none of them longer than a store takes. `read` is [`crate::binding::host::Host::uids`].
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

fn check_sum(sum: usize) -> Result<(), Error> {
    if sum <= MOST_MEMBERS {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "argument uid has more than {MOST_MEMBERS} bytes in all; give its elements in several calls"
    )))
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

/// The options object, or none.
pub fn options<'env>(value: &Unknown<'env>) -> Read<Option<Object<'env>>> {
    Ok(match value.get_type()? {
        ValueType::Undefined | ValueType::Null => Ok(None),
        // SAFETY: its type was checked just now.
        ValueType::Object => Ok(Some(unsafe { value.cast() }?)),
        _ => Err(Error::InvalidOption(
            "the options must be an object".to_owned(),
        )),
    })
}

/// What an options object holds.
#[derive(Default)]
pub struct Given {
    /// The values of all options that are known.
    pub known: HashMap<&'static str, Raw>,
    /// The names of those that nobody knows.
    pub unknown: Vec<String>,
}

/// Reads an options object, each option once.
pub fn given(options: &Object) -> napi::Result<Given> {
    let mut known = HashMap::new();
    let mut unknown = Object::keys(options)?;
    for name in NAMES.iter().filter(|name| !name.contains('.')) {
        let value: Unknown = options.get_named_property(name)?;
        let shape = raw(&value)?;
        let inner = NAMES
            .iter()
            .filter_map(|n| Some((n, n.strip_prefix(name)?.strip_prefix('.')?)));
        if shape == Raw::Object && inner.clone().next().is_some() {
            // SAFETY: `raw` found it to be an object.
            let object: Object = unsafe { value.cast() }?;
            for (full, key) in inner {
                known.insert(*full, raw(&object.get_named_property::<Unknown>(key)?)?);
            }
            unknown.extend(
                Object::keys(&object)?
                    .iter()
                    .map(|key| format!("{name}.{key}")),
            );
        }
        known.insert(*name, shape);
    }
    unknown.retain(|name| !known.contains_key(name.as_str()));
    Ok(Given { known, unknown })
}

fn raw(value: &Unknown) -> napi::Result<Raw> {
    Ok(match value.get_type()? {
        ValueType::Undefined | ValueType::Null => Raw::Absent,
        // SAFETY: its type was checked just now.
        ValueType::Boolean => Raw::Bool(unsafe { value.cast() }?),
        // SAFETY: the same.
        ValueType::Number => Raw::Number(unsafe { value.cast() }?),
        // SAFETY: the same.
        ValueType::String => Raw::Text(unsafe { value.cast() }?),
        ValueType::Function => Raw::Other("a function".to_owned()),
        ValueType::Symbol => {
            let text: Option<String> = value.coerce_to_object()?.get("description")?;
            Raw::Other(format!("Symbol({})", text.unwrap_or_default()))
        }
        ValueType::BigInt => Raw::Text(text(value, "")?.unwrap_or_default()),
        _ if value.is_array()? => list(value)?,
        _ if value.is_buffer()? => Raw::Bytes(bytes(value)?),
        _ => Raw::Object,
    })
}

/// An array in the options, one level deep.
fn list(value: &Unknown) -> napi::Result<Raw> {
    // SAFETY: the caller checked that it is an array.
    let array: Array = unsafe { value.cast() }?;
    if array.len() > LONGEST_LIST {
        return Ok(Raw::Other(format!("an array of {}", array.len())));
    }
    let mut items = Vec::new();
    for index in 0..array.len() {
        let Some(item) = array.get::<Unknown>(index)? else {
            items.push(Raw::Absent);
            continue;
        };
        items.push(match item.get_type()? {
            ValueType::Object if item.is_array()? => Raw::Other("[…]".to_owned()),
            ValueType::Object if !item.is_buffer()? => record(&item)?,
            _ => raw(&item)?,
        });
    }
    Ok(Raw::List(items))
}

fn record(value: &Unknown) -> napi::Result<Raw> {
    // SAFETY: the caller checked its type.
    let object: Object = unsafe { value.cast() }?;
    let mut fields = Vec::new();
    for name in Object::keys(&object)? {
        let field: Unknown = object.get_named_property(&name)?;
        let field = match field.get_type()? {
            // Nobody looks deeper; it may hold itself.
            ValueType::Object if !field.is_buffer()? => Raw::Other("{…}".to_owned()),
            _ => raw(&field)?,
        };
        fields.push((name, field));
    }
    Ok(Raw::Record(fields))
}

/// A uid in bytes, which are copied only if they are not too many.
fn buffer(value: &Unknown, name: Arguments, sizes: Sizes) -> Read<Member> {
    // SAFETY: the caller checked that it is a buffer; the bytes are copied before JavaScript runs again.
    let buffer: BufferSlice = unsafe { value.cast() }?;
    let checked = sizes.check_member(name, &buffer);
    Ok(checked.map(|()| buffer.to_vec()))
}

fn bytes(value: &Unknown) -> napi::Result<Vec<u8>> {
    // SAFETY: the caller checked that it is a buffer; the bytes are copied before JavaScript runs again.
    let buffer: BufferSlice = unsafe { value.cast() }?;
    Ok(buffer.to_vec())
}

/// `undefined`, as a value.
pub fn undefined(env: &Env) -> napi::Result<Unknown<'static>> {
    use napi::bindgen_prelude::{FromNapiValue as _, ToNapiValue as _};
    // SAFETY: on the JavaScript thread, with its environment.
    unsafe { Unknown::from_napi_value(env.raw(), <()>::to_napi_value(env.raw(), ())?) }
}
