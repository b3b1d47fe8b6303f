//! The unanswered calls: those in flight, those that wait, and what becomes of them. Every call leaves by exactly one
//! [`Event::Answer`]. Which of them are sent is in [`batches`], in which order behind operations on all frontends in
//! [`order`], how such an operation goes on in [`everywhere`], their time in [`deadlines`], what is sent again in
//! [`resend`], the pages that go on beside later calls in [`pages`], and the calls that are the driver's own in [`index`].

mod batches;
mod deadlines;
mod everywhere;
mod index;
mod order;
mod pages;
mod resend;

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

pub(super) use self::batches::Next;
use self::{
    everywhere::Held,
    index::Index,
    order::Unfinished,
    pages::Page,
    resend::{GROUP, Losses},
};
use super::{in_flight::Answered, limits::Limits, mailbox::Event};
use crate::{
    command::{Command, Op, ReadOp, Reply, Request, Value},
    error::{Error, Result},
    everywhere::Everywhere,
    known_sids::KnownSids,
    list::Unions,
    packed::MarkedSid,
    steps::Steps,
};

/// The number of calls in a batch: enough for full speed, and few enough for an early first answer.
pub(super) const BATCH: usize = 1024;

#[derive(Debug)]
struct PendingCall {
    /// Its number; `None` for a read or write of the index of frontends, which is the driver's own.
    seq: Option<u64>,
    request: Request,
    /// How many of the known frontends an operation on all of them, made before it, must have been executed on: enough
    /// to include its own. 0 if that one was known before.
    needs: usize,
    deadline: Option<Instant>,
    /// How many batches had been sent when it was taken from the inbox; wraps around.
    taken: u32,
    /// Whether it was given to a connection at least once.
    sent: bool,
    /// Whether it was answered as overdue while in flight; its reply is still to arrive.
    answered: bool,
    limit: Option<Duration>,
    /// Whether it was in flight on a connection whose server was demoted. All such calls come before the others.
    demoted: bool,
    losses: Losses,
}

#[derive(Debug)]
struct Batch {
    calls: Vec<PendingCall>,
    sent_at: Instant,
    /// Whether an operation on all frontends is among the calls.
    has_everywhere: bool,
    /// The progress of a barrier, or of a page.
    steps: Option<Steps>,
}

/// All unanswered calls: in flight, and waiting to be sent.
#[derive(Debug)]
pub(super) struct PendingCalls {
    limit: Option<Duration>,
    /// The time limit of a call that is a part of `start`.
    start_limit: Option<Duration>,
    /// Calls in flight, oldest first.
    batches: VecDeque<Batch>,
    /// Pages in flight whose first step is done, oldest first; all are earlier than the batches.
    pages: Vec<Page>,
    /// Calls to be sent, oldest first; all are later than those in flight.
    waiting: VecDeque<PendingCall>,
    /// When the first of the calls that share a deadline was made.
    window: Instant,
    /// When a call was pushed last.
    pushed: Instant,
    /// How many calls are sent at a time while they are sent carefully.
    group: usize,
    unions: Unions,
    sids: KnownSids,
    /// Operations on all frontends that are neither finished nor in flight nor among those that wait.
    held: Held,
    unfinished: Unfinished,
    /// What the next call needs, because a call about the same frontend may have been given up.
    next_needs: usize,
    index: Index,
    /// How many batches of commands were sent; wraps around.
    executed: u32,
    /// The same when a page or a barrier was sent last.
    alone: u32,
    /// The memory of a batch that was answered, for the next one.
    spare: Vec<PendingCall>,
}

impl PendingCalls {
    pub(super) fn new(limits: &Limits, sids: KnownSids) -> Self {
        let (limit, start) = (limits.command_timeout, limits.start_timeout);
        let now = Instant::now();
        Self {
            limit,
            start_limit: [limit, start].into_iter().flatten().min(),
            batches: VecDeque::new(),
            pages: Vec::new(),
            waiting: VecDeque::new(),
            window: now,
            pushed: now,
            group: GROUP,
            unions: Unions::default(),
            sids,
            held: Held::default(),
            unfinished: Unfinished::default(),
            next_needs: 0,
            index: Index::default(),
            executed: 0,
            alone: 0,
            spare: Vec::new(),
        }
    }

