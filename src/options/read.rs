//! Reading one option: its type and its limits, and an error that names the option, its value and
//! what is accepted. Which options there are is in [`super`].

use std::{path::PathBuf, time::Duration};

use crate::error::{Error, Result};

/// The longest time that can be given: what a JavaScript timer takes (about 24.8 days).
const LONGEST: u64 = (1 << 31) - 1;

/// How many characters of a text an error shows.
const LONGEST_SHOWN: usize = 100;

/// A value as it was given.
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
    /// A plain object; what is in it has names of its own.
    Object,
    /// A `Buffer` or another array of bytes.
    Bytes(Vec<u8>),
    /// An array; objects in it are [`Raw::Record`]s.
    List(Vec<Raw>),
    /// A plain object within an array.
    Record(Vec<(String, Raw)>),
    /// Anything else: how to show it in an error.
    Other(String),
}

/// Gives the value of an option by its name.
pub type Source<'a> = &'a dyn Fn(&str) -> Raw;

pub(super) fn invalid(name: &str, value: &str, accepted: &str) -> Error {
    Error::InvalidOption(format!("option {name} is {value}; accepted is {accepted}"))
}

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
        // Not shown: in the wrong place it may hold a password.
        Raw::Text(value) if value.contains("://") => "a URL (not shown)".to_owned(),
        Raw::Text(value) if value.chars().nth(LONGEST_SHOWN).is_some() => {
            let begin: String = value.chars().take(LONGEST_SHOWN).collect();
            format!("{begin:?}… ({} bytes)", value.len())
        }
        Raw::Text(value) => format!("{value:?}"),
        Raw::Object | Raw::Record(_) => "{…}".to_owned(),
        Raw::Bytes(_) => "a Buffer".to_owned(),
        Raw::List(_) => "[…]".to_owned(),
        Raw::Other(what) => what.clone(),
    }
}

/// Reads options by name; each method is one kind of value.
pub(super) struct Reader<'a>(pub(super) Source<'a>);

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        self.text_as(name, "a string")
    }

    pub(super) fn text_as(&self, name: &str, accepted: &str) -> Result<Option<String>> {
        match (self.0)(name) {
            Raw::Absent => Ok(None),
            // 0.0.7 took an empty string for "not given" everywhere.
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            other => Err(invalid(name, &show(&other), accepted)),
        }
    }

    /// The path of a Unix socket. A URL in its place would be a file name in every error and in the log, with its
    /// password.
    pub(super) fn socket(&self, name: &str) -> Result<Option<PathBuf>> {
        let given = self.text(name)?;
        let accepted = "the path of a Unix socket (a URL goes into option url)";
        match given {
            Some(path) if path.contains("://") || path.contains('\0') => {
                Err(invalid(name, &show(&Raw::Text(path)), accepted))
            }
            given => Ok(given.map(Into::into)),
        }
    }

    /// One of a few words, and what it stands for.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let quoted: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        let accepted = quoted.join(" or ");
        let Some(given) = self.text_as(name, &accepted)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == given) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(invalid(name, &show(&Raw::Text(given)), &accepted)),
        }
    }

    /// Like text (a password of digits may come as a number from a config file), but its value is
    /// never shown.
    pub(super) fn secret(&self, name: &str) -> Result<Option<String>> {
        match (self.0)(name) {
            Raw::Absent | Raw::Bool(false) => Ok(None),
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            Raw::Number(number) => Ok(Some(number.to_string())),
            _ => Err(invalid(name, "of another type (not shown)", "a string")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match (self.0)(name) {
            Raw::Absent => Ok(None),
            Raw::Bool(value) => Ok(Some(value)),
            other => Err(invalid(name, &show(&other), "true or false")),
        }
    }

    /// 0.0.7 tested `!!cleanOnStartUp`.
    pub(super) fn truthy(&self, name: &str) -> bool {
        match (self.0)(name) {
            Raw::Absent => false,
            Raw::Bool(value) => value,
            Raw::Number(value) => value != 0.0 && !value.is_nan(),
            Raw::Text(value) => !value.is_empty(),
            Raw::Object | Raw::Bytes(_) | Raw::List(_) | Raw::Record(_) | Raw::Other(_) => true,
        }
    }

    pub(super) fn integer(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>> {
        integer(name, &(self.0)(name), least, most)
    }

    /// Milliseconds; 0 = no limit.
    pub(super) fn time(&self, name: &str, default: Duration) -> Result<Option<Duration>> {
        let time = self
            .integer(name, 0, LONGEST)?
            .map_or(default, Duration::from_millis);
        Ok((!time.is_zero()).then_some(time))
    }

    /// A number of `node_redis`, where 0 and `false` mean "not set".
    pub(super) fn node_redis(&self, name: &str) -> Result<Option<u64>> {
        if (self.0)(name) == Raw::Bool(false) {
            return Ok(None);
        }
        Ok(self.integer(name, 0, LONGEST)?.filter(|&value| value != 0))
    }

    pub(super) fn excludes(&self, name: &str, others: &[&str]) -> Result<()> {
        match others.iter().find(|other| (self.0)(other) != Raw::Absent) {
            Some(other) => Err(Error::InvalidOption(format!(
                "options {name} and {other} exclude each other: give one of them"
            ))),
            None => Ok(()),
        }
    }
}

/// Refuses what belongs to something else than what was chosen.
pub(super) fn foreign(read: &Reader, names: &[&str], why: &str) -> Result<()> {
    match names.iter().find(|name| (read.0)(name) != Raw::Absent) {
        Some(name) => Err(Error::InvalidOption(format!("option {name} is for {why}"))),
        None => Ok(()),
    }
}

pub(super) fn integer(name: &str, raw: &Raw, least: u64, most: u64) -> Result<Option<u64>> {
    let value = match raw {
        Raw::Absent => return Ok(None),
        Raw::Text(text) if text.is_empty() => return Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "guarded: a whole number between 0 and 2^53"
        )]
        Raw::Number(n) if n.fract() == 0.0 && (0.0..9e15).contains(n) => Some(*n as u64),
        Raw::Text(text) => text.parse().ok(),
        _ => None,
    };
    match value {
        Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
        _ => Err(invalid(
            name,
            &show(raw),
            &format!("a whole number from {least} to {most}"),
        )),
    }
}
