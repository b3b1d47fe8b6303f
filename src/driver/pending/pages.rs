//! Pages whose first step is done. The steps that are left are done beside later calls; the answer comes when it comes,
//! and the binding restores the call order. Each step has the time limit of a call for the connection, and the call
//! itself has its own.
//!
//! All calls that are in flight otherwise, and all that wait, are later than these.

use std::time::Duration;

use tokio::time::Instant;

use super::{Batch, PendingCall, PendingCalls};
use crate::{
    command::{Reply, Request},
    driver::mailbox::Event,
    error::Result,
    steps::Steps,
};

/// The maximum number of pages whose first step is done when another one is sent.
const MOST: usize = 8;

/// A page that goes on.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) call: PendingCall,
    steps: Steps,
}

impl Batch {
    /// Returns whether it is a page: in flight by itself, but beside others.
    fn is_page(&self) -> bool {
        matches!(self.calls.as_slice(), [call] if call.is_page())
    }
}

impl PendingCall {
    pub(super) fn is_page(&self) -> bool {
        matches!(self.request, Request::Page(_))
    }
}

impl PendingCalls {
    /// Lets the oldest batch, which is a page, go on beside later ones.
    pub(super) fn page_begun(&mut self) {
        if !self.batches.front().is_some_and(Batch::is_page) {
            return;
        }
        let Some(batch) = self.batches.pop_front() else {
            return;
        };
        let steps = batch.steps.unwrap_or_default();
        let pages = batch.calls.into_iter().map(|call| Page {
            call,
            steps: steps.clone(),
        });
        self.pages.extend(pages);
    }

    /// Answers the page with this number.
    pub(super) fn page_read(
        &mut self,
        number: u64,
        replies: Vec<Result<Reply>>,
        events: &mut Vec<Event>,
    ) {
        if let Some(call) = self.take_page(number, |_| true) {
            self.lived(&call);
            self.answer_all(vec![call], false, replies, events);
        }
    }

    /// Takes the page with this number, if `is_taken` says so.
    pub(super) fn take_page(
        &mut self,
        number: u64,
        is_taken: impl Fn(&PendingCall) -> bool,
    ) -> Option<PendingCall> {
        let is_it = |page: &Page| page.call.seq == Some(number) && is_taken(&page.call);
        let place = self.pages.iter().position(is_it)?;
        Some(self.pages.remove(place).call)
    }

    /// Returns whether so many pages go on that another one has to wait.
    pub(super) fn are_enough_pages(&self) -> bool {
        self.pages.len() >= MOST
    }

    /// Returns when the connection counts as hung because of a step of a page, and the time limit.
    pub(super) fn page_hangs(&self) -> Option<(Instant, Duration)> {
        let hangs = |page: &Page| Some((page.steps.since() + page.call.limit?, page.call.limit?));
        self.pages.iter().filter_map(hangs).min()
    }
}
