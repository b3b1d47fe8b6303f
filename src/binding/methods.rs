//! The table of the store's methods: the source of their names, arguments, prototype entries and counters, here and, by
//! [`crate::binding::tables`], in JavaScript. [`crate::binding::service::calls`] has the code of the methods, one
//! function for each kind of [`Arguments`].

use crate::{
    binding::{
        answers::tape::Shape,
        class::prototype::{Entry, registry_method, store_method},
    },
    command::{Code, Op, PageOp, ReadOp, ValueKind, WriteOp},
};

/// Generates [`Kind`] and its methods from the table below.
macro_rules! methods {
    (
        public { $( $kind:ident: $name:literal, $arguments:ident, $code:expr, $shape:ident; )+ }
        internal { $( $own:ident: $own_name:literal, $own_arguments:ident, $own_code:expr, $own_shape:ident; )+ }
    ) => {
        /// A method of the store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $( $kind, )+ $( $own, )+ }

        impl Kind {
            /// All methods of the app; each is at the index of its number.
            pub const ALL: [Self; [$( $name ),+].len()] = [$( Self::$kind ),+];

            /// The methods of this package itself, whose numbers come after those.
            pub const INTERNAL: [Self; [$( $own_name ),+].len()] = [$( Self::$own ),+];

            /// Returns the method's name in JavaScript.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )+ $( Self::$own => $own_name, )+ }
            }

            /// Returns the kind of the method's arguments.
            pub const fn arguments(self) -> Arguments {
                match self {
                    $( Self::$kind => Arguments::$arguments, )+
                    $( Self::$own => Arguments::$own_arguments, )+
                }
            }

            /// Returns the operation that the store executes; `None` if the store is not asked.
            pub const fn code(self) -> Option<Code> {
                match self { $( Self::$kind => $code, )+ $( Self::$own => $own_code, )+ }
            }

            /// Returns the arguments with which the callback gets an error.
            pub const fn shape(self) -> Shape {
                match self { $( Self::$kind => Shape::$shape, )+ $( Self::$own => Shape::$own_shape, )+ }
            }
        }

        /// The functions of all methods, for the prototype.
        pub const ENTRIES: [(Kind, Entry); Kind::ALL.len()] =
            [$( (Kind::$kind, store_method::<{ Kind::$kind as usize }>) ),+];

        /// The functions of the methods of this package itself.
        pub const INTERNAL_ENTRIES: [(Kind, Entry); Kind::INTERNAL.len()] =
            [$( (Kind::$own, registry_method::<{ Kind::$own as usize - Kind::ALL.len() }>) ),+];
    };
}

