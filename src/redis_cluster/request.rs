//! What a step asks a node: a call, which the node's connection executes as that of one Redis does, from memory if it
//! can; or a command as it is, for operations that take several rounds. What a node did not execute is sent again in the
//! same way ([`super::dispatch`]).
//!
//! After `ASKING` a call is sent past the connection's cache: the next command after `ASKING` must be the read itself, and
//! the next one after `CLIENT CACHING YES` too, so such a read cannot be tracked.

use std::{future::Future, sync::Arc};

use futures_util::future::try_join;
use redis::{Cmd, Pipeline, Value};

use super::{dispatch::Group, event_scripts::NODE, routing::Step, shared::Shared};
use crate::{
    command::{Command, Reply},
    error::{Error, Result},
    manager::Lost,
    redis_manager::{Address, SideEffects, decode, encode_one, words},
};

type Sent<T> = std::result::Result<T, Lost>;

/// What a step asks a node.
pub(super) trait Request: Send + Sync + Sized {
    /// The answer of a node.
    type Answer: Send;

    /// Returns the words of a server's error.
    fn refusal(answer: &Self::Answer) -> Option<Arc<str>>;

    /// Sends the requests of a group, and returns their answers in the same order.
    fn exchange(
        shared: &Arc<Shared>,
        group: &Group,
        steps: &[Step<Self>],
    ) -> impl Future<Output = Sent<Vec<Self::Answer>>> + Send;
}

impl Request for Cmd {
    type Answer = Value;

    fn refusal(answer: &Value) -> Option<Arc<str>> {
        match answer {
            Value::ServerError(error) => Some(words(error)),
            _ => None,
        }
    }

    async fn exchange(
        shared: &Arc<Shared>,
        group: &Group,
        steps: &[Step<Self>],
    ) -> Sent<Vec<Value>> {
        let commands = group.steps.iter().map(|&(step, asking)| {
            let cmd = steps[step].request.clone();
            (cmd, asking)
        });
        send(shared, &group.address, commands).await
    }
}

impl Request for Command {
    type Answer = Result<Reply>;

    fn refusal(answer: &Result<Reply>) -> Option<Arc<str>> {
        let error = match answer {
            Err(error) => Some(error),
            // A request is about one key.
            Ok(Reply::Values(values)) => values.first()?.as_ref().err(),
            Ok(_) => None,
        };
        match error {
            Some(Error::Store(words)) => Some(words.clone()),
            _ => None,
        }
    }

    async fn exchange(
        shared: &Arc<Shared>,
        group: &Group,
        steps: &[Step<Self>],
    ) -> Sent<Vec<Result<Reply>>> {
        let calls = |asks: bool| {
            let of_kind = group
                .steps
                .iter()
                .filter(move |(_, asking)| *asking == asks);
            of_kind.map(|(step, _)| &steps[*step].request)
        };
        let owned: Vec<&Self> = calls(false).collect();
        let asked: Vec<&Self> = calls(true).collect();
        if asked.is_empty() {
            return shared.execute(&group.address, &owned).await;
        }
        let missing = shared.commands().missing();
        let effects = SideEffects {
            publishing: shared.publishing().map(|to| (to, &NODE)),
            kept: None,
        };
        let commands = asked
            .iter()
            .map(|call| (encode_one(call, &missing, effects), true));
        let both = try_join(
            shared.execute(&group.address, &owned),
            send(shared, &group.address, commands),
        );
        let (replies, values) = both.await?;
        let mut replies = replies.into_iter();
        let mut values = asked.into_iter().zip(values);
        let mut decoded = || {
            let (call, value) = values.next()?;
            let mut value = Some(value);
            let next = || value.take().unwrap_or(Value::Nil);
            // A key that is read several times was sent once, and has one answer.
            Some(decode(call.op(), 1, &NODE, next))
        };
        // Those of a key that are sent after `ASKING` all are, so that the order among the two kinds does not matter.
        let in_order =
            group.steps.iter().map_while(
                |(_, asking)| {
                    if *asking { decoded() } else { replies.next() }
                },
            );
        Ok(in_order.collect())
    }
}

/// Sends commands to a node, some after `ASKING`. If our user may not send that, the answer is the refusal.
async fn send(
    shared: &Arc<Shared>,
    address: &Address,
    commands: impl Iterator<Item = (Cmd, bool)> + Send,
) -> Sent<Vec<Value>> {
    let mut pipeline = Pipeline::new();
    let mut asks = Vec::new();
    for (cmd, asking) in commands {
        if asking {
            pipeline.cmd("ASKING");
        }
        asks.push(asking);
        pipeline.add_command(cmd);
    }
    let mut connection = shared.connection(address).await?;
    let count = pipeline.len();
    let values = connection.send_packed_commands(&pipeline, 0, count).await;
    let values = values.map_err(|error| Lost(format!("node {address}: {error}").into()))?;
    Ok(answers(&asks, values))
}

/// Takes the answers to commands from those to a pipeline with `ASKING` before some.
fn answers(asks: &[bool], values: Vec<Value>) -> Vec<Value> {
    let mut values = values.into_iter();
    let of_one = |&asking: &bool| {
        let asked = if asking { values.next() } else { None };
        let value = values.next()?;
        Some(match asked {
            Some(no @ Value::ServerError(_)) => no,
            _ => value,
        })
    };
    asks.iter().map_while(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Value as Read;

    fn error(words: &str) -> Value {
        redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).expect("RESP")
    }

    #[test]
    fn a_user_who_may_not_ask_gets_the_refusal() {
        let values = vec![
            Value::Int(1),
            error("NOPERM no asking"),
            error("MOVED 12182 h:2"),
            Value::Okay,
            Value::Int(2),
        ];
        let own = answers(&[false, true, true], values);
        let expected = [Value::Int(1), error("NOPERM no asking"), Value::Int(2)];
        assert_eq!(own, expected);
    }

    #[test]
    fn an_error_of_the_node_is_found_in_a_reply_of_either_kind() {
        let words = "MOVED 1 h:2";
        let error = || Error::Store(words.into());
        for answer in [Err(error()), Ok(Reply::Values(vec![Err(error())]))] {
            assert_eq!(Command::refusal(&answer).as_deref(), Some(words));
        }
        let lost = Error::Internal("no".to_owned());
        for answer in [
            Ok(Reply::Changed(1)),
            Ok(Reply::Values(vec![Ok(Read::Int(1))])),
            Err(lost),
        ] {
            assert_eq!(Command::refusal(&answer), None);
        }
    }
}
