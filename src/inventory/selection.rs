//! What the command line selects of a store: the channels under a prefix, or those of a fork.

use super::{Opened, address, layout::Conversion};
use crate::{
    error::{Error, Result},
    keys::{Key, KeyLayout},
    options::Store,
};

/// What to read of a store, and how.
pub enum Selection {
    /// What begins with this.
    Ours(Key),
    /// What is in a fork's layout.
    Converted(Conversion),
}

impl Selection {
    /// Makes it of the arguments: `layout` is the name of a fork's, with which the prefix may become another one.
    pub fn new(
        prefix: Option<&str>,
        layout: Option<&str>,
        to_prefix: Option<&str>,
    ) -> Result<Self> {
        let stem = |prefix: &str| KeyLayout::new(prefix).stem();
        match (layout, to_prefix) {
            (Some(layout), to_prefix) => {
                let (prefix, to_prefix) =
                    (prefix.unwrap_or_default(), to_prefix.unwrap_or_default());
                Conversion::new(layout, prefix, to_prefix).map(Self::Converted)
            }
            (None, Some(_)) => Err(Error::InvalidArgument(
                "toPrefix is for a conversion, with fromLayout; that of 0.0.7 itself is netease"
                    .to_owned(),
            )),
            (None, None) => Ok(Self::Ours(prefix.map_or_else(Vec::new, stem))),
        }
    }

    /// Returns the conversion, if it is one.
    #[must_use]
    pub fn conversion(&self) -> Option<&Conversion> {
        match self {
            Self::Ours(_) => None,
            Self::Converted(conversion) => Some(conversion),
        }
    }

    /// Returns what keys begin with, as they are handed on.
    #[must_use]
    pub fn stem(&self) -> Key {
        match self {
            Self::Ours(stem) => stem.clone(),
            Self::Converted(conversion) => conversion.stem(),
        }
    }

    /// Opens a store to read it.
    pub async fn open(self, store: Store) -> Result<Opened> {
        match self {
            Self::Ours(stem) => address::open(store, &stem).await,
            Self::Converted(conversion) => address::open_converted(store, conversion).await,
        }
    }
}
