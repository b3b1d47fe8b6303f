//! Addresses that nodes announce, in slot maps and redirections, and the addresses to use in their place (option
//! `natMap`). They are replaced as soon as an answer is read; everything else in this module uses replaced ones.

use futures_util::future::try_join_all;

use super::{
    dispatch::{Outcome, To},
    slots::SlotMap,
};
use crate::{
    manager::ConnectError,
    redis_manager::{Address, RedisOptions},
};

type Result<T> = std::result::Result<T, ConnectError>;

/// Replaces the addresses of a slot map.
pub(super) async fn map_slots(node: &RedisOptions, mut map: SlotMap) -> Result<SlotMap> {
    let announced = map.announced();
    let mapped = announced.iter().map(|address| apply(node, address));
    let mapped = try_join_all(mapped).await?;
    let changed = announced.into_iter().zip(mapped);
    map.replace(&changed.filter(|(from, to)| from != to).collect());
    Ok(map)
}

/// Replaces the addresses in redirections.
pub(super) async fn map_redirects(node: &RedisOptions, outcome: &mut Outcome) -> Result<()> {
    let next = outcome.open.iter_mut().filter_map(|(_, to)| match to {
        To::Next(address) => Some(address),
        To::Owner => None,
    });
    let moved = outcome.moved.iter_mut().map(|(_, to)| to);
    // The same few nodes, mostly the same one.
    let mut known: Vec<(Address, Address)> = Vec::new();
    for address in next.chain(moved).chain(&mut outcome.pointed) {
        let to = match known.iter().find(|(from, _)| from == address) {
            Some((_, to)) => to.clone(),
            None => apply(node, address).await?,
        };
        let from = std::mem::replace(address, to.clone());
        known.push((from, to));
    }
    Ok(())
}

/// Replaces an address.
pub(super) async fn map_address(node: &RedisOptions, address: &Address) -> Result<Address> {
    apply(node, address).await
}

async fn apply(node: &RedisOptions, address: &Address) -> Result<Address> {
    node.nat_map.apply(&node.app, address).await
}
