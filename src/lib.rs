//! Global channels for pomelo and pinus: named sets of members `(name, uid, sid)` in a shared
//! store, so that any server process can push to users whose sessions live on many frontends.
//!
//! The map, from the store to JavaScript:
//!
//! - [`manager`]: the traits of a store; implemented by [`redis_manager`], [`redis_cluster`] and [`embedded`].
//! - [`pages`]: pages of long lists, for all stores.
//! - [`inventory`]: what a store holds, for moving it to another one.
//! - [`driver`]: one task for each service: batches, deadlines, order, reconnecting.
//! - [`store_manager`]: the manager of a store, made of its options.
//! - [`heartbeat`]: whether a silent connection still lives.
//! - [`app`]: what the core asks of the app: calling the functions among its options, writing to its log.
//! - [`command`], [`keys`], [`hash_slot`], [`size_limits`], [`list`], [`error`], [`options`], [`stats`], [`histogram`],
//!   [`steps`]: the vocabulary they share.
//! - [`known_sids`], [`everywhere`], [`removal`]: which frontends there are, and what is done on all of them.
//! - [`events`]: changes of channels, told to those who watch them.
//! - [`packed`], [`queue`], [`runtime`], [`sequencer`]: crossing threads, and coming back in call
//!   order.
//! - `fan_out`: one frame to many sockets.
//! - `binding`: the only module that knows JavaScript; compiled with the feature of that name.
//!
//! The core (everything but `binding`) links no Node-API symbol and is tested by `cargo test
//! --no-default-features`.

pub mod app;
pub mod batch_size;
// Not in unit tests: without a Node process around it there is nothing to link it with.
#[cfg(all(feature = "binding", not(test)))]
mod binding;
pub mod cache;
pub mod command;
pub mod driver;
pub mod embedded;
pub mod error;
pub mod events;
pub mod everywhere;
pub mod failpoints;
#[cfg(unix)]
pub mod fan_out;
pub mod hash_slot;
pub mod heartbeat;
pub mod histogram;
pub mod inventory;
pub mod keys;
pub mod known_sids;
pub mod lease;
pub mod list;
pub mod list_lru;
pub mod lone_socket;
pub mod manager;
pub mod membership;
pub mod options;
pub mod packed;
pub mod pages;
pub mod queue;
pub mod redis_cluster;
pub mod redis_manager;
pub mod removal;
pub mod runtime;
#[cfg(test)]
mod scripted_connection;
#[cfg(test)]
mod scripted_leases;
#[cfg(test)]
mod scripted_pages;
#[cfg(test)]
mod scripted_store;
pub mod sequencer;
pub mod shared_task;
pub mod size_limits;
pub mod stats;
pub mod steps;
pub mod store_manager;
