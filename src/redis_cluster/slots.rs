//! The slot map of a cluster, as read from `CLUSTER SLOTS`. Pure.

use std::{collections::HashMap, fmt::Write as _};

use redis::Value;

use crate::{hash_slot::SLOTS, redis_manager::Address};

/// Marks a slot without an owner.
const NO_OWNER: u16 = u16::MAX;

/// The reason for an address without a host, for which Redis has a `?`.
pub(super) const UNNAMED: &str = "a node is announced as '?': cluster-preferred-endpoint-type is hostname, and its \
                                  cluster-announce-hostname is not set";

/// Which node is the primary of each slot.
#[derive(Debug, Clone)]
pub(super) struct SlotMap {
    /// For each slot an index into `primaries`.
    owners: Vec<u16>,
    primaries: Vec<Address>,
    /// Primaries and replicas.
    known: Vec<Address>,
    /// Whether a primary was announced as `?`.
    unnamed: bool,
}

impl SlotMap {
    fn empty() -> Self {
        Self {
            owners: vec![NO_OWNER; usize::from(SLOTS)],
            primaries: Vec::new(),
            known: Vec::new(),
            unnamed: false,
        }
    }

    /// Reads the answer of node `asked`; `None` if it has another form.
    pub(super) fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut map = Self::empty();
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [Value::Int(first), Value::Int(last), nodes @ ..] = range.as_slice() else {
                return None;
            };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            if last >= SLOTS {
                return None;
            }
            let addresses: Vec<_> = nodes.iter().map(|node| address(node, asked)).collect();
            match addresses.first() {
                Some(Some(primary)) => {
                    for slot in first..=last {
                        map.give(slot, primary);
                    }
                }
                first => map.unnamed |= first.is_some(),
            }
            for address in addresses.into_iter().flatten() {
                if !map.known.contains(&address) {
                    map.known.push(address);
                }
            }
        }
        Some(map)
    }

    /// Returns why slots have no owner, if that is known.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        self.unnamed.then_some(UNNAMED)
    }

    /// Returns the addresses of all nodes, each once.
    pub(super) fn announced(&self) -> Vec<Address> {
        let others = self.primaries.iter();
        let others = others.filter(|address| !self.known.contains(address));
        self.known.iter().chain(others).cloned().collect()
    }

    /// Replaces addresses of nodes by others.
    pub(super) fn replace(&mut self, by: &HashMap<Address, Address>) {
        for address in self.primaries.iter_mut().chain(&mut self.known) {
            if let Some(to) = by.get(address) {
                address.clone_from(to);
            }
        }
    }

    /// Returns the primary of a slot, if it has one.
    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        let index = self.owners.get(usize::from(slot))?;
        self.primaries.get(usize::from(*index))
    }

    /// Notes that a slot has moved.
    pub(super) fn give(&mut self, slot: u16, to: &Address) {
        let found = self.primaries.iter().position(|address| address == to);
        let index = found.unwrap_or_else(|| {
            self.primaries.push(to.clone());
            self.primaries.len() - 1
        });
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = u16::try_from(index).unwrap_or(NO_OWNER);
        }
    }

    /// Returns all nodes that have slots.
    pub(super) fn owners(&self) -> Vec<Address> {
        let has_slots = |address: &&Address| self.has_slots(address);
        self.primaries.iter().filter(has_slots).cloned().collect()
    }

    /// Returns the nodes that have slots, and some that had.
    pub(super) fn primaries(&self) -> &[Address] {
        &self.primaries
    }

    /// Returns whether a node has slots.
    pub(super) fn has_slots(&self, address: &Address) -> bool {
        (0..SLOTS).any(|slot| self.owner(slot) == Some(address))
    }

    /// Returns all nodes of the map, replicas too.
    pub(super) fn known(&self) -> &[Address] {
        &self.known
    }

    /// Writes the slots of a node, or those without an owner, as text: `0-5460, 7000`.
    pub(super) fn ranges(&self, of: Option<&Address>) -> String {
        let mut words = String::new();
        let mut slot = 0;
        while slot < SLOTS {
            let first = slot;
            while slot < SLOTS && self.owner(slot) == of {
                slot += 1;
            }
            if slot > first {
                let comma = if words.is_empty() { "" } else { ", " };
                // Writing to a String does not fail.
                let _ = match slot - first {
                    1 => write!(words, "{comma}{first}"),
                    _ => write!(words, "{comma}{first}-{}", slot - 1),
                };
            } else {
                slot += 1;
            }
        }
        words
    }
}

