//! What becomes of the replies of the store: they are completed to answers, each to its call.

use tokio::time::Instant;

use super::{BATCH, PendingCall, PendingCalls};
use crate::{
    command::{Command, Op, ReadOp, Reply, Value},
    driver::{in_flight::Answered, mailbox::Event},
    error::{Error, Result},
};

impl PendingCalls {
    /// Takes what was answered.
    pub(in crate::driver) fn answered(&mut self, answered: Answered, events: &mut Vec<Event>) {
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
    pub(in crate::driver) fn work(&mut self, answered: &Answered) -> usize {
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
    pub(super) fn answer_all(
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
    pub(super) fn answer(
        &mut self,
        call: &PendingCall,
        reply: Result<Reply>,
        events: &mut Vec<Event>,
    ) {
        if call.seq.is_none() {
            self.index_answered(call, reply);
        } else {
            call.answer(reply, events);
        }
    }
}
