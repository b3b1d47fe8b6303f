//! From what the cache sends to a pipeline, and from its values to what the cache is answered, with the rereads that the answers
//! require.

use std::sync::{Arc, Mutex};

use redis::{Cmd, Pipeline, Value, aio::MultiplexedConnection};
use tokio::sync::oneshot;

use super::{
    codec::{self, SideEffects, command, list, placed_list, read},
    event_scripts::EventScripts,
    fallbacks::Missing,
    member_groups::Groups,
    role::Question,
    server_errors::{is_elsewhere, lost},
    state::{Replies, State, lock},
};
use crate::{
    cache::{Answer, Sent, Settled, Wire},
    command::{Command, ReadOp},
    failpoints::fail_point,
    manager::Lost,
};

/// Sends a pipeline, perhaps with a question at its end, and the rereads that its answers require, and waits until the
/// batch has its replies, which may come with a later batch.
///
/// No `async fn`, which holds its arguments twice: it is allocated for each batch, and glibc keeps what has
/// up to 1,032 bytes for the next one.
pub(super) fn run(
    mut connection: MultiplexedConnection,
    state: Arc<Mutex<State>>,
    mut sent: Sent,
    made: (Pipeline, Groups<'static>, Option<Question>),
    (calls, scripts): (usize, &'static EventScripts),
    mut replies: oneshot::Receiver<Replies>,
) -> impl Future<Output = std::result::Result<Replies, Lost>> {
    let (mut pipeline, mut groups, mut question) = made;
    async move {
        loop {
            let mut values = if pipeline.is_empty() {
                Vec::new()
            } else {
                let count = pipeline.len();
                let sent = connection.send_packed_commands(&pipeline, 0, count).await;
                match sent {
                    Ok(values) => values,
                    Err(error) => {
                        // No further reply will arrive.
                        lock(&state).waiting.clear();
                        // The replies are complete if the rereads are for other batches.
                        return replies.try_recv().map_err(|_| lost(&error));
                    }
                }
            };
            // The question was the last command.
            let answer = question
                .take()
                .and_then(|question| Some((question, values.pop()?)));
            let values = groups.split(values);
            lock(&state).observe(&values, answer);
            let mut values = values.into_iter();
            let decode = |wire| decode(wire, &mut values, scripts);
            let answers: Vec<Answer> = sent.wire.iter().map(decode).collect();
            let again = {
                let mut state = lock(&state);
                state.loaded(&sent.wire, &answers, calls);
                let Settled { finished, again } = state.session.settle(sent.no, answers);
                for (no, replies) in finished {
                    if let Some(sender) = state.waiting.remove(&no) {
                        // Dropped if the driver gave up on the connection.
                        let _ = sender.send(replies);
                    }
                }
                again
            };
            let Some(again) = again else { break };
            // Only reads of members.
            (pipeline, groups) = encode(
                &again.wire,
                &[],
                &Missing::default(),
                SideEffects::default(),
            );
            sent = again;
        }
        let gone = |_| Lost("the connection is gone".into());
        replies.await.map_err(gone)
    }
}

/// Makes the pipeline of what the cache sends, and which of its commands are answered as groups.
pub(super) fn encode(
    wire: &[Wire],
    batch: &[&Command],
    missing: &Missing,
    effects: SideEffects,
) -> (Pipeline, Groups<'static>) {
    let mut pipeline = Pipeline::with_capacity(2 * wire.len());
    let mut groups = Groups::default();
    for wire in wire {
        // The script of a group publishes nothing.
        if let (Wire::Command { index, .. }, None) = (wire, effects.publishing)
            && groups.take(batch[*index], &mut pipeline)
        {
            continue;
        }
        groups.end(&mut pipeline);
        match wire {
            Wire::Members(key) => {
                pipeline.add_command(read(ReadOp::Members, key));
            }
            Wire::Tracked(key) => {
                pipeline.add_command(caching());
                pipeline.add_command(read(ReadOp::Members, key));
            }
            Wire::Touch(keys) => {
                pipeline.add_command(command("TOUCH", keys));
            }
            Wire::Forget(keys) => {
                pipeline.add_command(forget(keys));
            }
            Wire::Command { index, .. } => {
                codec::encode(batch[*index], missing, effects, |command| {
                    pipeline.add_command(command);
                });
            }
        }
    }
    let groups = groups.finish(&mut pipeline);
    (pipeline, groups)
}

/// Makes `CLIENT CACHING YES`, which tells the server to track the key of the next command only.
pub(super) fn caching() -> Cmd {
    // Has the same kind of answer.
    fail_point!(
        "caching-not-sent",
        Some(command("CLIENT", ["TRACKING", "ON", "OPTIN"]))
    );
    command("CLIENT", ["CACHING", "YES"])
}

/// Changes keys that do not exist, so that the server forgets that they were read, and restores them. The member is
/// never visible, because a script is atomic.
const FORGET: &str = "for _, key in ipairs(KEYS) do \
    if redis.call('TOUCH', key) == 0 then redis.call('SADD', key, '') redis.call('SREM', key, '') end \
    end";

/// Makes the script that has the server forget these keys.
pub(super) fn forget<K: AsRef<[u8]>>(keys: &[K]) -> Cmd {
    let count = keys.len().to_string();
    let args = [FORGET.as_bytes(), count.as_bytes()];
    let keys = keys.iter().map(AsRef::as_ref);
    command("EVAL", args.into_iter().chain(keys))
}

/// Decodes the answer to a command, from as many of the next values as it takes.
pub(super) fn decode(
    wire: &Wire,
    values: &mut impl Iterator<Item = Value>,
    scripts: &EventScripts,
) -> Answer {
    let mut value = || values.next().unwrap_or(Value::Nil);
    match wire {
        Wire::Command { op, keys, .. } => {
            Answer::Command(codec::decode(*op, *keys, scripts, value))
        }
        Wire::Members(_) => Answer::List(list(value()).map(Arc::new)),
        Wire::Tracked(_) => {
            let granted = value() == Value::Okay;
            let (pushes, list) = placed_list(value());
            let list = list.map(Arc::new);
            Answer::Tracked {
                granted,
                pushes,
                list,
            }
        }
        // No number says that the node has no such slot, or not all keys of one that is moving.
        Wire::Touch(_) => Answer::Touched(match value() {
            Value::Int(count) => usize::try_from(count).ok(),
            _ => None,
        }),
        Wire::Forget(_) => Answer::Forgot(!is_refused(&value())),
    }
}

/// Returns whether the script did not run and may later. A node that has lost the slot cannot be made to forget its keys.
fn is_refused(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if !is_elsewhere(error))
}
