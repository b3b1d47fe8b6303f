//! Finds the primary by Sentinel. What all sentinels say enters one state ([`election`]), which decides which
//! connections to a primary are made and kept ([`failover`]). The set of sentinels is in [`set`], the tasks that talk
//! to them in [`tasks`], a connection to one in [`listener`], the protocol in [`protocol`] and [`events`].

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
