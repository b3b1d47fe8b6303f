//! The unanswered calls: those in flight, those that wait, and their deadlines. Every call leaves by exactly one
//! [`Event::Answer`]. Deadlines rise with the order of the calls, because all calls have the same time limit, so
//! overdue calls are always a prefix. Calls that wait for a barrier in flight have no deadline; their time begins when
//! it ends.

mod everywhere;
mod index;
mod order;
mod resend;

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use self::{
    everywhere::Held,
    index::Index,
    order::{Series, Unfinished},
    resend::{GROUP, Losses},
};
use super::{limits::Limits, mailbox::Event};
use crate::{
    command::{Command, Op, ReadOp, Reply, Request, Value},
    error::{Cause, Error, Result},
    everywhere::Everywhere,
    known_sids::KnownSids,
    list::Unions,
    packed::MarkedSid,
    pages::PageQuery,
    removal::Removal,
    steps::Steps,
};

/// The number of calls in a batch: enough for full speed, and few enough for an early first answer.
pub(super) const BATCH: usize = 1024;

/// Calls made within this time share a deadline: the calls of one tick are handed over in several parts, and must not
/// end partly overdue and partly sent again.
const WINDOW: Duration = Duration::from_millis(10);

#[derive(Debug)]
struct PendingCall {
    /// Its number; `None` for a read or write of the index of frontends, which is the driver's own.
    seq: Option<u64>,
    request: Request,
    /// How many of the known frontends an operation on all of them, made before it, must have been executed on: enough
    /// to include its own. 0 if that one was known before.
    needs: usize,
    deadline: Option<Instant>,
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
    /// The progress of a barrier.
    steps: Option<Steps>,
}

