//! Reads `opts` of the methods that answer page by page: `cursor`, `limit` and `match`. What they mean is in
//! [`crate::pages`].

use napi::{
    Unknown, ValueType,
    bindgen_prelude::{FromNapiValue as _, JsValue as _, Object},
};

use crate::{
    binding::values::{
        args::{self, Read},
        thrown,
    },
    error::Error,
    pages::{LONGEST_GLOB, MOST, USUAL},
    size_limits::too_long,
};

/// The options of a page.
#[derive(Debug, Default)]
pub struct PageOptions {
    /// The cursor of the page before, as it was given; `None` for the first page.
    pub cursor: Option<String>,
    pub limit: usize,
    /// `match`: a pattern of names.
    pub glob: Option<String>,
}

/// Reads the options of a page. With `of_channels` it may have a pattern.
pub fn read(opts: &Unknown, of_channels: bool) -> Read<PageOptions> {
    let kind = opts.get_type()?;
    let mut options = PageOptions {
        limit: USUAL,
        ..PageOptions::default()
    };
    if matches!(kind, ValueType::Undefined | ValueType::Null) {
        return Ok(Ok(options));
    }
    let accepted = if of_channels {
        "{match, cursor, limit}"
    } else {
        "{cursor, limit}"
    };
    if kind != ValueType::Object || opts.is_array()? {
        let words = format!("argument opts is no object; accepted is {accepted}");
        return Ok(Err(Error::InvalidArgument(words)));
    }
    // SAFETY: an object of this environment, checked just now.
    let opts = unsafe { Object::from_napi_value(opts.value().env, opts.raw()) }?;
    let cursor = thrown::property(&opts, "cursor")?;
    if is_given(&cursor)? {
        if cursor.get_type()? != ValueType::String {
            return Ok(Err(no_cursor()));
        }
        match args::text(&cursor, "opts.cursor")? {
            Ok(cursor) => options.cursor = Some(cursor),
            Err(error) => return Ok(Err(error)),
        }
    }
    let limit = thrown::property(&opts, "limit")?;
    if is_given(&limit)? {
        match limit_of(&limit)? {
            Ok(limit) => options.limit = limit,
            Err(error) => return Ok(Err(error)),
        }
    }
    if of_channels {
        let glob = thrown::property(&opts, "match")?;
        if is_given(&glob)? {
            match args::text(&glob, "opts.match")? {
                Ok(glob) if glob.len() > LONGEST_GLOB => {
                    return Ok(Err(too_long("opts.match", glob.len(), LONGEST_GLOB)));
                }
                Ok(glob) => options.glob = Some(glob),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(Ok(options))
}

fn limit_of(limit: &Unknown) -> Read<usize> {
    let number = if limit.get_type()? == ValueType::Number {
        limit.coerce_to_number()?.get_double()?
    } else {
        f64::NAN
    };
    Ok(whole(number)
        .filter(|limit| (1..=MOST).contains(limit))
        .ok_or_else(|| {
            let shown = if number.is_nan() {
                "no number".to_owned()
            } else {
                number.to_string()
            };
            Error::InvalidArgument(format!(
                "argument opts.limit is {shown}; accepted is a whole number from 1 to {MOST}"
            ))
        }))
}

/// Returns a number that is a whole one, and small.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the limits, which are checked before"
)]
fn whole(number: f64) -> Option<usize> {
    let is_whole = number.fract() == 0.0 && (0.0..1e9).contains(&number);
    is_whole.then_some(number as usize)
}

/// Makes the error for a cursor that is none, or of another scan.
pub fn no_cursor() -> Error {
    Error::InvalidArgument(
        "argument opts.cursor is no cursor of this scan; accepted is that of a page with the same arguments, or null"
            .to_owned(),
    )
}

fn is_given(value: &Unknown) -> napi::Result<bool> {
    Ok(!matches!(
        value.get_type()?,
        ValueType::Undefined | ValueType::Null
    ))
}
