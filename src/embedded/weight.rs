//! How much there is to do in a batch, in members or keys: whether it is light enough for the runtime's thread,
//! and how much of it goes into one transaction.

use super::store::Store;
use crate::{command::Command, keys::Key};

/// What may be written on the runtime's thread: a few milliseconds' worth.
pub(super) const LIGHT: usize = 4096;

/// What goes into one transaction, so that other processes have their turn.
const HEAVY: usize = 16 << 10;

pub(super) fn of_batch(batch: &[&Command], store: &Store) -> usize {
    let deleted = batch.iter().filter_map(|command| match command {
        Command::Delete { keys } => Some(keys),
        _ => None,
    });
    let deleted: Vec<&Key> = deleted.flatten().collect();
    let given = batch.iter().map(|command| weight(command));
    given.fold(members(&deleted, store), usize::saturating_add)
}

/// How many commands, of the first of these, go into one transaction.
pub(super) fn transaction(batch: &[&Command]) -> usize {
    let mut sum: usize = 0;
    let fit = batch.iter().take_while(|command| {
        sum = sum.saturating_add(weight(command));
        sum <= HEAVY
    });
    fit.count().max(1)
}

/// As far as the command says it.
fn weight(command: &Command) -> usize {
    match command {
        Command::Add { members, .. } | Command::Remove { members, .. } => members.len(),
        Command::Members { keys } | Command::Delete { keys } => keys.len(),
        // Nobody knows.
        Command::Clean { .. } => usize::MAX,
    }
}

/// How many members these channels have, about.
fn members(keys: &[&Key], store: &Store) -> usize {
    if keys.is_empty() {
        return 0;
    }
    let counted = store.read(|txn| {
        let counts = keys.iter().map(|key| store.rows().channel(txn, key));
        counts
            .map(|channel| Ok(channel?.map_or(0, |channel| channel.count)))
            .sum::<Result<u64, heed::Error>>()
    });
    // Whoever executes the batch meets the error again.
    counted.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
}