    pub(super) fn push(
        &mut self,
        seq: u64,
        marked: Option<MarkedSid>,
        mut request: Request,
        starting: bool,
        now: Instant,
    ) {
        let needs = marked.map_or(0, |marked| self.prepare(&marked, now));
        self.begin(&mut request, now);
        self.push_call(Some(seq), needs, request, starting, now);
    }

    #[inline]
    fn push_call(
        &mut self,
        seq: Option<u64>,
        needs: usize,
        request: Request,
        starting: bool,
        now: Instant,
    ) {
        self.open_window(now);
        let limit = if starting {
            self.start_limit
        } else {
            self.limit
        };
        self.waiting.push_back(PendingCall {
            seq,
            request,
            needs: needs.max(std::mem::take(&mut self.next_needs)),
            deadline: limit.map(|limit| self.window + limit),
            taken: self.executed,
            sent: false,
            answered: false,
            limit,
            demoted: false,
            losses: Losses::default(),
        });
    }

    /// Takes what was answered.
    pub(super) fn answered(&mut self, answered: Answered, events: &mut Vec<Event>) {
        match answered {
            Answered::Batch(replies) => self.reply(replies, events),
            Answered::PageBegun => self.page_begun(),
            Answered::Page(number, replies) => self.page_read(number, replies, events),
        }
    }

    /// Answers the calls of the oldest batch in flight.
    fn reply(&mut self, mut replies: Vec<Result<Reply>>, events: &mut Vec<Event>) {
        let Some(batch) = self.batches.pop_front() else {
            return;
        };
        let missing = || {
            Err(Error::Internal(
                "the manager gave too few replies".to_owned(),
            ))
        };
        if batch.is_barrier() {
            self.begin_anew(Instant::now());
        }
        batch.calls.first().inspect(|first| self.lived(first));
        if replies.len() < batch.calls.len() {
            replies.resize_with(batch.calls.len(), missing);
        }
        self.answer_all(batch.calls, batch.has_everywhere, replies, events);
    }

    /// Makes the values of an answer of what the store gave: combined lists, and whether a member is in a list that was
    /// read in place of that question.
    fn complete(&mut self, command: &Command, values: Vec<Result<Value>>) -> Vec<Result<Value>> {
        if let Some(groups) = command.groups() {
            return self.unions.combine(&values, groups);
        }
        let (Op::Read(ReadOp::IsMember), Some(member)) = (command.op(), command.members().get(0))
        else {
            return values;
        };
        let is_in = |value| match value {
            Value::List(list) => list.has(member).map(Value::Bool),
            value => Ok(value),
        };
        values
            .into_iter()
            .map(|value| value.and_then(is_in))
            .collect()
    }

    /// Returns how many members have to be looked at for the answers.
    pub(super) fn work(&mut self, answered: &Answered) -> usize {
        let (Answered::Batch(replies), Some(batch)) = (answered, self.batches.front()) else {
            return 0;
        };
        let calls = batch.calls.iter().zip(replies);
        let work = calls.map(|(call, reply)| match (call.request.command(), reply) {
            (Some(command), Ok(Reply::Values(values))) => match (command.groups(), command.op()) {
                (Some(groups), _) => self.unions.work(values, groups),
                (None, Op::Read(ReadOp::IsMember)) => {
                    let lists = values.iter().flatten().filter_map(Value::list);
                    lists.map(|list| list.len()).sum()
                }
                _ => 0,
            },
            _ => 0,
        });
        work.sum()
    }

    /// Answers calls with their replies; `has_everywhere` tells whether some of them may have to go on.
    fn answer_all(
        &mut self,
        mut calls: Vec<PendingCall>,
        has_everywhere: bool,
        replies: Vec<Result<Reply>>,
        events: &mut Vec<Event>,
    ) {
        let replies = replies.into_iter();
        if has_everywhere {
            for (call, reply) in calls.drain(..).zip(replies) {
                let reply = self.completed(&call, reply);
                self.answer_everywhere(call, reply, events);
            }
        } else {
            // Calls are large: they are not moved.
            for (call, reply) in calls.iter().zip(replies) {
                let reply = self.completed(call, reply);
                self.answer(call, reply, events);
            }
            calls.clear();
        }
        if (self.spare.capacity()..=2 * BATCH).contains(&calls.capacity()) {
            self.spare = calls;
        }
    }

