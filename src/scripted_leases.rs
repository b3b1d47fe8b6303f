//! Leases in the store in memory ([`crate::scripted_store`]). A lease is a set with one member, epoch and nonce; it does
//! not expire, but a test may remove it.

use crate::{
    command::{Command, Reply, WriteOp},
    lease::{Asked, Change, Holder, split},
    scripted_store::Sets,
};

/// Returns who holds the lease of this key.
pub(crate) fn holder<'a>(sets: &'a Sets, key: &[u8]) -> Option<Holder<'a>> {
    let text = sets.get(key)?.first()?;
    let (epoch, nonce) = split(text);
    Some(Holder {
        epoch,
        nonce,
        ttl: 0,
    })
}

/// Executes an operation on a lease.
pub(crate) fn apply(sets: &mut Sets, op: WriteOp, command: &Command) -> Reply {
    let [online, key] = command.keys() else {
        panic!("a lease has two keys");
    };
    let asked = Asked::of(command.members());
    let count = sets.get(online).map_or(0, |set| set.len() as u64);
    let before = sets.clone();
    let (step, lease) = asked.apply(op, holder(&before, key), count);
    if step.clears {
        sets.remove(online);
    }
    match step.lease {
        None => {}
        Some(Change::Remove) => drop(sets.remove(key)),
        Some(Change::Hold(nonce)) => {
            let text = [asked.epoch, b" ", nonce].concat();
            sets.insert(key.clone(), [text].into());
        }
    }
    lease.into()
}
