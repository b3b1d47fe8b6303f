//! Reads the options object by the table of options, and gives that table to JavaScript.

use std::collections::HashMap;

use napi::{
    JsDate, Unknown, ValueType,
    bindgen_prelude::{Array, BufferSlice, JsValue as _, Object},
};
use napi_derive::napi;

use crate::{
    binding::values::{
        args::{Read, text},
        thrown,
    },
    error::Error,
    options::{For, Raw, Seen, TABLE, fields},
};

/// More elements than any list in the options has.
const LONGEST_LIST: u32 = 1024;

/// A row of the table of options, as `lib/inspect.js` and the tests read it.
#[napi(object)]
pub struct OptionRow {
    /// Its name; `a.b` is field `b` of the object that option `a` takes.
    pub name: String,
    /// `any`, or the store that it is for: `redis` or `embedded`.
    pub store: String,
    /// Whether it is a password or a private key.
    pub secret: bool,
    /// Whether `console.log` of an instance shows its value.
    pub shown: bool,
    /// Whether it is accepted and has no effect.
    pub ignored: bool,
    /// The default, as text.
    pub default: Option<String>,
}

/// Returns every option, the object before its fields.
#[napi(catch_unwind)]
pub fn option_table() -> Vec<OptionRow> {
    let rows = TABLE.iter().map(|row| OptionRow {
        name: row.name.to_owned(),
        store: match row.store {
            For::Any => "any",
            For::Redis | For::Sentinel | For::Announced => "redis",
            For::Embedded => "embedded",
        }
        .to_owned(),
        secret: row.seen == Seen::Secret,
        shown: row.seen == Seen::Shown,
        ignored: row.kind.replacement().is_some(),
        default: row.kind.default(),
    });
    rows.collect()
}

/// Reads the options object; `None` if none is given.
pub fn object<'env>(value: &Unknown<'env>) -> Read<Option<Object<'env>>> {
    Ok(match value.get_type()? {
        ValueType::Undefined | ValueType::Null => Ok(None),
        // SAFETY: its type was checked just now.
        ValueType::Object => Ok(Some(unsafe { value.cast() }?)),
        _ => Err(Error::InvalidOption(
            "the options must be an object".to_owned(),
        )),
    })
}

/// What an options object contains.
#[derive(Default)]
pub struct Given<'env> {
    /// The values of the options of the table, [`Raw::Absent`] for those that are not given.
    pub known: HashMap<&'static str, Raw>,
    /// The names of the others.
    pub unknown: Vec<String>,
    /// The functions that are called when their value is needed, by the names of their options.
    pub functions: Vec<(&'static str, Unknown<'env>)>,
}

/// Reads an options object: each option once, since a getter may count.
pub fn given<'env>(options: &Object<'env>) -> napi::Result<Given<'env>> {
    let mut known = HashMap::new();
    let mut unknown = Object::keys(options)?;
    let mut functions = Vec::new();
    for row in TABLE.iter().filter(|row| !row.name.contains('.')) {
        let name = row.name;
        let value = thrown::property(options, name)?;
        let mut shape = raw(&value)?;
        if shape == Raw::Function && row.may_be_function() {
            functions.push((name, value));
        }
        if shape == Raw::Object && row.kind.is_map() {
            shape = map(&value)?;
        }
        if shape == Raw::Object && fields(name).next().is_some() {
            // SAFETY: `raw` found it to be an object.
            let object: Object = unsafe { value.cast() }?;
            for (row, field) in fields(name) {
                let value = thrown::property(&object, field)?;
                known.insert(row.name, raw(&value)?);
            }
            unknown.extend(
                Object::keys(&object)?
                    .iter()
                    .map(|key| format!("{name}.{key}")),
            );
        }
        known.insert(name, shape);
    }
    unknown.retain(|name| !known.contains_key(name.as_str()));
    Ok(Given {
        known,
        unknown,
        functions,
    })
}

/// Converts what a function among the options returned.
pub fn answer(value: &Unknown) -> napi::Result<Raw> {
    match raw(value)? {
        Raw::Object => record(value),
        other => Ok(other),
    }
}

/// Converts a value for the core. `null` counts as "not given".
fn raw(value: &Unknown) -> napi::Result<Raw> {
    Ok(match value.get_type()? {
        ValueType::Undefined | ValueType::Null => Raw::Absent,
        // SAFETY: its type was checked just now.
        ValueType::Boolean => Raw::Bool(unsafe { value.cast() }?),
        // SAFETY: the same.
        ValueType::Number => Raw::Number(unsafe { value.cast() }?),
        // SAFETY: the same.
        ValueType::String => Raw::Text(unsafe { value.cast() }?),
        ValueType::Function => Raw::Function,
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

/// Converts an array in the options, one level deep.
fn list(value: &Unknown) -> napi::Result<Raw> {
    // SAFETY: the caller checked that it is an array.
    let array: Array = unsafe { value.cast() }?;
    if array.len() > LONGEST_LIST {
        return Ok(Raw::Other(format!("an array of {}", array.len())));
    }
    let mut items = Vec::new();
    for index in 0..array.len() {
        let Some(item) = thrown::element(&array, index)? else {
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

/// Converts a plain object in such an array.
fn record(value: &Unknown) -> napi::Result<Raw> {
    // SAFETY: the caller checked its type.
    let object: Object = unsafe { value.cast() }?;
    let mut fields = Vec::new();
    for name in Object::keys(&object)? {
        let field = thrown::property(&object, &name)?;
        let field = match field.get_type()? {
            ValueType::Object if field.is_date()? => {
                // SAFETY: its type was checked just now.
                let date: JsDate = unsafe { field.cast() }?;
                Raw::Number(date.value_of()?)
            }
            // No list of options is deeper, and an object may contain itself.
            ValueType::Object if !field.is_buffer()? => Raw::Other("{…}".to_owned()),
            _ => raw(&field)?,
        };
        fields.push((name, field));
    }
    Ok(Raw::Record(fields))
}

/// Converts an object whose fields have any names, two levels deep.
fn map(value: &Unknown) -> napi::Result<Raw> {
    // SAFETY: the caller checked its type.
    let object: Object = unsafe { value.cast() }?;
    let names = Object::keys(&object)?;
    if names.len() > LONGEST_LIST as usize {
        return Ok(Raw::Other(format!("an object with {} fields", names.len())));
    }
    let mut fields = Vec::new();
    for name in names {
        let field = thrown::property(&object, &name)?;
        fields.push((name, answer(&field)?));
    }
    Ok(Raw::Record(fields))
}

/// Copies a buffer.
fn bytes(value: &Unknown) -> napi::Result<Vec<u8>> {
    // SAFETY: the caller checked that it is a buffer; the bytes are copied before JavaScript runs again.
    let buffer: BufferSlice = unsafe { value.cast() }?;
    Ok(buffer.to_vec())
}