    /// Makes the reply to a call of what the store gave.
    #[inline]
    fn completed(&mut self, call: &PendingCall, reply: Result<Reply>) -> Result<Reply> {
        match reply {
            Ok(Reply::Values(values)) if !call.answered => match call.request.command() {
                Some(command) => Ok(Reply::Values(self.complete(command, values))),
                None => Ok(Reply::Values(values)),
            },
            Ok(Reply::Removed(count)) if call.request.is_of_channels() => Ok(Reply::Changed(count)),
            reply => reply,
        }
    }

    /// Answers a call that is finished.
    #[inline]
    fn answer(&mut self, call: &PendingCall, reply: Result<Reply>, events: &mut Vec<Event>) {
        if call.seq.is_none() {
            self.index_answered(call, reply);
        } else {
            call.answer(reply, events);
        }
    }

    fn wait_again(&mut self, call: PendingCall) {
        let is_rest = call.everywhere().is_some_and(Everywhere::is_under_way);
        match (call.answered, call.seq, is_rest) {
            (false, _, false) => self.waiting.push_front(call),
            (false, _, true) => self.held.go_on(call),
            (true, None, _) => self.index.given_up(&call.request),
            (true, Some(_), _) => {}
        }
    }

    /// Answers the writes that may have taken effect, or may still do so.
    pub(super) fn fail_sent_writes(&mut self, error: &Error, events: &mut Vec<Event>) {
        let (failed, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(PendingCall::is_sent_write);
        self.waiting = kept;
        for call in self
            .held
            .take_rests_if(PendingCall::is_sent_write)
            .into_iter()
            .chain(failed)
        {
            if call.seq.is_none() {
                self.index.given_up(&call.request);
            }
            call.answer(Err(error.clone()), events);
        }
    }

    pub(super) fn fail_all(&mut self, error: &Error, events: &mut Vec<Event>) {
        let held = self.held.take_all();
        let sent = self.take_in_flight();
        for call in held.chain(sent).chain(self.waiting.drain(..)) {
            if call.seq.is_none() {
                self.index.given_up(&call.request);
            }
            call.answer(Err(error.clone()), events);
        }
    }

    fn barrier_in_flight(&self) -> bool {
        self.batches.front().is_some_and(Batch::is_barrier)
    }

    /// Returns whether calls wait to be sent.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns whether every call of the app has its answer.
    pub(super) fn is_empty(&self) -> bool {
        let answered = |call: &PendingCall| call.answered || call.seq.is_none();
        self.held.is_empty() && self.waiting.iter().all(answered) && self.in_flight().all(answered)
    }

    /// Returns whether nothing is in flight either that is the driver's own.
    pub(super) fn is_drained(&self) -> bool {
        self.is_empty() && self.in_flight().all(|call| call.answered)
    }

    /// Iterates over the calls in flight, oldest first.
    fn in_flight(&self) -> impl Iterator<Item = &PendingCall> {
        let pages = self.pages.iter().map(|page| &page.call);
        pages.chain(self.batches.iter().flat_map(|batch| &batch.calls))
    }

    /// Takes the calls in flight, oldest first.
    fn take_in_flight(&mut self) -> impl DoubleEndedIterator<Item = PendingCall> + use<> {
        let pages = std::mem::take(&mut self.pages).into_iter();
        let batches = std::mem::take(&mut self.batches).into_iter();
        let batches = batches.flat_map(|batch| batch.calls);
        pages.map(|page| page.call).chain(batches)
    }
}

impl PendingCall {
    fn answer(&self, reply: Result<Reply>, events: &mut Vec<Event>) {
        if let (Some(seq), false) = (self.seq, self.answered) {
            events.push(Event::Answer(seq, reply));
        }
    }

    fn is_sent_write(&self) -> bool {
        self.sent && self.request.is_write()
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}
