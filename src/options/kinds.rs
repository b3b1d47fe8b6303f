//! The kinds of option values, with their limits and defaults, as the table uses them. [`super::read`] reads them.

use std::{fmt::Debug, ops::RangeInclusive};

/// What all kinds of values have in common.
pub trait Kind: Debug + Sync {
    /// Returns the default as docs/OPTIONS.md and index.d.ts show it; `None` if there is nothing to show.
    fn default(&self) -> Option<String> {
        None
    }

    /// Returns whether the option is accepted and has no effect.
    fn is_ignored(&self) -> bool {
        false
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

/// A string. Fields: what an error says is accepted, and the default (empty: none).
#[derive(Debug)]
pub struct Text(pub &'static str, pub &'static str);

/// The path of a Unix socket or of the embedded store's folder.
#[derive(Debug)]
pub struct Path();

/// `true` or `false`. Field: the default.
#[derive(Debug)]
pub struct Flag(pub bool);

/// Any value, of which only the truthiness in JavaScript counts. Field: the default.
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

/// A custom manager.
#[derive(Debug)]
pub struct Manager();

/// A value that is accepted and ignored.
#[derive(Debug)]
pub struct Ignored();

impl Kind for Text {
    fn default(&self) -> Option<String> {
        (!self.1.is_empty()).then(|| self.1.to_owned())
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

default_is_field! { Flag 0 Truthy 0 Integer 1 Time 0 NodeRedis 0 }

impl<T: Debug + PartialEq + Sync> Kind for Word<T> {
    fn default(&self) -> Option<String> {
        let default = self.1.iter().find(|(_, meaning)| *meaning == self.0)?;
        Some(default.0.to_owned())
    }
}

impl Kind for Switch {
    fn default(&self) -> Option<String> {
        Some(self.0?.to_string())
    }
}

impl Kind for Ignored {
    fn is_ignored(&self) -> bool {
        true
    }
}

impl Kind for Secret {
    fn may_be_function(&self) -> bool {
        true
    }
}

impl Kind for User {
    fn may_be_function(&self) -> bool {
        true
    }
}

impl Kind for AddressMap {
    fn may_be_function(&self) -> bool {
        true
    }

    fn is_map(&self) -> bool {
        true
    }
}

impl Kind for Path {}
impl Kind for Addresses {}
impl Kind for Pem {}
impl Kind for Manager {}
