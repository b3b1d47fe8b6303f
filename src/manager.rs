//! The interface of a store to the driver. A [`Manager`] opens [`Connection`]s; a connection executes a batch of
//! commands and returns one reply for each, in order. Queueing, deadlines, order and reconnecting are done by the
//! driver, once for all managers.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::time::{Instant, timeout_at};

use crate::{
    command::{Command, Member, Reply},
    error::{Error, Result},
    keys::Key,
    lone_socket::LoneSocket,
    pages::PageSource,
    removal::Removal,
    steps::Steps,
};

/// A store that can be connected to repeatedly.
pub trait Manager: Send + Sync + 'static {
    /// An open connection to it.
    type Connection: Connection;

    /// Opens a connection that is ready for commands.
    fn connect(
        self: Arc<Self>,
    ) -> BoxFuture<'static, std::result::Result<Connected<Self::Connection>, ConnectError>>;

    /// Resolves when reconnecting early may succeed, before the backoff between two attempts has passed.
    fn retry_hint(&self) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    /// Returns whether [`Self::connect`] finds the primary itself, and connects to nothing else. Calls then wait for
    /// it; otherwise the refusal of a server that is not a primary is in the end the answer to a call.
    fn elects(&self) -> bool {
        false
    }

    /// Returns whether a store that is connected to again may have lost some of what it has acknowledged, as after a
    /// failover.
    fn may_lose_writes(&self) -> bool {
        true
    }

    /// Returns the address of the store, for logs and errors; without secrets.
    fn describe(&self) -> String;

    /// Returns what may be the reason if an attempt to connect takes too long, as the end of a sentence.
    fn timeout_hint(&self) -> Option<&'static str> {
        None
    }
}

/// What the driver says of the calls of a batch, and of those that wait behind it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue {
    /// How many of the last batches, before this one, were sent when all calls of this one had been made.
    pub waited: u32,
    /// Whether other calls wait.
    pub is_behind: bool,
}

