//! The value of an option as the app gave it, and how errors show it: never with what may be a password.

use crate::{error::Error, redis_manager::is_harmless};

/// The number of characters of a text that an error shows.
const LONGEST_SHOWN: usize = 100;

/// The value of an option as the app gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// Not there, `undefined` or `null`.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// A plain object; its fields have names of their own (`a.b`).
    Object,
    /// A `Buffer` or another array of bytes.
    Bytes(Vec<u8>),
    /// An array; objects in it are [`Raw::Record`]s.
    List(Vec<Raw>),
    /// A plain object within an array, or one whose fields may have any names.
    Record(Vec<(String, Raw)>),
    /// A function.
    Function,
    /// Any other value: its text in errors.
    Other(String),
}

/// Returns the value of an option by its name.
pub type Source<'a> = &'a dyn Fn(&str) -> Raw;

/// Makes the error for a value that is not accepted.
pub(super) fn invalid(name: &str, value: &str, accepted: &str) -> Error {
    Error::InvalidOption(format!("option {name} is {value}; accepted is {accepted}"))
}

/// Makes the error for a text that is no host. It is shown only if it is a host with something too much: a URL in the
/// wrong place may have a password.
pub(super) fn no_host(name: &str, host: &str, accepted: &str) -> Error {
    if is_harmless(host) {
        invalid(name, &show(&Raw::Text(host.to_owned())), accepted)
    } else {
        invalid(name, "no host name (not shown)", accepted)
    }
}

/// Formats the name of a field for an error: an address with a password may be in its place.
pub(super) fn show_name(name: &str) -> String {
    if is_harmless(name) {
        show(&Raw::Text(name.to_owned()))
    } else {
        "(name not shown)".to_owned()
    }
}

/// Formats a value for an error.
pub(super) fn show(raw: &Raw) -> String {
    match raw {
        Raw::Absent => "absent".to_owned(),
        Raw::Bool(value) => value.to_string(),
        Raw::Number(value) if value.is_infinite() => if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned(),
        Raw::Number(value) => value.to_string(),
        // Not shown: a URL may contain a password.
        Raw::Text(value) if value.contains("://") => "a URL (not shown)".to_owned(),
        Raw::Text(value) if value.chars().nth(LONGEST_SHOWN).is_some() => {
            let begin: String = value.chars().take(LONGEST_SHOWN).collect();
            format!("{begin:?}… ({} bytes)", value.len())
        }
        Raw::Text(value) => format!("{value:?}"),
        Raw::Object | Raw::Record(_) => "{…}".to_owned(),
        Raw::Bytes(_) => "a Buffer".to_owned(),
        Raw::List(_) => "[…]".to_owned(),
        Raw::Function => "a function".to_owned(),
        Raw::Other(what) => what.clone(),
    }
}
