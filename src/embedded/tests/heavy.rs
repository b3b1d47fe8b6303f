//! Batches that take long: not on the runtime's thread, in several transactions, and with the answers that one
//! thread and one transaction would give.

use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;

use super::world::{add, members, open, run, write};
use crate::{
    command::{Command, ReadOp, Reply, Value, WriteOp},
    embedded::EmbeddedConnection,
    error::Result,
    manager::{Connection as _, Lost},
};

/// Members of a channel that is not read in passing.
const MANY: usize = 50_000;

fn read(key: &str) -> Command {
    Command::read(ReadOp::Members, vec![key.into()])
}

fn many(key: &str) -> Command {
    let members = (0..MANY).map(|n| format!("{n}").into_bytes());
    Command::write_members(WriteOp::Add, key.into(), members)
}

/// Whether the connection has the batch executed at once, on the thread that asks; and the replies.
async fn execute(
    connection: &EmbeddedConnection,
    batch: &[&Command],
) -> (bool, std::result::Result<Vec<Result<Reply>>, Lost>) {
    let mut executed = connection.execute(batch);
    match executed.poll_unpin(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(replies) => (true, replies),
        Poll::Pending => (false, executed.await),
    }
}

fn counts(replies: std::result::Result<Vec<Result<Reply>>, Lost>) -> Vec<usize> {
    let count = |reply: Result<Reply>| match reply {
        Ok(Reply::Values(values)) => {
            let lists = values.iter().flatten().filter_map(Value::list);
            lists.map(|list| list.len()).sum()
        }
        reply => panic!("{reply:?}"),
    };
    let replies = replies.expect("the connection is there").into_iter();
    replies
        .filter(|reply| !matches!(reply, Ok(Reply::Changed(_))))
        .map(count)
        .collect()
}

#[test]
fn what_is_light_is_done_at_once_and_what_is_heavy_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let connection = open(folder.path()).await;
        let (small, large) = (add("k", &["a"]), many("n"));
        assert!(execute(&connection, &[&small, &read("k")]).await.0);
        assert!(!execute(&connection, &[&large]).await.0);

        // Its list is too long to be read in passing, until it is in memory.
        let (at_once, replies) = execute(&connection, &[&read("n"), &read("k")]).await;
        assert!(!at_once);
        assert_eq!(counts(replies), [MANY, 1]);
        let (at_once, replies) = execute(&connection, &[&read("n")]).await;
        assert!(at_once, "it is not kept");
        assert_eq!(counts(replies), [MANY]);

        let more = add("n", &["x"]);
        assert!(!execute(&connection, &[&more, &read("n")]).await.0);
        let keys = vec![b"n".to_vec()];
        let delete = Command::write(WriteOp::Delete, keys);
        assert!(!execute(&connection, &[&delete]).await.0);
        assert_eq!(members(&connection, "n").await, "[]");
    });
}

#[test]
fn a_heavy_batch_is_answered_call_by_call_in_its_order() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let connection = open(folder.path()).await;
        write(&connection, many("n")).await;
        let calls: Vec<_> = (0..20)
            .flat_map(|n| [add("n", &[&format!("x{n}")]), read("n")])
            .collect();
        let (_, replies) = execute(&connection, &calls.iter().collect::<Vec<_>>()).await;
        let expected: Vec<_> = (1..=20).map(|n| MANY + n).collect();
        assert_eq!(counts(replies), expected);
    });
}