methods! {
    // Kind: name in JavaScript, arguments, operation of the store or `None`, arguments of the callback after an error.
    public {
    Add: "add", Member, write(WriteOp::Add), Plain;
    Leave: "leave", Member, write(WriteOp::Remove), Plain;
    AddMany: "addMany", Many, write(WriteOp::Add), Undefined;
    LeaveMany: "leaveMany", Many, write(WriteOp::Remove), Undefined;
    GetMembersBySid: "getMembersBySid", Frontend, read(ReadOp::Members), Undefined;
    GetCountBySid: "getCountBySid", Frontend, read(ReadOp::Count), Undefined;
    GetCount: "getCount", Counted, read(ReadOp::Count), Undefined;
    IsMember: "isMember", OneMember, read(ReadOp::IsMember), Undefined;
    GetMembersByChannelName: "getMembersByChannelName", Servers, read(ReadOp::Members), Null;
    GetMembersByChannelNameBySid: "getMembersByChannelNameBySid", Groups, read(ReadOp::Members), Undefined;
    PushMessage: "pushMessage", Push, read(ReadOp::Members), Plain;
    PushMessageByUids: "pushMessageByUids", PushUids, None, Plain;
    Broadcast: "broadcast", Broadcast, None, Plain;
    GetSidsByUid: "getSidsByUid", Users, None, Undefined;
    AreOnline: "isOnline", Users, None, Undefined;
    GetOnlineCount: "getOnlineCount", OnlineCount, None, Undefined;
    GetOnline: "getOnline", OnlinePage, None, Undefined;
    GetChannelsByUid: "getChannelsByUid", UserOn, read(ReadOp::Joined), Undefined;
    LeaveAll: "leaveAll", UserOn, write(WriteOp::LeaveAll), Undefined;
    DestroyChannel: "destroyChannel", Frontends, write(WriteOp::Delete), Plain;
    ScanMembers: "scanMembers", MemberPage, page(PageOp::Members), Undefined;
    GetChannels: "getChannels", ChannelPage, page(PageOp::Channels), Undefined;
    Clean: "clean", Store, Some(Code::Clean), Plain;
    }
    // Of the session registry, for lib/leases.js. They are not enumerable, not counted, and not limited by `maxQueue`.
    internal {
    Claim: "_claim", Lease, write(WriteOp::Claim), Plain;
    Renew: "_renew", Lease, write(WriteOp::Renew), Plain;
    Release: "_release", Lease, write(WriteOp::Release), Plain;
    Sweep: "_sweep", Lease, write(WriteOp::Sweep), Plain;
    Holders: "_holders", LeaseKeys, read(ReadOp::Lease), Plain;
    NoteLease: "_noteLease", Leases, write(WriteOp::Add), Plain;
    ForgetLease: "_forgetLease", Leases, write(WriteOp::Remove), Plain;
    NotedLeases: "_notedLeases", Leases, read(ReadOp::Members), Plain;
    AddOnline: "_addOnline", Lease, write(WriteOp::AddOnline), Plain;
    RemoveOnline: "_removeOnline", Lease, write(WriteOp::RemoveOnline), Plain;
    Online: "_online", Online, read(ReadOp::Members), Plain;
    CountOnline: "_countOnline", Online, read(ReadOp::Count), Plain;
    IsOnline: "_isOnline", Online, read(ReadOp::IsMember), Plain;
    OnlineMembers: "_onlinePage", OnlineMembers, page(PageOp::Members), Plain;
    IndexUsers: "_indexUsers", Index, read(ReadOp::Users), Plain;
    KeptUsers: "_keptUsers", Gone, read(ReadOp::KeptUsers), Plain;
    Purge: "_purge", Purge, write(WriteOp::Purge), Plain;
    PutBack: "_putBack", Purge, write(WriteOp::PutBack), Plain;
    Forget: "_forget", Purge, write(WriteOp::Forget), Plain;
    ChannelsOn: "_channelsOn", ChannelsOn, page(PageOp::ChannelsOn), Plain;
    Enter: "_enter", Entered, page(PageOp::Enter), Plain;
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table has what the store executes, if anything"
)]
const fn read(op: ReadOp) -> Option<Code> {
    Some(Code::Command(Op::Read(op)))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table has what the store executes, if anything"
)]
const fn page(op: PageOp) -> Option<Code> {
    Some(Code::Page(op))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the table has what the store executes, if anything"
)]
const fn write(op: WriteOp) -> Option<Code> {
    Some(Code::Command(Op::Write(op)))
}

/// The kinds of arguments of methods: what a method is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Users of a channel on one frontend.
    Member,
    /// One user of a channel on one frontend.
    OneMember,
    /// Users of a channel, each on a frontend.
    Many,
    /// A channel on one frontend.
    Frontend,
    /// A channel on all servers of a type.
    Servers,
    /// The same, with the name first.
    Counted,
    /// One or several channels on all servers of a type, frontend by frontend.
    Groups,
    /// A push to channels on all servers of a type.
    Push,
    /// A push to users.
    PushUids,
    /// A push to all sessions on all servers of a type.
    Broadcast,
    /// One user or several, wherever they are.
    Users,
    /// One user on one frontend, or on all.
    UserOn,
    /// All users on servers of a type, or on all.
    OnlineCount,
    /// A page of all users who are online.
    OnlinePage,
    /// A channel on all frontends.
    Frontends,
    /// A page of the members of a channel on one frontend.
    MemberPage,
    /// A page of the channels.
    ChannelPage,
    /// The whole store.
    Store,
    /// The lease and the online users of one frontend, and the arguments of the operation.
    Lease,
    /// The leases of frontends.
    LeaseKeys,
    /// The set of the frontends that have, or had, a lease; members of it.
    Leases,
    /// The online users of frontends, and the user that is asked for.
    Online,
    /// A page of the online users of one frontend.
    OnlineMembers,
    /// The indexes of members of frontends, and what the operation takes.
    Index,
    /// What is kept of these indexes, the same.
    Gone,
    /// The index of one frontend, its lease and what is kept, and the arguments of the operation.
    Purge,
    /// A page of the channels with members on one frontend.
    ChannelsOn,
    /// A part of the members of a channel on one frontend, which are added to the index.
    Entered,
}

