//! Steps that are executed beside the calls ([`crate::command::PageOp::is_beside`]): slow work in the background, which has
//! no place in the order of the calls, so that none waits for it. One of them runs at a time. A step that is under way when the
//! connection is lost fails, and is not sent again; one that waits is executed on the next connection.

use std::{collections::VecDeque, sync::Arc};

use futures_util::future::BoxFuture;

use super::mailbox::Event;
use crate::{
    command::Reply,
    error::{Error, Result},
    pages::{self, Given, PageQuery, PageSource},
};

type Step = (u64, BoxFuture<'static, Result<Reply>>);

/// The steps that are not done.
#[derive(Default)]
pub(super) struct Beside {
    waiting: VecDeque<(u64, PageQuery)>,
    running: Option<Step>,
}

impl Beside {
    pub(super) fn push(&mut self, seq: u64, query: PageQuery) {
        self.waiting.push_back((seq, query));
    }

    /// Returns whether a step can begin.
    pub(super) fn is_ready(&self) -> bool {
        self.running.is_none() && !self.waiting.is_empty()
    }

    /// Returns whether no step is left.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// Begins with the next step.
    pub(super) fn begin(&mut self, source: Arc<dyn PageSource>, given: Arc<Given>) {
        if let Some((seq, query)) = self.waiting.pop_front() {
            let step = async move { pages::read(&*source, &query, &given).await.map(Reply::from) };
            self.running = Some((seq, Box::pin(step)));
        }
    }

    /// Waits for the step that runs; for ever if none does.
    pub(super) async fn done(&mut self) -> Event {
        let Some((seq, step)) = &mut self.running else {
            return std::future::pending().await;
        };
        let done = Event::Answer(*seq, step.await);
        self.running = None;
        done
    }

    /// Answers the step that runs: its connection is gone.
    pub(super) fn lost(&mut self, error: &Error, events: &mut Vec<Event>) {
        let running = self.running.take();
        events.extend(running.map(|(seq, _)| Event::Answer(seq, Err(error.clone()))));
    }

    /// Answers all steps.
    pub(super) fn fail_all(&mut self, error: &Error, events: &mut Vec<Event>) {
        self.lost(error, events);
        let waiting = self.waiting.drain(..);
        events.extend(waiting.map(|(seq, _)| Event::Answer(seq, Err(error.clone()))));
    }
}
