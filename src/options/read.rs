//! Reads one option: checks its type and its limits, and returns an error that names the option, its value and what is
//! accepted. Which options there are is in [`super::table`].

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    kinds::{Flag, Integer, NodeRedis, Secret, Switch, Text, Time, Truthy, User, Word},
    table::{For, Row, Seen, TABLE},
};
use crate::error::{Error, Result};

/// The longest time, in milliseconds: the limit of a JavaScript timer (about 24.8 days).
const LONGEST: u64 = (1 << 31) - 1;

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

/// Reads options by their rows; each method is for one kind of value. An empty string counts as "not given", as in
/// 0.0.7.
pub(super) struct Reader<'a>(pub(super) Source<'a>);

impl Reader<'_> {
    /// Returns the value as it was given.
    pub(super) fn raw<K: ?Sized>(&self, row: &Row<K>) -> Raw {
        (self.0)(row.name)
    }

    /// Reads a string; `None` if it is not given, whatever the default.
    pub(super) fn text(&self, row: &Row<Text>) -> Result<Option<String>> {
        self.text_as(row, row.kind.0)
    }

    /// Reads a string of another kind of option; `accepted` is for the error.
    pub(super) fn text_as<K: ?Sized>(
        &self,
        row: &Row<K>,
        accepted: &str,
    ) -> Result<Option<String>> {
        match self.raw(row) {
            Raw::Absent => Ok(None),
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            other => Err(invalid(row.name, &show(&other), accepted)),
        }
    }

    /// Reads the path of a Unix socket. A URL is refused: as a file name it would appear in errors and in the log, with
    /// its password.
    pub(super) fn socket<K: ?Sized>(&self, row: &Row<K>) -> Result<Option<PathBuf>> {
        let given = self.text_as(row, "a string")?;
        let accepted = "the path of a Unix socket (a URL goes into option url)";
        match given {
            Some(path) if path.contains("://") || path.contains('\0') => {
                Err(invalid(row.name, &show(&Raw::Text(path)), accepted))
            }
            given => Ok(given.map(Into::into)),
        }
    }

    /// Reads one of a few words and returns its meaning.
    pub(super) fn word<T: Copy>(&self, row: &Row<Word<T>>) -> Result<T> {
        let Word(default, words) = row.kind;
        let quoted: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        let accepted = quoted.join(" or ");
        let Some(given) = self.text_as(row, &accepted)? else {
            return Ok(default);
        };
        match words.iter().find(|(word, _)| *word == given) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(invalid(row.name, &show(&Raw::Text(given)), &accepted)),
        }
    }

    /// Reads the name of a user; `None` if it is not given, or a function.
    pub(super) fn user(&self, row: &Row<User>) -> Result<Option<String>> {
        match self.raw(row) {
            Raw::Function => Ok(None),
            _ => self.text_as(row, "a string or a function"),
        }
    }

    /// Returns the name of an option that is a function of the app.
    pub(super) fn function<K: ?Sized>(&self, row: &Row<K>) -> Option<&'static str> {
        (self.raw(row) == Raw::Function).then_some(row.name)
    }

    /// Reads a string or a number; `None` if it is not given, or a function. Its value is in no error.
    pub(super) fn secret(&self, row: &Row<Secret>) -> Result<Option<String>> {
        match self.raw(row) {
            Raw::Absent | Raw::Bool(false) | Raw::Function => Ok(None),
            Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
            Raw::Number(number) => Ok(Some(number.to_string())),
            _ => {
                let accepted = "a string or a function";
                Err(invalid(row.name, "of another type (not shown)", accepted))
            }
        }
    }

    /// Returns the values of all secret options that are given, for removing them from the messages of a server.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secrets = TABLE.iter().filter(|row| row.seen == Seen::Secret);
        let text = |row: &&Row| match self.raw(*row) {
            Raw::Text(text) => Some(text),
            Raw::Number(number) => Some(number.to_string()),
            _ => None,
        };
        secrets.filter_map(text).collect()
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&self, row: &Row<Flag>) -> Result<bool> {
        match self.raw(row) {
            Raw::Absent => Ok(row.kind.0),
            Raw::Bool(value) => Ok(value),
            other => Err(invalid(row.name, &show(&other), "true or false")),
        }
    }

    /// Returns whether an option is on that takes `true`, `false` or an object; `None` if it is not given and has no
    /// default.
    pub(super) fn switch(&self, row: &Row<Switch>) -> Result<Option<bool>> {
        let Switch(default, forms) = row.kind;
        match self.raw(row) {
            Raw::Absent => Ok(default),
            Raw::Bool(value) => Ok(Some(value)),
            Raw::Object => Ok(Some(true)),
            // It may be a key or a password in the wrong place.
            _ if row.seen != Seen::Shown => {
                Err(invalid(row.name, "of another type (not shown)", forms))
            }
            other => Err(invalid(row.name, &show(&other), forms)),
        }
    }

    /// Returns whether JavaScript takes the value for true, as 0.0.7 did by `!!cleanOnStartUp`.
    pub(super) fn truthy(&self, row: &Row<Truthy>) -> bool {
        match self.raw(row) {
            Raw::Absent => row.kind.0,
            Raw::Bool(value) => value,
            Raw::Number(value) => value != 0.0 && !value.is_nan(),
            Raw::Text(value) => !value.is_empty(),
            Raw::Object
            | Raw::Bytes(_)
            | Raw::List(_)
            | Raw::Record(_)
            | Raw::Function
            | Raw::Other(_) => true,
        }
    }

    /// Reads an integer.
    pub(super) fn integer(&self, row: &Row<Integer>) -> Result<u64> {
        Ok(self.given(row)?.unwrap_or(row.kind.1))
    }

    /// Reads an integer; `None` if it is not given, whatever the default.
    pub(super) fn given(&self, row: &Row<Integer>) -> Result<Option<u64>> {
        integer(row.name, &self.raw(row), &row.kind.0)
    }

    /// Reads a time in milliseconds; `None` means no limit.
    pub(super) fn time(&self, row: &Row<Time>) -> Result<Option<Duration>> {
        let time = integer(row.name, &self.raw(row), &(0..=LONGEST))?.unwrap_or(row.kind.0);
        Ok((time > 0).then_some(Duration::from_millis(time)))
    }

    /// Reads a number of `node_redis`; `None` if neither it nor a default is set.
    pub(super) fn node_redis(&self, row: &Row<NodeRedis>) -> Result<Option<u64>> {
        let given = match self.raw(row) {
            Raw::Bool(false) => None,
            raw => integer(row.name, &raw, &(0..=LONGEST))?,
        };
        let is_set = |value: &u64| *value > 0;
        Ok(given.filter(is_set).or(Some(row.kind.0)).filter(is_set))
    }

    /// Refuses an option beside others that say the same thing.
    pub(super) fn excludes(&self, name: &str, others: &[&str]) -> Result<()> {
        match others.iter().find(|other| (self.0)(other) != Raw::Absent) {
            Some(other) => Err(Error::InvalidOption(format!(
                "options {name} and {other} exclude each other: give one of them"
            ))),
            None => Ok(()),
        }
    }
}

/// Refuses the options of the table that are for `stores`.
pub(super) fn foreign(read: &Reader, stores: &[For], why: &str) -> Result<()> {
    let mut rows = TABLE.iter().filter(|row| stores.contains(&row.store));
    match rows.find(|row| read.raw(**row) != Raw::Absent) {
        Some(row) => Err(Error::InvalidOption(format!(
            "option {} is for {why}",
            row.name
        ))),
        None => Ok(()),
    }
}

/// Reads an integer within `range`, given as a number or as text.
pub(super) fn integer(name: &str, raw: &Raw, range: &RangeInclusive<u64>) -> Result<Option<u64>> {
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
        Some(value) if range.contains(&value) => Ok(Some(value)),
        _ => Err(invalid(
            name,
            &show(raw),
            &format!("a whole number from {} to {}", range.start(), range.end()),
        )),
    }
}