impl Arguments {
    /// Returns the names of the arguments, without the callback.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Member | Self::OneMember => &["name", "uid", "sid"],
            Self::Many => &["name", "members"],
            Self::Frontend => &["name", "sid"],
            Self::Servers | Self::Groups => &["serverType", "name"],
            Self::Counted => &["name", "serverType"],
            Self::Push => &["serverType", "route", "msg", "channelName", "opts"],
            Self::PushUids => &["serverType", "route", "msg", "uids", "opts"],
            Self::Broadcast => &["serverType", "route", "msg", "opts"],
            Self::Users => &["uids"],
            Self::UserOn => &["uid", "sid"],
            Self::OnlineCount => &["serverType"],
            Self::MemberPage => &["name", "sid", "opts"],
            Self::ChannelPage | Self::OnlinePage => &["opts"],
            Self::Frontends => &["name", "opts"],
            Self::Store => &[],
            Self::Lease
            | Self::LeaseKeys
            | Self::Leases
            | Self::Online
            | Self::OnlineMembers
            | Self::Index
            | Self::Gone
            | Self::Purge
            | Self::ChannelsOn
            | Self::Entered => &["sids", "items"],
        }
    }

    /// Returns whether the argument of that name is an id: a text, never a function.
    pub fn is_id(name: &str) -> bool {
        matches!(
            name,
            "name" | "channelName" | "uid" | "uids" | "members" | "sid" | "serverType"
        )
    }

    /// Returns the name of the kind in JavaScript (`scope`).
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Member | Self::OneMember => "member",
            Self::Many => "many",
            Self::Frontend => "frontend",
            Self::Servers | Self::Counted => "servers",
            Self::Groups => "groups",
            Self::Push => "push",
            Self::PushUids => "pushUids",
            Self::Broadcast => "broadcast",
            Self::Users => "users",
            Self::UserOn => "userOn",
            Self::OnlineCount => "online",
            Self::OnlinePage => "onlinePage",
            Self::MemberPage => "memberPage",
            Self::ChannelPage => "channelPage",
            Self::Frontends => "frontends",
            Self::Store => "store",
            Self::Lease
            | Self::LeaseKeys
            | Self::Leases
            | Self::Online
            | Self::OnlineMembers
            | Self::Index
            | Self::Gone
            | Self::Purge
            | Self::ChannelsOn
            | Self::Entered => "registry",
        }
    }
}

impl Kind {
    /// Returns whether it is a push, which is answered when the frontends have answered.
    pub const fn is_push(self) -> bool {
        matches!(
            self.arguments(),
            Arguments::Push | Arguments::PushUids | Arguments::Broadcast
        )
    }

    /// Returns whether it answers before it returns if there is no server to ask, as in 0.0.7. Newer methods answer in
    /// call order.
    pub const fn answers_at_once(self) -> bool {
        matches!(self, Self::GetMembersByChannelName | Self::PushMessage)
    }

    /// Returns whether it changes members, and so has a count of them for its promise.
    pub const fn is_counted(self) -> bool {
        matches!(
            self.code(),
            Some(Code::Command(Op::Write(WriteOp::Add | WriteOp::Remove)))
        )
    }

    /// Returns whether it answers a page.
    pub const fn is_page(self) -> bool {
        matches!(self.code(), Some(Code::Page(_)))
    }

    /// Returns whether it adds members on a frontend, which is then in the index of the store.
    pub const fn adds(self) -> bool {
        matches!(self.code(), Some(Code::Command(Op::Write(WriteOp::Add))))
    }

    /// Returns what the store answers for each key; `None` for a write, and for a page.
    pub const fn value(self) -> Option<ValueKind> {
        match self.code() {
            Some(Code::Command(Op::Read(op)) | Code::Everywhere(Op::Read(op), _)) => {
                Some(op.kind())
            }
            Some(Code::Combined(_)) => Some(ValueKind::List),
            Some(
                Code::Command(Op::Write(_))
                | Code::Everywhere(Op::Write(_), _)
                | Code::Page(_)
                | Code::Clean
                | Code::CleanChannels(_),
            )
            | None => None,
        }
    }
}

/// The methods that do not go to the store, and their arguments without the callback.
pub const LIFECYCLE: &[(&str, &[&str])] = &[("start", &[]), ("stop", &["force"])];
