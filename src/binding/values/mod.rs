//! JavaScript values in and out: arguments and options, text, errors, references.

pub(in crate::binding) mod args;
pub(in crate::binding) mod errors;
mod ids;
mod joined;
pub(in crate::binding) mod js;
pub(in crate::binding) mod options;
pub(in crate::binding) mod page_options;
pub(in crate::binding) mod pairs;
pub(in crate::binding) mod push_options;
pub(in crate::binding) mod text;
pub(in crate::binding) mod thrown;