/// Two maps are equal if every slot has the same owner.
impl PartialEq for SlotMap {
    fn eq(&self, other: &Self) -> bool {
        (0..SLOTS).all(|slot| self.owner(slot) == other.owner(slot))
    }
}

/// Reads the address of a node; `None` if the node that was asked does not know it. A node without a host in its entry
/// has the host of the node that was asked.
fn address(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(node) = node else {
        return None;
    };
    let [host, Value::Int(port), ..] = node.as_slice() else {
        return None;
    };
    let host: Option<String> = redis::from_redis_value_ref(host).ok()?;
    at(&host.unwrap_or_default(), u16::try_from(*port).ok()?, asked)
}

/// Makes an address from what a node reports. Without a host it is that of the node that was asked; a `?` is unknown, and
/// may be another one (as the documentation of `CLUSTER SLOTS` says).
pub(super) fn at(host: &str, port: u16, asked: &Address) -> Option<Address> {
    match (host, asked) {
        ("?", _) | ("", Address::Unix(_)) => None,
        ("", Address::Tcp(host, _)) => Some(Address::Tcp(host.clone(), port)),
        (host, _) => Some(Address::Tcp(host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: i64) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![
            Value::BulkString(host.into()),
            Value::Int(port),
            id,
            Value::Array(Vec::new()),
        ])
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array([&[Value::Int(first), Value::Int(last)], nodes].concat())
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn the_answer_of_a_node_becomes_a_map() {
        let answer = Value::Array(vec![
            range(0, 99, &[node("a", 1), node("b", 2)]),
            range(200, 200, &[node("", 3)]),
            range(300, 301, &[node("?", 4), node("a", 1)]),
            range(400, 16383, &[node("a", 1)]),
        ]);
        let map = SlotMap::read(&answer, &tcp("me", 9)).expect("a map");
        assert_eq!(map.owner(99), Some(&tcp("a", 1)));
        assert_eq!(map.owner(100), None);
        assert_eq!(map.owner(200), Some(&tcp("me", 3)));
        assert_eq!(map.owner(300), None);
        assert_eq!(map.owners(), [tcp("a", 1), tcp("me", 3)]);
        assert_eq!(map.known(), [tcp("a", 1), tcp("b", 2), tcp("me", 3)]);
        assert_eq!(map.ranges(Some(&tcp("a", 1))), "0-99, 400-16383");
        assert_eq!(map.ranges(None), "100-199, 201-399");
        assert_eq!(map.doubt(), Some(UNNAMED));
    }

    #[test]
    fn an_address_that_is_replaced_keeps_its_slots() {
        let answer = Value::Array(vec![
            range(0, 99, &[node("a", 1), node("b", 2)]),
            range(100, 16383, &[node("c", 3)]),
        ]);
        let mut map = SlotMap::read(&answer, &tcp("me", 9)).expect("a map");
        assert_eq!(map.announced(), [tcp("a", 1), tcp("b", 2), tcp("c", 3)]);
        let by = [(tcp("a", 1), tcp("x", 7)), (tcp("b", 2), tcp("x", 8))];
        map.replace(&by.into_iter().collect());
        assert_eq!(map.owner(99), Some(&tcp("x", 7)));
        assert_eq!(map.owners(), [tcp("x", 7), tcp("c", 3)]);
        assert_eq!(map.known(), [tcp("x", 7), tcp("x", 8), tcp("c", 3)]);
    }

    #[test]
    fn what_is_no_such_answer_is_none() {
        let odd = [
            Value::Okay,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16384, &[node("a", 1)])]),
            Value::Array(vec![range(-1, 5, &[node("a", 1)])]),
        ];
        for answer in odd {
            assert!(
                SlotMap::read(&answer, &tcp("me", 9)).is_none(),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_slot_that_moved_is_somebody_elses() {
        let answer = Value::Array(vec![range(0, 16383, &[node("a", 1)])]);
        let before = SlotMap::read(&answer, &tcp("me", 9)).expect("a map");
        let mut map = before.clone();
        assert!(map == before);
        map.give(7, &tcp("b", 2));
        assert!(map != before);
        assert_eq!(map.owner(7), Some(&tcp("b", 2)));
        map.give(7, &tcp("a", 1));
        assert!(map == before && !map.has_slots(&tcp("b", 2)));
    }
}
