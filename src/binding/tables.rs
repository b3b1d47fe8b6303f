//! Constants that Rust and JavaScript share: [`tables`] passes them to JavaScript (`lib/tables.js`), so that nothing is
//! written twice. The methods are in [`crate::binding::methods`]; the words of the tape and the kinds of failures are
//! defined where they are used.

use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    binding::{
        answers::tape::{Shape, Word},
        class::attach::Failure,
        methods::{Kind, LIFECYCLE},
    },
    command::ValueKind,
};

/// Defines an enum whose variants have names in JavaScript, given beside them.
macro_rules! shared {
    (
        $(#[$doc:meta])*
        $visibility:vis enum $name:ident {
            $( $(#[$variant_doc:meta])* $variant:ident = $in_javascript:literal, )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        $visibility enum $name { $( $(#[$variant_doc])* $variant, )+ }

        impl $name {
            /// All variants, in the order of their numbers, with their names in JavaScript.
            pub const ALL: &[(Self, &'static str)] = &[ $( (Self::$variant, $in_javascript), )+ ];
        }
    };
}
pub(in crate::binding) use shared;

/// Returns the tables, for `lib/tables.js` only.
///
/// - `methods`: by name, `{arguments, scope, value, isCounted, shape}`: the names of the arguments without the
///   callback, what the method is about, what the store answers for each key (`list`, `int`, `bool`, or nothing; `page`
///   as a whole), whether its promise tells how many members it changed, and the shape of its errors;
/// - `lifecycle`: the arguments of `start` and `stop`;
/// - `words`, `shapes`: of the tape; `failures`: for the host's `failure`.
#[napi(catch_unwind)]
pub fn tables(env: &Env) -> napi::Result<Object<'_>> {
    let mut methods = Object::new(env)?;
    for kind in Kind::ALL {
        let mut method = described(env, kind.arguments().names())?;
        method.set("scope", kind.arguments().scope())?;
        let value = kind.value().map(|value| match value {
            ValueKind::List => "list",
            ValueKind::Int => "int",
            ValueKind::Bool => "bool",
            ValueKind::Lease => "lease",
        });
        method.set("value", value.or(kind.is_page().then_some("page")))?;
        method.set("isCounted", kind.is_counted())?;
        method.set("shape", kind.shape() as u32)?;
        methods.set(kind.name(), method)?;
    }
    let mut lifecycle = Object::new(env)?;
    for (name, arguments) in LIFECYCLE {
        lifecycle.set(*name, described(env, arguments)?)?;
    }
    let mut tables = Object::new(env)?;
    tables.set("methods", methods)?;
    tables.set("lifecycle", lifecycle)?;
    tables.set("words", numbers(env, Word::ALL)?)?;
    tables.set("shapes", numbers(env, Shape::ALL)?)?;
    tables.set("failures", numbers(env, Failure::ALL)?)?;
    Ok(tables)
}

fn described<'env>(env: &'env Env, arguments: &[&str]) -> napi::Result<Object<'env>> {
    let mut method = Object::new(env)?;
    method.set("arguments", arguments.to_vec())?;
    Ok(method)
}

fn numbers<'env, T>(env: &'env Env, names: &[(T, &str)]) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    for (number, (_, name)) in (0u32..).zip(names) {
        object.set(*name, number)?;
    }
    Ok(object)
}