/// What is sent next.
pub(super) enum Next<'a> {
    /// Commands, and how many of them are the app's.
    Calls(Vec<&'a Command>, usize),
    Page(&'a PageQuery),
    Clean(&'a Removal, Steps),
}

/// All unanswered calls: in flight, and waiting to be sent.
#[derive(Debug)]
pub(super) struct PendingCalls {
    limit: Option<Duration>,
    /// The time limit of a call that is a part of `start`.
    start_limit: Option<Duration>,
    /// Calls in flight, oldest first.
    batches: VecDeque<Batch>,
    /// Calls to be sent, oldest first; all are later than those in flight.
    waiting: VecDeque<PendingCall>,
    /// When the first of the calls that share a deadline was made.
    window: Instant,
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
}

impl PendingCalls {
    pub(super) fn new(limits: &Limits, sids: KnownSids) -> Self {
        let (limit, start) = (limits.command_timeout, limits.start_timeout);
        Self {
            limit,
            start_limit: [limit, start].into_iter().flatten().min(),
            batches: VecDeque::new(),
            waiting: VecDeque::new(),
            window: Instant::now(),
            group: GROUP,
            unions: Unions::default(),
            sids,
            held: Held::default(),
            unfinished: Unfinished::default(),
            next_needs: 0,
            index: Index::default(),
        }
    }

    pub(super) fn push(
        &mut self,
        seq: u64,
        marked: Option<MarkedSid>,
        request: Request,
        starting: bool,
        now: Instant,
    ) {
        let needs = marked.map_or(0, |marked| self.prepare(&marked, now));
        let request = self.prepared(request, now);
        self.push_call(Some(seq), needs, request, starting, now);
    }

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
            sent: false,
            answered: false,
            limit,
            demoted: false,
            losses: Losses::default(),
        });
    }

    fn open_window(&mut self, now: Instant) {
        if now.duration_since(self.window) >= WINDOW {
            self.window = now;
        }
    }

    /// Moves the next calls into flight and returns their commands. A barrier is in flight alone.
    pub(super) fn next_batch(&mut self, most: usize, now: Instant) -> Option<Next<'_>> {
        self.pay_index(now);
        let mut calls = self.take_next(most)?;
        let alone = calls.first()?.request.is_barrier();
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
            steps: alone.then(Steps::default),
        });
        let batch = self.batches.back()?;
        if let (Some(steps), [PendingCall { request, .. }]) = (&batch.steps, batch.calls.as_slice())
            && let Request::Clean(removal) = request
        {
            return Some(Next::Clean(removal, steps.clone()));
        }
        if let [PendingCall { request, .. }] = batch.calls.as_slice()
            && let Request::Page(query) = request
        {
            return Some(Next::Page(query));
        }
        let mut commands = Vec::with_capacity(batch.calls.len());
        commands.extend(batch.calls.iter().filter_map(|call| call.request.command()));
        let own = batch.calls.iter().filter(|call| call.seq.is_none()).count();
        let of_app = commands.len() - own;
        Some(Next::Calls(commands, of_app))
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
            let is_page = matches!(first.request, Request::Page(_)) && !ahead.holds(first);
            count.max(usize::from(is_page))
        };
        (count > 0).then(|| self.waiting.drain(..count).collect())
    }

    /// Returns whether what is sent next, `alone` or not, has to wait for what is in flight.
    fn must_wait(&self, alone: bool) -> bool {
        let holds = |batch: &Batch| alone || batch.is_barrier() || batch.is_careful();
        self.batches.front().is_some_and(holds)
    }

    /// Answers the calls of the oldest batch in flight.
    pub(super) fn reply(&mut self, replies: Vec<Result<Reply>>, events: &mut Vec<Event>) {
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
        self.lived(&batch);
        let replies = replies.into_iter().chain(std::iter::repeat_with(missing));
        self.answer_all(batch.calls, replies, events);
    }

    /// Makes the values of an answer of what the store gave: combined lists, and whether a member is in a list that was
    /// read in place of that question.
    fn complete(&mut self, command: &Command, values: Vec<Result<Value>>) -> Vec<Result<Value>> {
        if let Some(groups) = command.groups() {
            return self.unions.combine(values, groups);
        }
        let (Op::Read(ReadOp::IsMember), [member]) = (command.op(), command.members()) else {
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

    /// Answers calls with their replies.
    fn answer_all(
        &mut self,
        calls: Vec<PendingCall>,
        replies: impl IntoIterator<Item = Result<Reply>>,
        events: &mut Vec<Event>,
    ) {
        for (call, reply) in calls.into_iter().zip(replies) {
            let reply = match (reply, call.request.command()) {
                (Ok(Reply::Values(values)), Some(command)) if !call.answered => {
                    Ok(Reply::Values(self.complete(command, values)))
                }
                (Ok(Reply::Removed(count)), _) if call.request.is_of_channels() => {
                    Ok(Reply::Changed(count))
                }
                (reply, _) => reply,
            };
            if call.seq.is_none() {
                self.index_answered(&call, reply);
            } else {
                self.answer(call, reply, events);
            }
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

    /// Restarts the time limit of all calls that wait.
    fn begin_anew(&mut self, now: Instant) {
        self.begin_anew_from(0, now);
    }

    /// Restarts the time limit of the calls that wait from this place on.
    fn begin_anew_from(&mut self, place: usize, now: Instant) {
        self.window = now;
        for call in self.waiting.iter_mut().skip(place) {
            call.deadline = call.limit.map(|limit| now + limit);
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
        let sent = self.batches.drain(..).flat_map(|batch| batch.calls);
        for call in held.chain(sent).chain(self.waiting.drain(..)) {
            if call.seq.is_none() {
                self.index.given_up(&call.request);
            }
            call.answer(Err(error.clone()), events);
        }
    }

    /// Answers the calls that are overdue. Returns the time limit if the connection hangs: the oldest batch, or a step
    /// of a barrier, has been in flight for all of it.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        cause: &Cause,
        events: &mut Vec<Event>,
    ) -> Option<Duration> {
        let plain = self.limit;
        let timeout = |after| {
            let of_call = plain == Some(after);
            Err(Error::Timeout {
                after,
                option: if of_call {
                    "commandTimeout"
                } else {
                    "startTimeout"
                },
                cause: cause.clone(),
            })
        };
        for call in self.held.take_overdue(now, self.limit) {
            let limit = call.limit.unwrap_or_default();
            call.answer(timeout(limit), events);
        }
        let hangs = self.hangs().filter(|(at, _)| *at <= now);
        let hangs = hangs.map(|(_, limit)| limit);
        let held = self.barrier_in_flight();
        if let (Some(limit), Some(batch), true) = (hangs, self.batches.front_mut(), held) {
            for call in batch.calls.iter_mut().filter(|call| !call.answered) {
                call.answered = true;
                events.extend(call.seq.map(|seq| Event::Answer(seq, timeout(limit))));
            }
        }
        for call in self.batches.iter_mut().flat_map(|batch| &mut batch.calls) {
            if let (Some(limit), false, true) = (call.limit, call.answered, call.is_overdue(now)) {
                call.answered = true;
                events.extend(call.seq.map(|seq| Event::Answer(seq, timeout(limit))));
            }
        }
        while !held
            && self
                .waiting
                .front()
                .is_some_and(|call| call.is_overdue(now))
        {
            if let Some(call) = self.waiting.pop_front() {
                let limit = call.limit.unwrap_or_default();
                if call.seq.is_none() {
                    self.index.given_up(&call.request);
                }
                self.hand_on(call.needs);
                call.answer(timeout(limit), events);
            }
        }
        hangs
    }

    /// Returns when the connection counts as hung if nothing is answered, and the time limit.
    fn hangs(&self) -> Option<(Instant, Duration)> {
        let batch = self.batches.front()?;
        let limit = batch.calls.first()?.limit?;
        let since = batch.steps.as_ref().map_or(batch.sent_at, Steps::since);
        Some((since + limit, limit))
    }

    /// Returns the next time at which a call is overdue, or the connection counts as hung.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.front().filter(|_| !self.barrier_in_flight());
        let call = self
            .in_flight()
            .chain(waiting)
            .find_map(|call| call.deadline.filter(|_| !call.answered));
        let hangs = self.hangs().map(|(at, _)| at);
        let held = self.held.deadline(self.limit);
        [call, hangs, held].into_iter().flatten().min()
    }

    fn barrier_in_flight(&self) -> bool {
        self.batches.front().is_some_and(Batch::is_barrier)
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

    fn in_flight(&self) -> impl Iterator<Item = &PendingCall> {
        self.batches.iter().flat_map(|batch| &batch.calls)
    }
}

impl Batch {
    fn is_barrier(&self) -> bool {
        self.steps.is_some()
    }
}

impl PendingCall {
    fn answer(self, reply: Result<Reply>, events: &mut Vec<Event>) {
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
