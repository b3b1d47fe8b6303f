//! A call to the driver: a command of a batch, or what is executed in several steps.

use super::{Command, Op, PageOp};
use crate::{everywhere::Everywhere, list::Groups, pages::PageQuery, removal::Removal};

/// A call to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command, which may share a batch with others.
    Command(Command),
    /// A page of a long list, which is read in several steps. It is no part of a batch, but no barrier either.
    Page(PageQuery),
    /// An operation on channels on all frontends that are known when it is answered.
    Everywhere(Box<Everywhere>),
    /// Removes sets by their keys. A barrier: calls made before it are answered first, calls made after it wait.
    Clean(Box<Removal>),
}

/// The kind of a [`Request`], without its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A [`Request::Command`].
    Command(Op),
    /// A [`Command::combined`].
    Combined(Groups),
    /// A [`Request::Page`].
    Page(PageOp),
    /// A [`Request::Everywhere`] with this number of members.
    Everywhere(Op, u32),
    /// A [`Request::Clean`] of the whole prefix.
    Clean,
    /// A [`Request::Clean`] of this number of channels.
    CleanChannels(u32),
}

impl Request {
    /// Returns whether it changes the store.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        match self {
            Self::Command(command) => command.op.is_write(),
            Self::Page(_) => false,
            Self::Everywhere(everywhere) => everywhere.op.is_write(),
            Self::Clean(_) => true,
        }
    }

    /// Returns whether it removes channels, not all there are.
    #[must_use]
    pub const fn is_of_channels(&self) -> bool {
        matches!(self, Self::Clean(removal) if removal.is_of_channels())
    }

    /// Returns whether it must run alone.
    #[must_use]
    pub const fn is_barrier(&self) -> bool {
        matches!(self, Self::Clean(_))
    }

    /// Returns the command; `None` for what is not executed in a batch.
    #[must_use]
    pub const fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            Self::Everywhere(everywhere) => Some(everywhere.command()),
            Self::Page(_) | Self::Clean(_) => None,
        }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}
