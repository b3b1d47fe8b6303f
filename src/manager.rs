//! What the driver needs of a store. A [`Manager`] opens [`Connection`]s; a connection takes a batch of
//! commands and gives the same number of replies, in order. Queueing, deadlines, order and
//! reconnecting are the driver's, once for every manager.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::time::{Instant, timeout_at};

use crate::{
    command::{Command, Member, Reply},
    error::{Error, Result},
    keys::Key,
    steps::Steps,
};

/// A store that can be connected to, again and again.
pub trait Manager: Send + Sync + 'static {
    /// An open connection to it.
    type Connection: Connection;

    /// Opens a connection that is ready for commands.
    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, std::result::Result<Connected<Self::Connection>, ConnectError>>;

    /// Completes when there is reason to try at once, and not after the pause between two attempts.
    fn retry_hint(&self) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    /// Whether [`Self::connect`] finds the primary itself, and gives nothing else. Then calls wait for it; otherwise,
    /// what a server answers that is none is a call's answer in the end.
    fn elects(&self) -> bool {
        false
    }

    /// Where the store is, for logs and errors; without secrets.
    fn describe(&self) -> String;

    /// What may be the reason if an attempt to connect takes too long: the end of a sentence.
    fn timeout_hint(&self) -> Option<&'static str> {
        None
    }
}

/// An open connection. Batches are executed in the order of the calls to [`Connection::execute`].
pub trait Connection: Send + 'static {
    /// How many calls the next batch had better hold at most. Large answers are better had a few at a
    /// time: then the store, this thread and JavaScript work on different ones.
    fn batch_size(&self) -> usize {
        usize::MAX
    }

    /// How many batches may be in flight. A store that answers at once had better have one at a time, and
    /// let the next one grow meanwhile.
    fn depth(&self) -> usize {
        32
    }

    /// How long it is worth to look for the next call before sleeping, after this connection has answered. For a
    /// store that answers at once, waking a thread is most of what a call costs.
    fn busy_poll(&self) -> Duration {
        Duration::ZERO
    }

    /// Starts executing a batch without a barrier; the future holds the replies, one for each command.
    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>>;

    /// Starts executing [`Command::Clean`]; the future holds the one reply. Each step is told to `steps`, so that
    /// the driver can limit its time: this has no limit of its own.
    fn clean(
        &self,
        stem: &Key,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>>;

    /// Why the server on the other end is not the primary any more, if one of its last answers has said so.
    fn demoted(&self) -> Option<Arc<str>> {
        None
    }

    /// Asks the store for a sign of life, after a time in which nothing was heard of it. It is there as soon as
    /// anything has arrived since, so that a slow connection is not taken for a dead one. `None` = this connection needs no
    /// asking: its end cannot go unnoticed.
    fn ping(&self) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        None
    }

    /// Why [`Connected::closed`] has completed, if the connection knows.
    fn cause_of_end(&self) -> Option<Arc<str>> {
        None
    }

    /// Ends it in order, after a stop. It is given up where that takes too long; a connection that is only
    /// dropped ends at once.
    fn close(self) -> BoxFuture<'static, ()>
    where
        Self: Sized,
    {
        drop(self);
        std::future::ready(()).boxed()
    }

    /// [`Self::close`] as a stop does it, which gives up at this time. A connection that has reason to takes longer, but
    /// not so long that a framework ends the process meanwhile. Says what was not done, as a line for
    /// the log.
    fn close_by(self, give_up: Instant) -> BoxFuture<'static, Option<String>>
    where
        Self: Sized,
    {
        let closed = self.close();
        async move {
            let _ = timeout_at(give_up, closed).await;
            None
        }
        .boxed()
    }
}

/// A connection through which one can see what its store holds.
pub trait Inventory: Connection + Sync {
    /// Every set whose key begins with `stem`, in no order. A key may come twice; what comes or goes
    /// meanwhile may be among them or not.
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>>;

    /// The members of one set, in parts that fit in memory. A member may come twice. None if there is no
    /// such set.
    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>>;

    /// How many members each set has; 0 where there is no such set.
    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>>;

    /// [`Connection::close`], for a connection of whatever kind.
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A fresh connection.
pub struct Connected<L> {
    /// The connection itself.
    pub connection: L,
    /// Completes when the connection is gone, also when nothing is in flight.
    pub closed: BoxFuture<'static, ()>,
    /// Whether nothing sent over the previous connection can take effect any more, so that unanswered
    /// writes may be sent again.
    pub fenced: bool,
    /// A line for the log.
    pub note: Option<String>,
}

/// Why a connection could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// The store answered and said no (wrong password, no such db): its words. Trying again does
    /// not help.
    Refused(Arc<str>),
    /// Nobody answered, or not yet.
    Unreachable(Arc<str>),
}

impl ConnectError {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &Arc<str> {
        match self {
            Self::Refused(words) | Self::Unreachable(words) => words,
        }
    }

    /// The same with other words.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Arc<str>) -> Arc<str>) -> Self {
        match self {
            Self::Refused(words) => Self::Refused(change(words)),
            Self::Unreachable(words) => Self::Unreachable(change(words)),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// The connection broke; it is not known which commands of the batch took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost(pub Arc<str>);

impl From<Lost> for Error {
    fn from(Lost(words): Lost) -> Self {
        Self::Disconnected { cause: Some(words) }
    }
}