/// An open connection. Batches are executed in the order of the calls to [`Connection::execute`].
pub trait Connection: Send + 'static {
    /// Returns how many calls the next batch should hold at most. With large replies, small batches let the store, this
    /// thread and JavaScript work in parallel.
    fn batch_size(&self) -> usize {
        usize::MAX
    }

    /// Returns how many batches may be in flight. For a store that answers at once it should be one: the next batch
    /// gathers meanwhile.
    fn depth(&self) -> usize {
        32
    }

    /// Returns its socket, if the event loop can await replies on it.
    fn lone_socket(&self) -> Option<LoneSocket> {
        None
    }

    /// Returns how long busy-polling for the next call pays off after this connection has answered. For a store that
    /// answers at once, waking a thread is most of the cost of a call.
    fn busy_poll(&self) -> Duration {
        Duration::ZERO
    }

    /// Starts executing a batch; the future resolves to the replies, one for each command.
    fn execute(
        &self,
        batch: &[&Command],
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>>;

    /// The same, for a connection that uses what it is told of the queue.
    fn execute_from(
        &self,
        batch: &[&Command],
        _queue: Queue,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>> {
        self.execute(batch)
    }

    /// Returns what pages are read from. They are read in order with batches, as far as the first step goes.
    fn pages(&self) -> Arc<dyn PageSource>;

    /// Returns what steps beside the calls are read from, which have no place in the order of the batches.
    fn pages_beside(&self) -> Arc<dyn PageSource> {
        self.pages()
    }

    /// Starts executing [`crate::command::Request::Clean`]; the future resolves to the reply. Each step is reported to
    /// `steps`, so that the driver can limit its time: as a whole it has no limit.
    fn clean(
        &self,
        removal: &Removal,
        steps: Steps,
    ) -> BoxFuture<'static, std::result::Result<Vec<Result<Reply>>, Lost>>;

    /// Streams the keys that begin with `stem`, in no order, beside batches. A key may come twice, and need not be one of
    /// a set; keys that are added or removed meanwhile may be among them or not.
    fn found(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>>;

    /// Returns why the server is no longer the primary, if one of its last answers said so.
    fn demoted(&self) -> Option<Arc<str>> {
        None
    }

    /// Returns a line for the log that came up since the last call, if there is one.
    fn take_note(&self) -> Option<String> {
        None
    }

    /// Pings the store, after a time without any data from it. Resolves as soon as any data arrives, so that a slow
    /// connection does not count as dead. `None` means that this connection needs no heartbeat, because its end is
    /// always detected.
    fn ping(&self) -> Option<BoxFuture<'static, std::result::Result<(), Lost>>> {
        None
    }

    /// Returns why [`Connected::closed`] has completed, if the connection knows.
    fn cause_of_end(&self) -> Option<Arc<str>> {
        None
    }

    /// Closes the connection in order, after a stop. A connection that is only dropped ends at once.
    fn close(self) -> BoxFuture<'static, ()>
    where
        Self: Sized,
    {
        drop(self);
        std::future::ready(()).boxed()
    }

    /// Closes the connection at a stop, as [`Self::close`], but gives up at `give_up`. A connection may take longer if
    /// it has to, but not so long that a framework ends the process meanwhile. Returns what was not done, as a line for
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

/// A connection that can list what its store holds.
pub trait Inventory: Connection + Sync {
    /// Streams the key of every set that begins with `stem`, in no order. A key may come twice; keys that are added or
    /// removed meanwhile may be among them or not.
    fn keys(&self, stem: &[u8]) -> BoxStream<'static, Result<Vec<Key>>>;

    /// Streams the members of one set, in parts that fit in memory. A member may come twice. Empty if there is no such
    /// set.
    fn members(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Member>>>;

    /// Returns how many members each set has; 0 where there is no such set.
    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>>;

    /// Returns the type of each key, as `TYPE` in Redis: `set` for a channel, `none` where there is no such key.
    fn kinds(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<Arc<str>>>> {
        // Where there is nothing but channels.
        let kinds = vec![Arc::from("set"); keys.len()];
        std::future::ready(Ok(kinds)).boxed()
    }

    /// Returns name and version of the server; `None` if it does not say, or may not be asked.
    fn version(&self) -> BoxFuture<'static, Option<String>> {
        std::future::ready(None).boxed()
    }

    /// Returns the kinds of keys beside those of [`Self::keys`], where another layout is read.
    fn others(&self) -> Vec<Others> {
        Vec::new()
    }

    /// Closes a connection of any kind; see [`Connection::close`].
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Keys that are not read, of one kind.
pub struct Others {
    /// What they hold.
    pub what: &'static str,
    /// What they begin with.
    pub stem: Key,
    /// These keys; one may come twice.
    pub keys: BoxStream<'static, Result<Vec<Key>>>,
}

/// A connection that can read what is not in our layout; [`Connection::found`] finds keys that hold anything.
pub trait Keyspace: Inventory {
    /// Streams the fields of one hash with their values, in parts. A field may come twice. Empty if there is no such hash.
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>>;
}

/// A field of a hash, and its value.
pub type Field = (Vec<u8>, Vec<u8>);

/// A new connection.
pub struct Connected<L> {
    /// The connection itself.
    pub connection: L,
    /// Completes when the connection is gone, also when nothing is in flight.
    pub closed: BoxFuture<'static, ()>,
    /// Whether it is fenced: nothing sent over the previous connection can take effect any more, so that unanswered
    /// writes may be sent again.
    pub fenced: bool,
    /// A line for the log.
    pub note: Option<String>,
}

/// Why a connection could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// The store refused (wrong password, no such db): its text. Retrying does not help.
    Refused(Arc<str>),
    /// There was no answer, or one that may change: retrying may help.
    Unreachable(Arc<str>),
}

impl ConnectError {
    /// Returns the reason as text.
    #[must_use]
    pub fn words(&self) -> &Arc<str> {
        match self {
            Self::Refused(words) | Self::Unreachable(words) => words,
        }
    }

    /// Makes the error of an attempt without an answer within `limit`. `hint` says what may be the reason, as the end of a
    /// sentence.
    #[must_use]
    pub fn late(limit: impl fmt::Display, hint: Option<&str>) -> Self {
        let space = if hint.is_some() { " " } else { "" };
        let hint = hint.unwrap_or_default();
        Self::Unreachable(format!("no answer within {limit}{space}{hint}").into())
    }

    /// Changes the text.
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

/// The connection broke, for this reason; it is unknown which commands of the batch took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost(pub Arc<str>);

impl From<Lost> for Error {
    fn from(Lost(words): Lost) -> Self {
        Self::Disconnected { cause: Some(words) }
    }
}
