//! The kinds of option values, with their limits and defaults, as the table uses them. [`super::read`] reads them.

use std::{fmt::Debug, ops::RangeInclusive};

use super::{raw::Raw, read::boolean};

/// What all kinds of values have in common.
pub trait Kind: Debug + Sync {
    /// Returns the default as docs/OPTIONS.md and index.d.ts show it; `None` if there is nothing to show.
    fn default(&self) -> Option<String> {
        None
    }

    /// Returns whether the value means that the option is not given. An empty string does, as in 0.0.7.
    fn is_unset(&self, raw: &Raw) -> bool {
        is_empty(raw)
    }

    /// Returns whether the value means that the option is not used, so that it is no error with another store either.
    fn is_unused(&self, raw: &Raw) -> bool {
        self.is_unset(raw)
    }

    /// Returns the option for which this one is another name.
    fn stands_for(&self) -> Option<&'static str> {
        None
    }

    /// Returns what replaces the option here, if it is accepted and has no effect; empty if nothing does.
    fn replacement(&self) -> Option<&'static str> {
        None
    }

    /// Returns whether the value may be a function of the app, which is called when the value is needed.
    fn may_be_function(&self) -> bool {
        false
    }

    /// Returns whether the value may be an object whose fields have any names.
    fn is_map(&self) -> bool {
        false
    }
}

fn is_empty(raw: &Raw) -> bool {
    match raw {
        Raw::Absent => true,
        Raw::Text(text) => text.is_empty(),
        _ => false,
    }
}

fn is_off(raw: &Raw) -> bool {
    is_empty(raw) || *raw == Raw::Bool(false)
}

fn is_off_or_empty_list(raw: &Raw) -> bool {
    is_off(raw) || matches!(raw, Raw::List(items) if items.is_empty())
}

/// A string. Fields: what an error says is accepted, and the default (empty: none).
#[derive(Debug)]
pub struct Text(pub &'static str, pub &'static str);

/// The path of a Unix socket or of the embedded store's folder.
#[derive(Debug)]
pub struct Path();

/// `true` or `false`. Field: the default.
#[derive(Debug)]
pub struct Flag(pub bool);

/// Any value: texts of booleans mean what they say, of the others the truthiness in JavaScript counts. Field: the default.
#[derive(Debug)]
pub struct Truthy(pub bool);

/// An integer. Fields: its range and the default.
#[derive(Debug)]
pub struct Integer(pub RangeInclusive<u64>, pub u64);

/// A time in milliseconds, 0 for no limit. Field: the default.
#[derive(Debug)]
pub struct Time(pub u64);

/// A number that `node_redis` had, for which 0 and `false` mean "not set". Field: the default; 0 means none.
#[derive(Debug)]
pub struct NodeRedis(pub u64);

/// One of a few words. Fields: the meaning of the default, and the words with their meanings.
#[derive(Debug)]
pub struct Word<T: 'static>(pub T, pub &'static [(&'static str, T)]);

/// A list of servers. Field: the default port.
#[derive(Debug)]
pub struct Addresses(pub u16);

/// A password: a string, a number as in some config files, or a function.
#[derive(Debug)]
pub struct Secret();

/// The name of a user: a string or a function.
#[derive(Debug)]
pub struct User();

/// Addresses to use in place of announced ones: an object, or a function.
#[derive(Debug)]
pub struct AddressMap();

/// PEM text. Field: what an error says is accepted.
#[derive(Debug)]
pub struct Pem(pub &'static str);

/// `true`, `false` or an object with fields. Fields: the default, if there is a fixed one, and what an error says is
/// accepted.
#[derive(Debug)]
pub struct Switch(pub Option<bool>, pub &'static str);

/// An object of the app with methods, which JavaScript checks: a custom manager, a logger.
#[derive(Debug)]
pub struct Methods();

/// Another name for an option: that of another Redis client. Field: the name of the option.
#[derive(Debug)]
pub struct Alias(pub &'static str);

/// A value that is accepted and has no effect. Field: what there is here instead; empty if nothing.
#[derive(Debug)]
pub struct Ignored(pub &'static str);

impl Kind for Text {
    fn default(&self) -> Option<String> {
        (!self.1.is_empty()).then(|| self.1.to_owned())
    }

    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }
}

/// Implements [`Kind`] for kinds whose default is one of their fields.
macro_rules! default_is_field {
    ($($kind:ident $field:tt)*) => {
        $(impl Kind for $kind {
            fn default(&self) -> Option<String> {
                Some(self.$field.to_string())
            }
        })*
    };
}

// Not `false` for a time, which could mean "no limit" as well.
default_is_field! { Truthy 0 Time 0 }

impl Kind for Flag {
    fn default(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn is_unused(&self, raw: &Raw) -> bool {
        is_empty(raw) || boolean(raw) == Some(false)
    }
}

impl Kind for Switch {
    fn default(&self) -> Option<String> {
        Some(self.0?.to_string())
    }

    fn is_unused(&self, raw: &Raw) -> bool {
        is_empty(raw) || boolean(raw) == Some(false)
    }
}

impl Kind for Integer {
    fn default(&self) -> Option<String> {
        Some(self.1.to_string())
    }

    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }
}

impl Kind for NodeRedis {
    fn default(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }
}

impl<T: Debug + PartialEq + Sync> Kind for Word<T> {
    fn default(&self) -> Option<String> {
        let default = self.1.iter().find(|(_, meaning)| *meaning == self.0)?;
        Some(default.0.to_owned())
    }
}

/// Implements [`Kind`] for kinds without a default, with the function that recognises a value that is not given.
macro_rules! unset_by {
    ($($is_unset:ident: $($kind:ident)*;)*) => {
        $($(impl Kind for $kind {
            fn is_unset(&self, raw: &Raw) -> bool {
                $is_unset(raw)
            }
        })*)*
    };
}

unset_by! {
    is_off: Path Methods;
    is_off_or_empty_list: Addresses Pem;
}

impl Kind for Secret {
    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }

    fn may_be_function(&self) -> bool {
        true
    }
}

impl Kind for User {
    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }

    fn may_be_function(&self) -> bool {
        true
    }
}

impl Kind for AddressMap {
    fn is_unset(&self, raw: &Raw) -> bool {
        is_off(raw)
    }

    fn may_be_function(&self) -> bool {
        true
    }

    fn is_map(&self) -> bool {
        true
    }
}

impl Kind for Alias {
    fn stands_for(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

impl Kind for Ignored {
    fn is_unset(&self, raw: &Raw) -> bool {
        is_empty(raw) || boolean(raw) == Some(false)
    }

    fn replacement(&self) -> Option<&'static str> {
        Some(self.0)
    }
}
