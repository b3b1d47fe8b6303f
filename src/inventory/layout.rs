//! The layouts in which the published forks of 0.0.7 keep their channels in Redis, as one table. A fork has a row: its
//! names, the prefix it uses by default, how the key of a channel reads, and which other keys it writes.
//! [`super::converted`] reads a store by a row.

use crate::{
    error::{Error, Result},
    keys::{DEFAULT_PREFIX, Key, KeyLayout, names_frontend},
};

/// How one fork, or several of them, keep their channels.
#[derive(Debug)]
pub struct Layout {
    /// What users call it: by who published the fork.
    names: &'static [&'static str],
    /// The prefix if none is given.
    prefix: &'static str,
    /// What follows the prefix in the key of a channel.
    begin: &'static str,
    /// What such a key holds.
    pub(super) holds: Holds,
    /// The fork's other keys, which are not converted.
    others: &'static [Other],
}

/// What the key of a channel holds, and how it goes on after the prefix and `begin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A set of uids, for each frontend: `NAME:SID`.
    Uids,
    /// A hash, for all frontends: `NAME`, with the sid of each uid.
    Sids,
}

/// Keys that are not converted.
#[derive(Debug)]
pub(super) struct Other {
    /// What they hold.
    pub(super) what: &'static str,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Under the prefix of the channels.
    Prefix(&'static str),
    /// Under a prefix of their own, which is this one by default.
    Own(&'static str),
    /// Where channels are, with a key that names no frontend.
    Lone,
}

const INDEX: &str = "the channels of each user";
const STATUS: &str = "the frontends of each user";

/// Keys that no fork writes.
const NO_FRONTEND: Other = Other {
    what: "no frontend in the key",
    place: Place::Lone,
};

const LAYOUTS: &[Layout] = &[
    Layout {
        names: &["netease", "ertko"],
        prefix: DEFAULT_PREFIX,
        begin: ":",
        holds: Holds::Uids,
        others: &[NO_FRONTEND],
    },
    Layout {
        names: &["pome"],
        prefix: "POME:CHANNEL",
        begin: ":",
        holds: Holds::Uids,
        others: &[NO_FRONTEND],
    },
    Layout {
        names: &["pofresh"],
        prefix: "POFRESH:CHANNEL",
        begin: ":",
        holds: Holds::Uids,
        others: &[NO_FRONTEND],
    },
    Layout {
        names: &["dbrugne"],
        prefix: DEFAULT_PREFIX,
        begin: ":channel:",
        holds: Holds::Uids,
        others: &[
            Other {
                what: INDEX,
                place: Place::Prefix(":user:"),
            },
            NO_FRONTEND,
        ],
    },
    Layout {
        names: &["dubanflorin"],
        prefix: DEFAULT_PREFIX,
        begin: ":",
        holds: Holds::Uids,
        others: &[
            Other {
                what: INDEX,
                place: Place::Own("POMELO:PLAYER_CHANNELS:"),
            },
            NO_FRONTEND,
        ],
    },
    Layout {
        names: &["frank198", "homolumo"],
        prefix: DEFAULT_PREFIX,
        begin: ":",
        holds: Holds::Uids,
        others: &[Other {
            what: STATUS,
            place: Place::Lone,
        }],
    },
    Layout {
        names: &["whtiehack"],
        prefix: "PINUS:CHANNEL",
        begin: ":",
        holds: Holds::Uids,
        others: &[
            Other {
                what: STATUS,
                place: Place::Own("PINUS:STATUS:"),
            },
            NO_FRONTEND,
        ],
    },
    // Version 2.0.1 and later. The sets by frontend are not read: when a user moves, the fork leaves him in the set of the
    // frontend that he was on.
    Layout {
        names: &["aslijia"],
        prefix: "{POMELO-GLOBALCHANNEL}",
        begin: "c#",
        holds: Holds::Sids,
        others: &[
            Other {
                what: INDEX,
                place: Place::Prefix("u#"),
            },
            Other {
                what: "the same members by frontend",
                place: Place::Prefix("s#"),
            },
        ],
    },
];

/// A layout and both prefixes: what to read, and the keys to make of it.
#[derive(Debug, Clone)]
pub struct Conversion {
    pub(super) layout: &'static Layout,
    prefix: String,
    target: KeyLayout,
}

impl Conversion {
    /// Makes the conversion from the layout called `name`. Channels are read under `prefix`, which is the fork's default
    /// if it is empty, and written under `to_prefix`. If that is empty, a prefix that was given stays, and the fork's
    /// default becomes ours.
    pub fn new(name: &str, prefix: &str, to_prefix: &str) -> Result<Self> {
        let of_name = |layout: &&Layout| layout.names.contains(&name);
        let layout = LAYOUTS.iter().find(of_name).ok_or_else(unknown)?;
        let target = if to_prefix.is_empty() {
            prefix
        } else {
            to_prefix
        };
        let prefix = if prefix.is_empty() {
            layout.prefix
        } else {
            prefix
        };
        Ok(Self {
            layout,
            prefix: prefix.to_owned(),
            target: KeyLayout::new(target),
        })
    }

    /// Returns what the keys of its channels begin with, where they are read.
    #[must_use]
    pub fn source_stem(&self) -> Key {
        self.under(self.layout.begin)
    }

    /// Returns what the keys begin with that are made of them.
    #[must_use]
    pub fn stem(&self) -> Key {
        self.target.stem()
    }

    /// Returns whether keys that are made can never be taken for keys to read, nor the other way round.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        let (source, target) = (self.source_stem(), self.stem());
        !source.starts_with(&target) && !target.starts_with(&source)
    }

    /// Returns the key of ours for a name and a sid as bytes.
    pub(super) fn key(&self, name: &[u8], sid: &[u8]) -> Key {
        [&self.stem()[..], name, b":", sid].concat()
    }

    /// Returns the kinds of keys that are not converted, each with what its keys begin with.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'static Other, Key)> {
        let stem = |other: &Other| match other.place {
            Place::Prefix(more) => self.under(more),
            Place::Own(stem) => stem.into(),
            Place::Lone => self.source_stem(),
        };
        self.layout
            .others
            .iter()
            .map(move |other| (other, stem(other)))
    }

