//! Random histories: scans of a store that gives its names in an order of its own, some of them twice, while they
//! change. What is there all the time must come.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};

use super::{
    SIDS,
    fake::{Fake, next, read_now},
};
use crate::{
    keys::KeyLayout,
    pages::{Given, PageQuery},
};

type Change = (bool, usize, usize);

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (any::<bool>(), 0..30_usize, 0..SIDS.len());
    vec(vec(change, 0..12), 1..6)
}

proptest! {
    #[test]
    fn members_that_stay_come(
        stay in 0..200_usize, limit in 1..60_usize, changes in changes(),
    ) {
        let fake = Fake::default();
        for i in 0..stay {
            fake.change(true, "k", &format!("stay{i}"));
        }
        let (given, mut position) = (Given::default(), None);
        let mut met = HashSet::new();
        for i in 0.. {
            let query = PageQuery::of_members(b"k", 7, position.take(), limit);
            let page = read_now(&fake, &query, &given);
            prop_assert!(page.names.len() < 2 * limit + 2);
            let unlike: HashSet<_> = page.names.iter().collect();
            prop_assert_eq!(unlike.len(), page.names.len());
            prop_assert!(page.cursor.is_none() || page.names.len() >= limit);
            met.extend(page.names.iter().cloned());
            position = next(&page, 7);
            if position.is_none() {
                break;
            }
            for &(adds, member, _) in &changes[i % changes.len()] {
                fake.change(adds, "k", &format!("guest{member}"));
            }
        }
        for i in 0..stay {
            let stay = format!("stay{i}");
            prop_assert!(met.contains(stay.as_bytes()), "{}", stay);
        }
    }

    /// Also those with members on other frontends for a while, and each once.
    #[test]
    fn channels_that_stay_come_once(
        stay in vec(0..SIDS.len(), 0..40), limit in 1..20_usize, changes in changes(), matching: bool,
    ) {
        let fake = Fake::default();
        let layout = KeyLayout::new("P");
        let key = |name: &str, sid: usize| String::from_utf8(layout.key(name, SIDS[sid])).unwrap();
        for (i, &sid) in stay.iter().enumerate() {
            fake.change(true, &key(&format!("stay{i}"), sid), "u");
            fake.change(true, &format!("P2:other{i}:s1"), "u");
        }
        let glob = if matching { "stay*" } else { "*" };
        let (given, mut position) = (Given::default(), None);
        let mut met: Vec<Vec<u8>> = Vec::new();
        for i in 0.. {
            let sids = ["s1".to_owned()];
            let query = PageQuery::of_channels(&layout, (glob.as_bytes(), &sids), 7, position.take(), limit);
            let page = read_now(&fake, &query, &given);
            let counts = page.counts.clone().expect("counts");
            prop_assert_eq!(counts.len(), page.names.len());
            prop_assert!(counts.iter().all(|count| *count > 0));
            met.extend(page.names.iter().cloned());
            position = next(&page, 7);
            if position.is_none() {
                break;
            }
            for &(adds, channel, sid) in &changes[i % changes.len()] {
                let kind = if channel % 2 == 0 { "stay" } else { "guest" };
                fake.change(adds, &key(&format!("{kind}{channel}"), sid), "guest");
            }
        }
        let once: HashSet<_> = met.iter().cloned().collect();
        prop_assert_eq!(once.len(), met.len());
        for i in 0..stay.len() {
            let stay = format!("stay{i}");
            prop_assert!(once.contains(stay.as_bytes()), "{}", stay);
        }
        let is_own = |name: &Vec<u8>| name.starts_with(b"stay") || (!matching && name.starts_with(b"guest"));
        prop_assert!(met.iter().all(is_own));
    }
}
