//! Reads one option: checks its type and its limits, and returns an error that names the option, its value and what is
//! accepted. Which options there are is in [`super::table`].

use std::{iter::once, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    kinds::{Flag, Integer, Kind, NodeRedis, Secret, Switch, Text, Time, Truthy, User, Word},
    raw::{Raw, Source, invalid, show},
    table::{For, Row, Seen, TABLE},
};
use crate::{
    error::{Error, Result},
    redis_manager::socket_path,
};

/// The longest time, in milliseconds: the limit of a JavaScript timer (about 24.8 days).
const LONGEST: u64 = (1 << 31) - 1;

/// Returns the boolean that a value is or, as a text of a configuration file or of the environment, says.
pub(super) fn boolean(raw: &Raw) -> Option<bool> {
    match raw {
        Raw::Bool(value) => Some(*value),
        Raw::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Reads options by their rows; each method is for one kind of value.
pub(super) struct Reader<'a>(pub(super) Source<'a>);

impl Reader<'_> {
    /// Returns the name under which an option is given, its own or that of another client, and its value;
    /// [`Raw::Absent`] for any value that means "not given".
    pub(super) fn find<K: Kind + ?Sized>(&self, row: &Row<K>) -> (&'static str, Raw) {
        let names = once(row.name).chain(aliases(row.name));
        let mut given = names.map(|name| (name, (self.0)(name)));
        let found = given.find(|(_, raw)| !row.kind.is_unset(raw));
        found.unwrap_or((row.name, Raw::Absent))
    }

    /// Returns the value of an option as [`Self::find`] does.
    pub(super) fn raw<K: Kind + ?Sized>(&self, row: &Row<K>) -> Raw {
        self.find(row).1
    }

    /// Refuses two names of one option with different values.
    pub(super) fn check_aliases(&self) -> Result<()> {
        for alias in TABLE {
            let Some(name) = alias.kind.stands_for() else {
                continue;
            };
            let (one, other) = ((self.0)(name), (self.0)(alias.name));
            let mut rows = TABLE.iter();
            let row = rows.find(|row| row.name == name);
            let is_unset = |raw| row.is_none_or(|row| row.kind.is_unset(raw));
            if !is_unset(&one) && !is_unset(&other) && !says_the_same(&one, &other) {
                return Err(Error::InvalidOption(format!(
                    "options {name} and {} differ: give one of them",
                    alias.name
                )));
            }
        }
        Ok(())
    }

    /// Reads a string; `None` if it is not given, whatever the default.
    pub(super) fn text(&self, row: &Row<Text>) -> Result<Option<String>> {
        self.text_as(row, row.kind.0)
    }

    /// Reads a string of another kind of option; `accepted` is for the error.
    pub(super) fn text_as<K: Kind + ?Sized>(
        &self,
        row: &Row<K>,
        accepted: &str,
    ) -> Result<Option<String>> {
        match self.find(row) {
            (_, Raw::Absent) => Ok(None),
            (_, Raw::Text(text)) => Ok(Some(text)),
            (name, other) => Err(invalid(name, &show(&other), accepted)),
        }
    }

    /// Reads the path of a Unix socket. A URL is refused: as a file name it would appear in errors and in the log, with
    /// its password.
    pub(super) fn socket<K: Kind + ?Sized>(&self, row: &Row<K>) -> Result<Option<PathBuf>> {
        let given = self.text_as(row, "a string")?;
        let fault = |path: &str, accepted| {
            let shown = show(&Raw::Text(path.to_owned()));
            invalid(self.find(row).0, &shown, accepted)
        };
        let path = given.map(|path| socket_path(&path).map_err(|accepted| fault(&path, accepted)));
        path.transpose()
    }

    /// Reads one of a few words and returns its meaning.
    pub(super) fn word<T: Copy>(&self, row: &Row<Word<T>>) -> Result<T>
    where
        Word<T>: Kind,
    {
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

    /// Returns the name by which an option is given that is a function of the app.
    pub(super) fn function<K: Kind + ?Sized>(&self, row: &Row<K>) -> Option<&'static str> {
        let (name, raw) = self.find(row);
        (raw == Raw::Function).then_some(name)
    }

    /// Reads a string or a number; `None` if it is not given, or a function. Its value is in no error.
    pub(super) fn secret(&self, row: &Row<Secret>) -> Result<Option<String>> {
        match self.find(row) {
            (_, Raw::Absent | Raw::Function) => Ok(None),
            (_, Raw::Text(text)) => Ok(Some(text)),
            (_, Raw::Number(number)) => Ok(Some(number.to_string())),
            (name, _) => {
                let accepted = "a string or a function";
                Err(invalid(name, "of another type (not shown)", accepted))
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
        let (name, raw) = self.find(row);
        match (boolean(&raw), raw) {
            (Some(value), _) => Ok(value),
            (None, Raw::Absent) => Ok(row.kind.0),
            (None, other) => Err(invalid(name, &show(&other), "true or false")),
        }
    }

    /// Returns whether an option is on that takes `true`, `false` or an object; `None` if it is not given and has no
    /// default.
    pub(super) fn switch(&self, row: &Row<Switch>) -> Result<Option<bool>> {
        let Switch(default, mut forms) = row.kind;
        let (name, raw) = self.find(row);
        // A field of an object has no fields of its own.
        let is_field = name.contains('.');
        if is_field {
            forms = "true or false (ca, cert and the others stand beside it)";
        }
        match (boolean(&raw), raw) {
            (Some(value), _) => Ok(Some(value)),
            (None, Raw::Absent) => Ok(default),
            (None, Raw::Object) if !is_field => Ok(Some(true)),
            // It may be a key or a password in the wrong place.
            _ if row.seen != Seen::Shown => {
                Err(invalid(name, "of another type (not shown)", forms))
            }
            (None, other) => Err(invalid(name, &show(&other), forms)),
        }
    }

    /// Returns whether the value says or, for any other than the text of a boolean, is true for JavaScript, as in
    /// 0.0.7 with its `!!cleanOnStartUp`.
    pub(super) fn truthy(&self, row: &Row<Truthy>) -> bool {
        let raw = self.raw(row);
        if let Some(value) = boolean(&raw) {
            return value;
        }
        match raw {
            Raw::Absent => row.kind.0,
            Raw::Bool(value) => value,
            Raw::Number(value) => value != 0.0 && !value.is_nan(),
            Raw::Text(text) => !matches!(text.trim().to_ascii_lowercase().as_str(), "no" | "off"),
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
        let (name, raw) = self.find(row);
        integer(name, &raw, &row.kind.0)
    }

    /// Reads a time in milliseconds; `None` means no limit.
    pub(super) fn time(&self, row: &Row<Time>) -> Result<Option<Duration>> {
        let (name, raw) = self.find(row);
        let time = integer(name, &raw, &(0..=LONGEST))?.unwrap_or(row.kind.0);
        Ok((time > 0).then_some(Duration::from_millis(time)))
    }

    /// Reads a number of `node_redis`; `None` if neither it nor a default is set.
    pub(super) fn node_redis(&self, row: &Row<NodeRedis>) -> Result<Option<u64>> {
        let (name, raw) = self.find(row);
        let given = integer(name, &raw, &(0..=LONGEST))?;
        let is_set = |value: &u64| *value > 0;
        Ok(given.filter(is_set).or(Some(row.kind.0)).filter(is_set))
    }

    /// Refuses an option beside others that say the same thing.
    pub(super) fn excludes(&self, name: &str, others: &[&Row]) -> Result<()> {
        let mut others = others.iter().map(|other| self.find(*other));
        match others.find(|(_, raw)| *raw != Raw::Absent) {
            Some((other, _)) => Err(Error::InvalidOption(format!(
                "options {name} and {other} exclude each other: give one of them"
            ))),
            None => Ok(()),
        }
    }
}

/// Refuses the options of the table that are for `stores`.
pub(super) fn foreign(read: &Reader, stores: &[For], why: &str) -> Result<()> {
    for row in TABLE.iter().filter(|row| stores.contains(&row.store)) {
        let (name, raw) = read.find(*row);
        if !row.kind.is_unused(&raw) {
            return Err(Error::InvalidOption(format!("option {name} is for {why}")));
        }
    }
    Ok(())
}

/// Returns the names that other clients have for an option.
fn aliases(name: &str) -> impl Iterator<Item = &'static str> {
    let rows = TABLE
        .iter()
        .filter(move |row| row.kind.stands_for() == Some(name));
    rows.map(|row| row.name)
}

/// Returns whether two values are the same, or are as texts. Two functions cannot be compared.
fn says_the_same(one: &Raw, other: &Raw) -> bool {
    let text = |raw: &Raw| match raw {
        Raw::Text(text) => Some(text.clone()),
        Raw::Number(number) => Some(number.to_string()),
        Raw::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    (one == other && *one != Raw::Function) || text(one).is_some_and(|one| Some(one) == text(other))
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
