//! The operations on the index of members ([`crate::membership`]) in a Redis Cluster. Channel and index are in different
//! slots, so no script can change both; each operation takes several rounds of plain commands.
//!
//! **What the order keeps.** An index has an entry for each member that was added with it, whatever stops in between:
//!
//! - A join writes the entry, with the user in the set of users in one step, then the member, then the entry again. If another process removed the first entry,
//!   because the user was no member yet, the second one is there.
//! - A part removes the member, then the entry, and looks whether someone has added the member meanwhile, whose entry it
//!   writes again. A batch writes all entries of its joins first, and makes all changes of
//!   the index again in call order at the end, so that the last call about a member decides.
//! - Leave all keeps the user no longer and reads his entries, in this order, so that what is being put back has its entry by then or is not put back;
//!   then it does the same with each.
//!
//! A round that is refused, for want of memory or of a right, is the error of the call, also if its members were changed by then:
//! it may lack an entry, and is to be made again. What no node has executed is sent again ([`super::send`]).
//!
//! A process that dies after the first round of a join leaves an entry without a member. One that dies before the last
//! round, while another one removes the entry, leaves a member without an entry.
//!
//! A part and leave all begin with a step that makes the entries uncertain: a purge that finds its lease lost does not put
//! these members back. What is kept of members that were removed with their sessions is in the slot of the index: a leave, or the removal
//! of a channel, removes it before it removes members, and again after that.
//!
//! Joins, parts and the removal of channels are in [`super::pairs`], what is about users in [`super::users`], a purge in
//! [`super::purge`], what puts members back in [`super::put_back`].
//!
//! **Call order.** The rounds of an operation that reads the index run alone; those of other calls before and after it
//! are rounds of their own.

use std::sync::Arc;

use super::{pairs::plain, purge::purges, rounds::Sent, shared::Shared, users::of_users};
use crate::{
    command::{Command, Op, Reply, WriteOp},
    error::Result,
};

/// Returns whether an operation is executed here.
pub(super) fn concerns(op: Op, shared: &Shared) -> bool {
    let is_removal = op == Op::Write(WriteOp::Delete);
    matches!(op, Op::Write(WriteOp::Join | WriteOp::Part))
        || op.is_open()
        || is_removal && shared.kept().is_some()
}

/// Executes a batch with such operations.
pub(super) async fn execute(shared: Arc<Shared>, batch: Vec<Command>) -> Sent<Vec<Result<Reply>>> {
    shared.refresh_if_stale().await;
    let mut done = Vec::with_capacity(batch.len());
    let kind = |call: &Command| call.op().is_open().then_some(call.op());
    for calls in batch.chunk_by(|a, b| kind(a) == kind(b)) {
        done.extend(match calls.first().and_then(kind) {
            None => plain(&shared, calls).await?,
            Some(Op::Write(WriteOp::Purge | WriteOp::PutBack)) => purges(&shared, calls).await?,
            Some(op) => of_users(&shared, calls, op).await?,
        });
    }
    Ok(done)
}
