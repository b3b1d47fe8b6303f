//! Audit of the rows for tests, compiled only with the feature `failpoints` and in the tests of the core: checks that
//! the rows are consistent.

use std::{collections::HashMap, path::Path};

use super::{
    EmbeddedOptions,
    lmdb::{self, RoTxn},
    registry,
    rows::Rows,
    store::Thread,
};

/// The contents of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Channels that have members.
    pub channels: u64,
    /// Members of all of them.
    pub members: u64,
    /// Entries of the table of readers that are or were in use.
    pub readers: u64,
}

/// Goes through all rows of the store in a folder, which may be open. Blocks the thread.
///
/// # Errors
/// A text if the store cannot be opened, or if rows are inconsistent.
pub fn audit(folder: &Path) -> Result<Totals, String> {
    let options = EmbeddedOptions {
        folder: folder.to_owned(),
        durability: None,
        local_file_system: false,
        events: false,
        keeps: false,
    };
    let (store, _) = registry::open(&options).map_err(|error| error.to_string())?;
    let found = store.read(Thread::Blocking, |txn| go_through(store.rows(), txn));
    let mut totals = found.map_err(|failure| failure.error().to_string())??;
    totals.readers = store.readers().into();
    Ok(totals)
}

fn go_through(rows: &Rows, txn: &RoTxn) -> Result<Result<Totals, String>, lmdb::Error> {
    let mut left = HashMap::new();
    let mut totals = Totals {
        channels: 0,
        members: 0,
        readers: 0,
    };
    for (key, channel) in rows.every_channel(txn)? {
        if channel.count == 0 {
            return Ok(Err(format!("{key} is there without members")));
        }
        if left.insert(channel.number, channel.count).is_some() {
            return Ok(Err(format!("{key} has the number of another channel")));
        }
        // Rows beside those of channels are no members: the index of frontends, leases.
        if !key.contains('@') {
            totals.channels += 1;
            totals.members += channel.count;
        }
    }
    for number in rows.numbers(txn)? {
        let number = number?;
        match left.get_mut(&number) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) => return Ok(Err(format!("{number} has more members than it counts"))),
            None => return Ok(Err(format!("a member of {number}, which is no channel"))),
        }
    }
    if let Some((number, count)) = left.iter().find(|(_, count)| **count > 0) {
        return Ok(Err(format!("{number} lacks {count} of its members")));
    }
    Ok(Ok(totals))
}
