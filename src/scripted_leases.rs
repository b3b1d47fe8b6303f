//! Leases in the store in memory ([`crate::scripted_store`]). A lease is a set with one member, epoch and nonce; it does
//! not expire, but a test may remove it.

use crate::{
    command::{Command, Reply, WriteOp},
    keys::Key,
    lease::{Asked, Change, Holder, Lease, Online, split},
    scripted_store::{self, Sets},
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
    if matches!(op, WriteOp::AddOnline | WriteOp::RemoveOnline) {
        return change_online(sets, op, [online, key], Online::of(command.members())).into();
    }
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

/// Changes the list of online users, if the lease allows it.
fn change_online(sets: &mut Sets, op: WriteOp, [online, key]: [&Key; 2], asked: Online) -> Lease {
    let mut lease = Lease::fencing(holder(sets, key), asked.epoch);
    if lease.allows() {
        let op = match op {
            WriteOp::AddOnline => WriteOp::Add,
            _ => WriteOp::Remove,
        };
        let change = Command::write_members(op, online.clone(), asked.uids);
        if let Reply::Changed(count) = scripted_store::apply(sets, &change) {
            lease.count = count;
        }
    }
    lease
}
