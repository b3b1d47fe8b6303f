//! What is in flight on a connection: batches, answered in order, and pages ([`crate::pages`]). A page is among the
//! batches up to its first step, and then beside them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{FuturesOrdered, FuturesUnordered, Stream},
};

use crate::{
    command::Reply,
    error::Result,
    manager::Lost,
    pages::{FirstStep, Progress, RestOfPage},
};

/// The replies to a batch, one for each of its calls.
type Replies = Vec<Result<Reply>>;

/// What was answered.
pub(super) enum Answered {
    /// The oldest batch; a page too, if its first step was the last.
    Batch(Replies),
    /// The first step of a page, which was the oldest batch, and goes on.
    PageBegun,
    /// What was left of the page with this number.
    Page(u64, Replies),
}

/// The futures of what is in flight.
#[derive(Default)]
pub(super) struct InFlight {
    batches: FuturesOrdered<Sent>,
    pages: FuturesUnordered<Rest>,
}

/// What was sent: a batch, or a page with its number.
enum Sent {
    Batch(BoxFuture<'static, std::result::Result<Replies, Lost>>),
    Page(u64, FirstStep),
}

enum Done {
    Batch(Replies),
    Page(u64, Progress),
}

struct Rest(u64, RestOfPage);

impl InFlight {
    /// Adds a batch.
    pub(super) fn push(&mut self, replies: BoxFuture<'static, std::result::Result<Replies, Lost>>) {
        self.batches.push_back(Sent::Batch(replies));
    }

    /// Adds a page.
    pub(super) fn push_page(&mut self, number: u64, first: FirstStep) {
        self.batches.push_back(Sent::Page(number, first));
    }

    /// Returns how many batches are in flight, and pages whose first step is not done.
    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Returns how much is in flight.
    pub(super) fn len(&self) -> usize {
        self.batches.len() + self.pages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.pages.is_empty()
    }
}

impl Stream for InFlight {
    type Item = std::result::Result<Answered, Lost>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(Some(done)) = self.batches.poll_next_unpin(cx) {
            return Poll::Ready(Some(done.map(|done| match done {
                Done::Batch(replies) | Done::Page(_, Progress::Read(replies)) => {
                    Answered::Batch(replies)
                }
                Done::Page(number, Progress::Begun(rest)) => {
                    self.pages.push(Rest(number, rest));
                    Answered::PageBegun
                }
            })));
        }
        if self.pages.is_empty() {
            return Poll::Pending;
        }
        match self.pages.poll_next_unpin(cx) {
            Poll::Ready(Some((number, replies))) => {
                Poll::Ready(Some(replies.map(|replies| Answered::Page(number, replies))))
            }
            _ => Poll::Pending,
        }
    }
}

impl Future for Sent {
    type Output = std::result::Result<Done, Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Batch(replies) => replies.poll_unpin(cx).map_ok(Done::Batch),
            Self::Page(number, first) => {
                let number = *number;
                first.poll_unpin(cx).map_ok(|done| Done::Page(number, done))
            }
        }
    }
}

impl Future for Rest {
    type Output = (u64, std::result::Result<Replies, Lost>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.0;
        self.1.poll_unpin(cx).map(|replies| (number, replies))
    }
}
