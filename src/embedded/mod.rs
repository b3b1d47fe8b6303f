//! The embedded manager: a store without a server, in a folder that all processes of one machine
//! open (LMDB, by `heed`). Here: where the folder is and what it promises.

use std::path::PathBuf;

/// The longest key, in bytes: what LMDB takes.
pub const MAX_KEY: usize = 511;

/// The longest uid, in bytes: a row begins with the eight bytes of the number of its channel.
pub const MAX_MEMBER: usize = MAX_KEY - 8;

/// What a write survives that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The death of any process, and of all of them. After a power cut or a crash of the system the store
    /// begins empty.
    Process,
    /// A power cut too: each commit waits for the disk.
    Os,
}

/// Where the store is, and what it promises.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Made if it is missing. Two spellings of one folder are one store.
    pub folder: PathBuf,
    /// What a write survives.
    pub durability: Durability,
}
