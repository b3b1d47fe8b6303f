//! What a node says of the cluster (`CLUSTER NODES`), as far as a subscription to changes needs it ([`super::subscription`]):
//! which nodes can execute a write by its knowledge, and what it says of itself. Pure.

use std::collections::{BTreeSet, HashMap};

use super::{
    clean::own_claim,
    slots::{SlotMap, at},
};
use crate::redis_manager::Address;

/// What a node says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// The ids of the nodes that have slots, or are to get one from this node.
    pub(super) needed: BTreeSet<Vec<u8>>,
    /// Its epoch and its slots, those that it gives away or gets included. The epoch grows with each failover that it
    /// wins, and when it gets a slot while another node has a greater one.
    pub(super) claim: String,
    /// The ranges of its slots.
    slots: Vec<(u16, u16)>,
    /// For each node its host and port, and its name if it has one.
    places: HashMap<Vec<u8>, (String, u16, String)>,
}

impl View {
    /// Reads the answer; it is empty if it has another form.
    pub(super) fn read(nodes: &str) -> Self {
        let mut view = Self {
            claim: own_claim(nodes),
            ..Self::default()
        };
        for line in nodes.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [id, place, _, _, _, _, _, _, slots @ ..] = fields.as_slice() else {
                continue;
            };
            let id = id.as_bytes().to_vec();
            // HOST:PORT@BUSPORT,NAME,KEY=VALUE
            let (address, rest) = place.split_once('@').unwrap_or((place, ""));
            let name = rest.split(',').nth(1).unwrap_or_default();
            if let Some((host, port)) = address.rsplit_once(':') {
                let place = (host.to_owned(), port.parse().unwrap_or(0), name.to_owned());
                view.places.insert(id.clone(), place);
            }
            let is_own = fields.get(2).is_some_and(|flags| flags.contains("myself"));
            for slot in slots {
                // Only the node's own line has those that move: [93-<-ID] comes from there, [77->-ID] goes there.
                match slot.strip_prefix('[') {
                    None => {
                        view.needed.insert(id.clone());
                        view.slots.extend(range(slot).filter(|_| is_own));
                    }
                    Some(moving) => {
                        let to = moving.trim_end_matches(']').split_once("->-");
                        view.needed.extend(to.map(|(_, to)| to.as_bytes().to_vec()));
                    }
                }
            }
        }
        view
    }

    /// Returns whether it has a slot.
    pub(super) fn has(&self, slot: u16) -> bool {
        let has = |&(first, last): &(u16, u16)| (first..=last).contains(&slot);
        self.slots.iter().any(has)
    }

    /// Returns whether one of its slots is on its way.
    pub(super) fn is_moving(&self) -> bool {
        self.claim.contains('[')
    }

    /// Returns the address of a node that has no slots yet, and so is in no slot map. Where nodes are announced by their
    /// names, as the map shows, it is its name.
    pub(super) fn address(&self, id: &[u8], map: &SlotMap, asked: &Address) -> Option<Address> {
        let is_known =
            |name: &str| matches!(map.known(), [Address::Tcp(host, _), ..] if host == name);
        let by_name = self.places.values().any(|(_, _, name)| is_known(name));
        let (host, port, name) = self.places.get(id)?;
        at(if by_name { name } else { host }, *port, asked)
    }
}

fn range(slots: &str) -> Option<(u16, u16)> {
    let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    const NODES: &str = "\
aa 127.0.0.1:1@11,a.example myself,master - 0 0 7 connected 0-99 200 [77->-dd] [300-<-bb]
bb 127.0.0.1:2@12,b.example master - 0 1 3 connected 100-199 201-16383
cc 127.0.0.1:3@13,c.example slave bb 0 1 3 connected
dd ::1:4@14,d.example,shard-id=5 master - 0 1 0 connected
";

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    /// The map of a cluster of one node, announced like this.
    fn map(host: &str) -> SlotMap {
        let node = vec![Value::BulkString(host.into()), Value::Int(1)];
        let range = vec![Value::Int(0), Value::Int(16383), Value::Array(node)];
        let answer = Value::Array(vec![Value::Array(range)]);
        SlotMap::read(&answer, &tcp("me", 9)).expect("a map")
    }

    #[test]
    fn nodes_with_slots_are_needed_and_those_that_get_their_first_one() {
        let view = View::read(NODES);
        let ids: Vec<_> = view.needed.iter().map(Vec::as_slice).collect();
        assert_eq!(ids, [&b"aa"[..], b"bb", b"dd"]);
        assert_eq!(view.claim, "7 connected 0-99 200 [77->-dd] [300-<-bb]");
        assert!(view.is_moving());
        let own = [0, 99, 200].map(|slot| view.has(slot));
        assert_eq!(
            (own, view.has(100), view.has(300)),
            ([true; 3], false, false)
        );
        let settled = NODES.replace(" [77->-dd] [300-<-bb]", "");
        let view = View::read(&settled);
        assert_eq!(view.needed.len(), 2);
        assert!(!view.is_moving());
        assert_eq!(View::read("nonsense\n\n"), View::default());
    }

    #[test]
    fn a_node_without_slots_is_named_as_the_others_are() {
        let view = View::read(NODES);
        let address = |host| view.address(b"dd", &map(host), &tcp("me", 9));
        assert_eq!(address("127.0.0.1"), Some(tcp("::1", 4)));
        assert_eq!(address("a.example"), Some(tcp("d.example", 4)));
        assert_eq!(view.address(b"xx", &map("a"), &tcp("me", 9)), None);
        let unnamed = View::read("ee ?:5@15 master - 0 1 0 connected\n");
        assert_eq!(unnamed.address(b"ee", &map("a"), &tcp("me", 9)), None);
    }
}
