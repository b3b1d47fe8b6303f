//! The methods that go to the store: one table, from which their names, their arguments, their place on the prototype
//! and their counters come, here and, by [`crate::binding::tables`], in JavaScript. What they do with their arguments
//! is in [`crate::binding::service::calls`], for each kind of [`Arguments`].

use crate::{
    binding::{
        answers::tape::Shape,
        class::prototype::{Entry, store_method},
    },
    command::{Code, Op, ReadOp, ValueKind, WriteOp},
};

/// Makes [`Kind`] from the table below.
macro_rules! methods {
    ($( $kind:ident: $name:literal, $arguments:ident, $code:expr, $shape:ident; )+) => {
        /// Which method was called.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $( $kind, )+ }

        impl Kind {
            /// All of them, each at its number.
            pub const ALL: [Self; [$( $name ),+].len()] = [$( Self::$kind ),+];

            /// Returns the method, in JavaScript.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )+ }
            }

            /// Returns its arguments.
            pub const fn arguments(self) -> Arguments {
                match self { $( Self::$kind => Arguments::$arguments, )+ }
            }

            /// Returns what the store is asked.
            pub const fn code(self) -> Code {
                match self { $( Self::$kind => $code, )+ }
            }

            /// Returns how its callback is told of an error.
            pub const fn shape(self) -> Shape {
                match self { $( Self::$kind => Shape::$shape, )+ }
            }
        }

        /// All of them, for the prototype.
        pub const ENTRIES: [(Kind, Entry); Kind::ALL.len()] =
            [$( (Kind::$kind, store_method::<{ Kind::$kind as usize }>) ),+];
    };
}

methods! {
    // Kind: name in JavaScript, arguments, what the store is asked, how the callback is told of an error.
    Add: "add", Member, write(WriteOp::Add), Plain;
    Leave: "leave", Member, write(WriteOp::Remove), Plain;
    GetMembersBySid: "getMembersBySid", Frontend, read(ReadOp::Members), Undefined;
    GetCountBySid: "getCountBySid", Frontend, read(ReadOp::Count), Undefined;
    GetMembersByChannelName: "getMembersByChannelName", Servers, read(ReadOp::Members), Null;
    PushMessage: "pushMessage", Push, read(ReadOp::Members), Plain;
    DestroyChannel: "destroyChannel", Frontends, write(WriteOp::Delete), Plain;
    Clean: "clean", Store, Code::Clean, Plain;
}

const fn read(op: ReadOp) -> Code {
    Code::Command(Op::Read(op))
}

const fn write(op: WriteOp) -> Code {
    Code::Command(Op::Write(op))
}

/// The arguments of a method, by what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Users of a channel on one frontend.
    Member,
    /// A channel on one frontend.
    Frontend,
    /// A channel on all servers of a type.
    Servers,
    /// The same, to push to them.
    Push,
    /// A channel on all frontends.
    Frontends,
    /// The whole store.
    Store,
}

impl Arguments {
    /// Returns their names, without the callback.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Member => &["name", "uid", "sid"],
            Self::Frontend => &["name", "sid"],
            Self::Servers => &["serverType", "name"],
            Self::Push => &["serverType", "route", "msg", "channelName", "opts"],
            Self::Frontends => &["name"],
            Self::Store => &[],
        }
    }

    /// Returns what JavaScript knows them by.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Frontend => "frontend",
            Self::Servers => "servers",
            Self::Push => "push",
            Self::Frontends => "frontends",
            Self::Store => "store",
        }
    }
}

impl Kind {
    /// Returns what the store answers for each key, if it is asked for something.
    pub const fn value(self) -> Option<ValueKind> {
        match self.code() {
            Code::Command(Op::Read(op)) => Some(op.kind()),
            Code::Command(Op::Write(_)) | Code::Clean => None,
        }
    }
}

/// The methods that are not the store's, and their arguments without the callback.
pub const LIFECYCLE: &[(&str, &[&str])] = &[("start", &[]), ("stop", &["force"])];
