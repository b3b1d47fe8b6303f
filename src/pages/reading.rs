//! A page in flight. Its first step has a place among the calls before and after it; the others are done beside later
//! calls, which so do not wait for a page of many steps.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::task::unconstrained;

use super::{Entered, Given, KeyFilter, PageQuery, PageSource, StepFuture, read};
use crate::{
    command::Reply,
    error::{Error, Result},
    keys::Key,
    manager::Lost,
    steps::Steps,
};

/// The reply to a page, as that of a batch of one call.
type Replies = std::result::Result<Vec<Result<Reply>>, Lost>;

/// What is left of a page after its first step; the future of its reply.
pub type RestOfPage = BoxFuture<'static, Replies>;

/// What a page has come to.
pub enum Progress {
    /// It is read.
    Read(Vec<Result<Reply>>),
    /// Its first step was done.
    Begun(RestOfPage),
}

/// A page up to its first step; the future of its [`Progress`].
pub struct FirstStep {
    /// `None` once it was given away.
    page: Option<RestOfPage>,
    steps: Steps,
}

impl FirstStep {
    /// Begins to read a page, and notes its progress: what is sent first comes before what the caller sends later.
    pub fn begin(
        source: Arc<dyn PageSource>,
        query: PageQuery,
        given: Arc<Given>,
        steps: Steps,
    ) -> Self {
        let noted = Noted {
            source,
            steps: steps.clone(),
        };
        let mut page = reply(Arc::new(noted), query, given).boxed();
        // Without tokio's budget, which might delay the sending by a turn.
        let mut polled = Box::pin(unconstrained(&mut page));
        let poll = polled.poll_unpin(&mut Context::from_waker(Waker::noop()));
        drop(polled);
        let page = match poll {
            Poll::Ready(done) => std::future::ready(done).boxed(),
            Poll::Pending => page,
        };
        Self {
            page: Some(page),
            steps,
        }
    }
}

impl Future for FirstStep {
    type Output = std::result::Result<Progress, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(page) = &mut self.page else {
            return Poll::Pending;
        };
        match page.poll_unpin(cx) {
            Poll::Ready(done) => Poll::Ready(done.map(Progress::Read)),
            Poll::Pending if self.steps.are_any() => match self.page.take() {
                Some(rest) => Poll::Ready(Ok(Progress::Begun(rest))),
                None => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Reads a page, as the reply of a batch of one call.
pub(super) async fn reply(
    source: Arc<dyn PageSource>,
    query: PageQuery,
    given: Arc<Given>,
) -> Replies {
    match read(&*source, &query, &given).await {
        Err(Error::Disconnected { cause }) => Err(Lost(
            cause.unwrap_or_else(|| "the connection is gone".into()),
        )),
        page => Ok(vec![page.map(Reply::from)]),
    }
}

/// A source whose steps are noted.
struct Noted {
    source: Arc<dyn PageSource>,
    steps: Steps,
}

impl Noted {
    fn note<T: 'static>(&self, step: BoxFuture<'static, T>) -> BoxFuture<'static, T> {
        let steps = self.steps.clone();
        step.inspect(move |_| steps.next()).boxed()
    }
}

impl PageSource for Noted {
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture {
        self.note(self.source.members(key, position, count))
    }

    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture {
        self.note(self.source.keys(filter, position, count))
    }

    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>> {
        self.note(self.source.counts(keys))
    }

    fn enter(
        &self,
        keys: [Key; 2],
        position: Option<Vec<u8>>,
        count: usize,
    ) -> BoxFuture<'static, Result<Entered>> {
        self.note(self.source.enter(keys, position, count))
    }
}
