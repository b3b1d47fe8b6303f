//! Finding the primary by Sentinel: what all sentinels say enters one state ([`election`]), and every connection to a
//! primary is made and kept by it ([`failover`]). Which sentinels there are is in [`set`], the tasks that talk to them in
//! [`tasks`], a connection to one in [`listener`], what is said on it in [`protocol`] and [`events`].

mod election;
mod events;
mod failover;
mod listener;
mod protocol;
mod set;
mod shared;
mod tasks;

pub(in crate::redis_manager) use self::failover::FailoverWatch;
pub use self::protocol::Sentinels;
