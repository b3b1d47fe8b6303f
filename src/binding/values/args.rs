//! Reads the arguments of the methods: JavaScript values become what the core takes, or an error that names the
//! argument. The text of one id is read in [`super::ids`], options in [`super::options`], users of several frontends in
//! [`super::pairs`].

use std::fmt::{Arguments, Display};

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Array, JsValue as _},
};

use super::{
    ids::{ID, UID, buffer, check_string, invalid, object, primitive, string},
    joined::{self, Made, split},
    js::{Args, Installed},
    text, thrown,
};
use crate::{
    command::{Member, Texts},
    error::Error,
    size_limits::{MOST_MEMBERS, Sizes, too_long},
};

/// The outer error is one that JavaScript threw (from a getter, say), the inner one is for a value that is not
/// accepted.
pub type Read<T> = napi::Result<Result<T, Error>>;

/// Reads a channel name, server id or server type: a string, a primitive with one textual form, or an object with a
/// text of its own.
pub fn text(value: &Unknown, name: impl Display) -> Read<String> {
    Ok(match value.get_type()? {
        ValueType::String => string(value, name)?,
        ValueType::Object => match object(value, &name, ID)? {
            Ok(text) => string(&text, &name)?,
            Err(error) => Err(error),
        },
        ValueType::Number | ValueType::Boolean | ValueType::BigInt => {
            primitive(value, format_args!("{name}"), ID)?
        }
        kind => Err(invalid(name, ID, kind)),
    })
}

/// Reads an array of names, server ids or uids, or a single one.
pub fn texts(value: &Unknown, name: &str) -> Read<Vec<String>> {
    if !value.is_array()? {
        return Ok(text(value, name)?.map(|text| vec![text]));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    let mut texts = Vec::with_capacity(array.len().min(1024) as usize);
    for index in 0..array.len() {
        match element(&array, index, name, |value, name| string(value, name))? {
            Ok(text) => texts.push(text),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(texts))
}

/// Checks what [`texts`] would read; of a string it takes the length only.
pub fn check_texts(value: &Unknown, name: &str) -> Read<()> {
    if !value.is_array()? {
        return Ok(text(value, name)?.map(drop));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    for index in 0..array.len() {
        if let Err(error) = element(&array, index, name, check_string)? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Reads an element of an array; a string by `string`.
fn element(
    array: &Array,
    index: u32,
    name: &str,
    string: impl Fn(&Unknown, Arguments) -> Read<String>,
) -> Read<String> {
    let name = format_args!("{name}[{index}]");
    let Some(element) = thrown::element(array, index)? else {
        return Ok(Err(invalid(name, ID, ValueType::Undefined)));
    };
    if element.get_type()? == ValueType::String {
        return string(&element, name);
    }
    text(&element, name)
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
        check_keys(self.list().len(), frontends)
    }

    /// Refuses more members than one call may write, over all channels.
    pub fn check_members(&self, members: &Texts) -> Result<(), Error> {
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

/// Refuses more keys than one call may have: those of `count` channels on each frontend.
pub fn check_keys(count: usize, frontends: usize) -> Result<(), Error> {
    if count == 1 || count.saturating_mul(frontends) <= MOST_KEYS {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "argument name has {count} elements, for {frontends} frontends each; accepted are {MOST_KEYS} of both together"
    )))
}

/// Reads the name of a channel, or an array of them.
pub fn names(value: &Unknown, name: &str) -> Read<Names> {
    if value.is_array()? {
        return Ok(texts(value, name)?.map(Names::Several));
    }
    Ok(text(value, name)?.map(Names::One))
}

/// The length from which an array is read by JavaScript (`lib/uids.js`).
const LONG: u32 = 256;

/// Reads one uid or an array of them, none longer than `sizes` allows.
pub fn members(value: &Unknown, sizes: Sizes) -> Read<Texts> {
    if !value.is_array()? {
        let read = member(value, format_args!("uid"), sizes)?;
        return Ok(read.map(|member| Texts::from_iter([member])));
    }
    // SAFETY: it is an array, checked just now.
    let array: Array = unsafe { value.cast() }?;
    let count = array.len();
    if count < LONG {
        return each(&array, sizes);
    }
    let env = Env::from_raw(value.value().env);
    let args = Args::new().with(&env, *value)?;
    let joined = match joined::join(&env, &Installed::of(&env)?.read_uids, args)? {
        Made::Joined(joined) => joined,
        Made::Copy(copy) => return each(&copy, sizes),
    };
    let mut members = Texts::with_capacity(count as usize, joined.len());
    for (index, uid) in split(&joined).enumerate() {
        if let Err(error) = sizes.check_member(format_args!("uid[{index}]"), uid) {
            return Ok(Err(error));
        }
        members.push(uid);
    }
    Ok(Ok(members))
}

fn each(array: &Array, sizes: Sizes) -> Read<Texts> {
    let mut members = Texts::default();
    let mut sum = 0;
    for index in 0..array.len() {
        let Some(element) = thrown::element(array, index)? else {
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
                members.push(&member);
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(members))
}

pub(super) fn check_sum(sum: usize) -> Result<(), Error> {
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

pub(super) fn member(value: &Unknown, name: Arguments, sizes: Sizes) -> Read<Member> {
    let string = |value: &Unknown| -> Read<Member> {
        let read = text::read(value, sizes.member)?;
        Ok(read.map_err(|length| too_long(name, length, sizes.member)))
    };
    match value.get_type()? {
        ValueType::Object if value.is_buffer()? => buffer(value, name, sizes),
        ValueType::String => string(value),
        ValueType::Object => match object(value, name, UID)? {
            Ok(text) => string(&text),
            Err(error) => Ok(Err(error)),
        },
        ValueType::Number | ValueType::Boolean | ValueType::BigInt => {
            let text = primitive(value, name, UID)?;
            Ok(text.map(String::into_bytes).and_then(|member| {
                sizes.check_member(name, &member)?;
                Ok(member)
            }))
        }
        kind => Ok(Err(invalid(name, UID, kind))),
    }
}

/// Makes the error for a function in the place of the argument `name`, where no callback was given.
pub fn misplaced_function(name: &str) -> Error {
    let hint = "it is taken for the callback, so an argument is missing";
    Error::InvalidArgument(format!("argument {name} is a function; {hint}"))
}

/// Makes `undefined`.
pub fn undefined(env: &Env) -> napi::Result<Unknown<'static>> {
    use napi::bindgen_prelude::{FromNapiValue as _, ToNapiValue as _};
    // SAFETY: on the JavaScript thread, with its environment.
    unsafe { Unknown::from_napi_value(env.raw(), <()>::to_napi_value(env.raw(), ())?) }
}
