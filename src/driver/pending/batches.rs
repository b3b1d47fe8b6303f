//! Which of the calls that wait are sent next, and how: the batches.

use tokio::time::Instant;

use super::{Batch, PendingCall, PendingCalls, deadlines::WINDOW, order::Series, pages::Page};
use crate::{
    command::{Command, Request},
    manager::Queue,
    pages::PageQuery,
    removal::Removal,
    steps::Steps,
};

/// What is sent next.
pub(in crate::driver) enum Next<'a> {
    /// Commands, what is known of the queue that they were taken from, and how many of them are the app's.
    Calls(Vec<&'a Command>, Queue, usize),
    /// A page, its number, and where its progress is noted.
    Page(u64, &'a PageQuery, Steps),
    Clean(&'a Removal, Steps),
}

impl PendingCalls {
    /// Moves the next calls into flight and returns their commands. A barrier is in flight alone.
    pub(in crate::driver) fn next_batch(&mut self, most: usize) -> Option<Next<'_>> {
        self.pay_index();
        let mut calls = self.take_next(most)?;
        let now = Instant::now();
        let first = calls.first()?;
        let (alone, has_steps) = (first.request.is_barrier(), first.has_steps());
        let mut own = 0;
        for call in &mut calls {
            call.sent = true;
            if alone {
                // It may take long; the time limit applies to each of its steps.
                call.deadline = None;
            }
            if let Request::Clean(removal) = &mut call.request {
                removal.with_sids(self.sids.iter());
            }
            if call.seq.is_none() {
                own += 1;
                self.index.sent();
            }
        }
        // The connection counts as hung when the calls of its oldest batch are overdue, not later.
        let sent_at = if now.duration_since(self.window) < WINDOW {
            self.window
        } else {
            now
        };
        let has_everywhere =
            self.unfinished.are_any() && calls.iter().any(|call| call.everywhere().is_some());
        self.batches.push_back(Batch {
            calls,
            sent_at,
            has_everywhere,
            steps: has_steps.then(Steps::default),
        });
        let batch = self.batches.back()?;
        if let (Some(steps), [call]) = (&batch.steps, batch.calls.as_slice()) {
            self.alone = self.executed;
            match &call.request {
                Request::Clean(removal) => return Some(Next::Clean(removal, steps.clone())),
                Request::Page(query) => {
                    return Some(Next::Page(
                        call.seq.unwrap_or_default(),
                        query,
                        steps.clone(),
                    ));
                }
                Request::Command(_) | Request::Everywhere(_) => {}
            }
        }
        let mut commands = Vec::with_capacity(batch.calls.len());
        commands.extend(batch.calls.iter().filter_map(|call| call.request.command()));
        let of_app = commands.len() - own;
        let since = |batches: u32| self.executed.wrapping_sub(batches);
        let waited = batch.calls.iter().map(|call| since(call.taken)).min();
        let queue = Queue {
            // What was called after a page or a `clean` is not answered by what was sent before it.
            waited: waited.unwrap_or_default().min(since(self.alone)),
            is_behind: !self.waiting.is_empty(),
        };
        self.executed = self.executed.wrapping_add(1);
        Some(Next::Calls(commands, queue, of_app))
    }

    /// Takes the calls that are sent next.
    fn take_next(&mut self, most: usize) -> Option<Vec<PendingCall>> {
        let rests = self.rests_to_send(most);
        if rests > 0 {
            let first = self.held.rests().next();
            let careful = first.is_some_and(|first| first.losses.is_suspect());
            if self.must_wait(careful) {
                return None;
            }
            let count = if careful { 1 } else { rests };
            return Some(self.held.take_rests(count));
        }
        let first = self.waiting.front()?;
        let alone = first.request.is_barrier();
        let careful = self.careful();
        if self.must_wait(alone || careful.is_some()) {
            return None;
        }
        let most = careful.unwrap_or(most);
        let ahead = self.ahead();
        let count = if alone {
            usize::from(!ahead.holds(first))
        } else {
            let in_order = !self.unfinished.are_any();
            let mut series = Series::after(ahead);
            let is_next = |call: &&PendingCall| {
                call.request.command().is_some() && (in_order || series.takes(call))
            };
            let count = self.waiting.iter().take(most).take_while(is_next).count();
            // A page is in flight by itself, but beside others.
            let is_page = first.is_page() && !self.are_enough_pages() && !ahead.holds(first);
            count.max(usize::from(is_page))
        };
        (count > 0).then(|| {
            let mut calls = std::mem::take(&mut self.spare);
            calls.extend(self.waiting.drain(..count));
            calls
        })
    }

    /// Returns whether what is sent next, `alone` or not, has to wait for what is in flight.
    fn must_wait(&self, alone: bool) -> bool {
        let holds = |batch: &Batch| alone || batch.is_barrier() || batch.is_careful();
        let page_holds = |page: &Page| alone || page.call.losses.is_suspect();
        self.batches.front().is_some_and(holds) || self.pages.iter().any(page_holds)
    }
}

impl PendingCall {
    fn has_steps(&self) -> bool {
        self.is_page() || self.request.is_barrier()
    }
}

impl Batch {
    pub(super) fn is_barrier(&self) -> bool {
        // Without steps nothing has to be looked at.
        self.steps.is_some()
            && matches!(self.calls.first(), Some(first) if first.request.is_barrier())
    }
}
