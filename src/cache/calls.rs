//! The calls whose replies are not released yet: what each of their reads waits for, and the replies so far.

use std::{collections::VecDeque, sync::Arc};

use super::HashMap;
use crate::{
    command::{Reply, Value},
    error::{Error, Result},
    failpoints::fail_point,
    list::List,
    list_lru::SharedKey,
};

/// The position of a read, or of the only command, of a call in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpId {
    pub(super) batch: u64,
    pub(super) call: usize,
    pub(super) read: usize,
}

/// The position of a command in a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommandId {
    pub(super) flight: u64,
    pub(super) slot: usize,
}

/// The position of a group of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupId {
    pub(super) flight: u64,
    pub(super) index: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Call {
    /// A command that goes to the store unchanged.
    Command {
        keys: Arc<[SharedKey]>,
        /// Whether it may be about other keys too.
        is_open: bool,
        result: Option<Result<Reply>>,
    },
    /// Reads that may be answered from memory.
    Reads(Vec<Read>),
}

#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) key: SharedKey,
    pub(super) state: State,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    /// A candidate, in this group of this flight: its batch's, or a later one in which it is confirmed anew.
    Candidate(GroupId),
    /// Waits for the answer to this command.
    Waiting(CommandId),
    Known(Result<Arc<List>>),
}

#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) no: u64,
    pub(super) calls: Vec<Call>,
    /// The number of reads and commands without an answer.
    missing: usize,
}

/// The batches, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(VecDeque<Batch>);

impl Calls {
    pub(super) fn push(&mut self, no: u64, calls: Vec<Call>) {
        let missing = |call: &Call| match call {
            Call::Command { .. } => 1,
            Call::Reads(reads) => {
                let known = |read: &&Read| !matches!(read.state, State::Known(_));
                reads.iter().filter(known).count()
            }
        };
        let missing = calls.iter().map(missing).sum();
        self.0.push_back(Batch { no, calls, missing });
    }

    /// Records the answer to a command that went to the store unchanged.
    pub(super) fn replied(&mut self, at: OpId, answer: Result<Reply>) {
        if let Some(batch) = self.batch(at.batch)
            && let Some(Call::Command { result, .. }) = batch.calls.get_mut(at.call)
            && result.is_none()
        {
            *result = Some(answer);
            batch.missing -= 1;
        }
    }

    /// Records the answer to a load, for the reads that still wait for it.
    pub(super) fn answered(&mut self, at: OpId, place: CommandId, result: &Result<Arc<List>>) {
        if let Some(batch) = self.batch(at.batch)
            && let Some(Call::Reads(reads)) = batch.calls.get_mut(at.call)
            && let Some(read) = reads.get_mut(at.read)
            && matches!(read.state, State::Waiting(waits_for) if waits_for == place)
        {
            read.state = State::Known(result.clone());
            batch.missing -= 1;
        }
    }

    /// Answers a read, if it is still a candidate of this flight. Returns whether it was.
    pub(super) fn serve(&mut self, at: OpId, flight: u64, list: &Arc<List>) -> bool {
        self.batch(at.batch)
            .is_some_and(|batch| batch.serve((at.call, at.read), flight, list.clone()))
    }

    /// Returns for each key the last command that went to the store unchanged, of the calls from batch `no` on.
    pub(super) fn last_commands(&self, no: u64) -> LastCommands {
        let mut last = LastCommands::default();
        for batch in self.0.iter().filter(|batch| batch.no >= no) {
            for (index, call) in batch.calls.iter().enumerate() {
                if let Call::Command { keys, is_open, .. } = call {
                    let at = (batch.no, index);
                    last.by_key.extend(keys.iter().map(|key| (key.clone(), at)));
                    last.open = if *is_open { Some(at) } else { last.open };
                }
            }
        }
        last
    }

    /// Returns the batches from `no` on.
    pub(super) fn from(&mut self, no: u64) -> impl Iterator<Item = &mut Batch> {
        self.0.iter_mut().filter(move |batch| batch.no >= no)
    }

    /// Takes the oldest batches, up to the first one without all of its answers.
    pub(super) fn finished(&mut self) -> Vec<(u64, Vec<Result<Reply>>)> {
        let mut finished = Vec::new();
        while self.0.front().is_some_and(|batch| batch.missing == 0)
            && let Some(batch) = self.0.pop_front()
        {
            let replies = batch.calls.into_iter().map(Call::reply).collect();
            finished.push((batch.no, replies));
        }
        finished
    }

    fn batch(&mut self, no: u64) -> Option<&mut Batch> {
        let index = self.0.binary_search_by_key(&no, |batch| batch.no).ok()?;
        self.0.get_mut(index)
    }
}

/// The last commands that went to the store unchanged: batch and call.
#[derive(Debug, Default)]
pub(super) struct LastCommands {
    by_key: HashMap<SharedKey, (u64, usize)>,
    /// The last one that may be about any key.
    open: Option<(u64, usize)>,
}

impl LastCommands {
    /// Returns whether there is one about this key after a call.
    pub(super) fn is_after(&self, key: &SharedKey, call: (u64, usize)) -> bool {
        self.by_key.get(key).copied().max(self.open) > Some(call)
    }
}

impl Batch {
    /// Has a read answered in another way. If it had its answer, which was not released yet, it loses it. Returns whether it
    /// was a candidate and is none now.
    pub(super) fn redirect(&mut self, call: usize, read: usize, state: State) -> bool {
        let Some(Call::Reads(reads)) = self.calls.get_mut(call) else {
            return false;
        };
        let Some(read) = reads.get_mut(read) else {
            return false;
        };
        let is_candidate = matches!(state, State::Candidate(_));
        let was = std::mem::replace(&mut read.state, state);
        if let State::Known(_) = was {
            self.missing += 1;
        }
        matches!(was, State::Candidate(_)) && !is_candidate
    }

    /// Answers a read, if it is still a candidate of this flight: it may have been moved to another one. Returns whether it
    /// was.
    pub(super) fn serve(
        &mut self,
        (call, read): (usize, usize),
        flight: u64,
        list: Arc<List>,
    ) -> bool {
        if let Some(Call::Reads(reads)) = self.calls.get_mut(call)
            && let Some(read) = reads.get_mut(read)
            && let State::Candidate(of) = read.state
            && serves(of, flight)
        {
            read.state = State::Known(Ok(list));
            self.missing -= 1;
            return true;
        }
        false
    }
}

fn serves(candidate: GroupId, flight: u64) -> bool {
    fail_point!("serves-moved", Some(true));
    candidate.flight == flight
}

impl Call {
    fn reply(self) -> Result<Reply> {
        match self {
            Self::Command { result, .. } => result.unwrap_or_else(|| Err(unknown())),
            Self::Reads(reads) => {
                let lists = reads.into_iter().map(|read| match read.state {
                    State::Known(result) => result.map(Value::List),
                    State::Candidate(_) | State::Waiting(_) => Err(unknown()),
                });
                Ok(Reply::Values(lists.collect()))
            }
        }
    }
}

fn unknown() -> Error {
    Error::Internal("a call without an answer".to_owned())
}