    fn under(&self, more: &str) -> Key {
        format!("{}{more}", self.prefix).into_bytes()
    }
}

impl Other {
    /// Returns whether a key is of this kind; `rest` is what follows the stem of the kind.
    pub(super) fn has(&self, rest: &[u8]) -> bool {
        !matches!(self.place, Place::Lone) || !names_frontend(rest)
    }
}

fn unknown() -> Error {
    let mut names: Vec<_> = LAYOUTS
        .iter()
        .flat_map(|layout| layout.names)
        .copied()
        .collect();
    names.sort_unstable();
    Error::InvalidArgument(format!(
        "fromLayout is unknown; known are {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_layouts_have_one_name_and_an_unknown_one_is_answered_with_all() {
        let names: Vec<_> = LAYOUTS.iter().flat_map(|layout| layout.names).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        let error = Conversion::new("pomelo", "", "").expect_err("no layout");
        assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT");
        for name in names {
            assert!(error.to_string().contains(name), "{error}");
            assert!(Conversion::new(name, "", "").is_ok());
        }
    }

    #[test]
    fn a_prefix_that_is_given_stays_and_the_default_of_a_fork_becomes_ours() {
        for (prefix, to_prefix, source, target) in [
            ("", "", "PINUS:CHANNEL:", "POMELO:CHANNEL:"),
            ("MY", "", "MY:", "MY:"),
            ("", "OUR", "PINUS:CHANNEL:", "OUR:"),
            ("MY", "OUR", "MY:", "OUR:"),
        ] {
            let conversion = Conversion::new("whtiehack", prefix, to_prefix).expect("a layout");
            assert_eq!(conversion.source_stem(), source.as_bytes());
            assert_eq!(conversion.stem(), target.as_bytes());
            assert_eq!(conversion.is_apart(), source != target);
        }
        let inside = Conversion::new("dbrugne", "", "").expect("a layout");
        assert!(!inside.is_apart(), "the fork's keys would read as ours");
    }
}
