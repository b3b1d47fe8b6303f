//! Tests of the layout of keys: what is in which slot, what is under which prefix, and what is refused.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::hash_slot::hash_slot;

#[test]
fn the_layout_is_that_of_0_0_7() {
    let keys = KeyLayout::new("");
    assert_eq!(
        keys.key("room", "connector-1"),
        b"POMELO:CHANNEL:room:connector-1"
    );
    assert_eq!(KeyLayout::new("MY").key("", ""), b"MY::");
}

proptest! {
    /// Whatever is in the ids of two frontends that may have a lease and of two users: only the same pair has the same key, in the slot of the
    /// frontend, and it is no index.
    #[test]
    fn no_two_users_of_indexes_have_one_key(
        sids in vec("[a:1][a}:1]{0,3}", 2), uids in vec("[a}:1]{0,5}", 2),
    ) {
        let keys = KeyLayout::new("P");
        let key = |n: usize| of_user(&keys.members(&sids[n]), uids[n].as_bytes());
        prop_assert_eq!(key(0) == key(1), sids[0] == sids[1] && uids[0] == uids[1]);
        prop_assert_ne!(key(0), keys.members(&sids[1]));
        prop_assert_eq!(hash_slot(&key(0)), hash_slot(&keys.members(&sids[0])));
    }

    /// Whatever is in a name or an id: the key is under its prefix, and says both.
    #[test]
    fn a_key_stays_under_its_prefix(prefix: String, name: String, sid: String) {
        let keys = KeyLayout::new(&prefix);
        let key = keys.key(&name, &sid);
        let stem = keys.stem();
        prop_assert!(key.starts_with(&stem));
        prop_assert_eq!(keys.len_of(&name, &sid), key.len());
        prop_assert_eq!(key[stem.len()..].to_vec(), format!("{name}:{sid}").into_bytes());
        prop_assert_eq!([keys.base(&name), sid.clone().into_bytes()].concat(), key.clone());
        prop_assert_eq!(sid_of(&key) == sid.as_bytes(), !sid.contains(':'));
        prop_assert!(keys.index() != key && !keys.index().starts_with(&stem));
    }

    /// Without colons in them, names and ids can be told apart by their key.
    #[test]
    fn no_two_places_have_one_key(places in vec(("[^:]{0,5}", "[^:]{0,5}"), 2)) {
        let keys = KeyLayout::new("");
        let of = |(name, sid): &(String, String)| keys.key(name, sid);
        prop_assert_eq!(of(&places[0]) == of(&places[1]), places[0] == places[1]);
    }

    /// A pattern is its stem, to the letter, and a star.
    #[test]
    fn a_pattern_matches_its_stem_only(stem in vec(any::<u8>(), 0..20)) {
        let pattern = pattern(&stem);
        let mut plain = Vec::new();
        let mut bytes = pattern[..pattern.len() - 1].iter();
        while let Some(&byte) = bytes.next() {
            let escaped = byte == b'\\';
            plain.push(if escaped { *bytes.next().expect("escaped") } else { byte });
            prop_assert!(escaped || !b"*?[".contains(&byte));
        }
        prop_assert_eq!(plain, stem);
        prop_assert!(pattern.ends_with(b"*"));
    }
}

#[test]
fn a_hash_tag_is_the_name_of_the_channel_and_the_stem_stays() {
    let keys = KeyLayout::new("P").with_hash_tag(true);
    assert_eq!(keys.key("room", "s:1"), b"P:{room}:s:1");
    assert_eq!(keys.stem(), b"P:");
}

proptest! {
    /// Whatever is in prefix, name and ids: a channel that is taken is in one slot.
    #[test]
    fn a_channel_with_a_hash_tag_is_in_one_slot(
        prefix in "[{}:a]{0,4}",
        name in "[{}:a]{0,3}",
        sids in vec("[{}:a-z0-9]{0,4}", 2..6),
    ) {
        let keys = KeyLayout::new(&prefix).with_hash_tag(true);
        prop_assume!(keys.check_prefix().is_ok() && keys.check_name(&name).is_ok());
        let slot = |sid: &String| crate::hash_slot::hash_slot(&keys.key(&name, sid));
        prop_assert!(sids.iter().all(|sid| slot(sid) == slot(&sids[0])));
    }
}

#[test]
fn what_is_no_hash_tag_is_refused_and_only_that() {
    let keys = |prefix, tagged| KeyLayout::new(prefix).with_hash_tag(tagged);
    for name in ["", "}", "}x", "}{x}"] {
        assert!(keys("P", true).check_name(name).is_err(), "{name}");
        assert_eq!(keys("P", false).check_name(name), Ok(()), "{name}");
        assert_eq!(keys("P{x}", true).check_name(name), Ok(()), "{name}");
    }
    for name in ["x", "x}", "{", "{}", "{x}"] {
        assert_eq!(keys("P", true).check_name(name), Ok(()), "{name}");
    }
    assert!(keys("P{}{x}", true).check_prefix().is_err());
    assert_eq!(keys("P{}{x}", false).check_prefix(), Ok(()));
    assert_eq!(keys("}P{x}{}", true).check_prefix(), Ok(()));
}

#[test]
fn glob_characters_of_the_prefix_stand_for_themselves() {
    assert_eq!(pattern(&KeyLayout::new("P[1]*").stem()), br"P\[1\]\*:*");
}

proptest! {
    /// Whatever is in prefix and sid: if they are taken, one script can change both keys.
    #[test]
    fn lease_and_online_users_of_a_frontend_are_in_one_slot(
        prefix in "[{}:@a]{0,5}", sid in "[{}:@a]{0,4}",
    ) {
        let keys = KeyLayout::new(&prefix);
        prop_assume!(keys.check_lease_prefix().is_ok() && keys.check_lease_sid(&sid).is_ok());
        let slot = |key: &[u8]| crate::hash_slot::hash_slot(key);
        for key in [keys.online(&sid), keys.members(&sid), keys.gone(&sid)] {
            prop_assert_eq!(slot(&key), slot(&keys.lease(&sid)));
        }
    }

    /// No key of the registry is one of a channel under the same prefix.
    #[test]
    fn keys_of_the_registry_are_no_keys_of_channels(prefix: String, sid: String) {
        let keys = KeyLayout::new(&prefix);
        let members = keys.members(&sid);
        let mut appended = Vec::new();
        keys.append_members(sid.as_bytes(), &mut appended);
        prop_assert_eq!(&appended, &members);
        prop_assert_eq!(&on_frontend(&keys.members_base(), sid.as_bytes()), &members);
        for key in [keys.online(&sid), keys.lease(&sid), keys.leases(), members, keys.gone(&sid)] {
            prop_assert!(!key.starts_with(&keys.stem()));
        }
    }
}

proptest! {
    /// Whatever is in the key of a channel: what is kept of its members is under keys of one slot each, and none of the pairs of name and
    /// sid that a lease allows is missing.
    #[test]
    fn what_is_kept_of_a_channel_is_in_one_slot(
        prefix in "[{}:@a]{0,5}", name in "[{}:@a]{0,4}", sid in "[{}:@a]{0,4}", hash_tag: bool,
    ) {
        let keys = KeyLayout::new(&prefix).with_hash_tag(hash_tag);
        prop_assume!(keys.check_lease_prefix().is_ok());
        let (stem, key) = (keys.stem(), keys.key(&name, &sid));
        let found: Vec<_> = gone_with(&stem, &key).collect();
        for (gone, _) in &found {
            prop_assert_eq!(hash_slot(gone), hash_slot(&ended_of(gone)));
        }
        let taken = keys.takes_lease_sid(sid.as_bytes());
        prop_assert_eq!(found.iter().any(|(gone, _)| *gone == keys.gone(&sid)), taken);
        prop_assert!(!keys.gone(&sid).starts_with(&expired_stem(&stem)), "it is kept, and has not expired");
    }
}

#[test]
fn what_puts_the_keys_of_a_frontend_into_different_slots_is_refused() {
    for prefix in ["P{", "P{}", "P{}{x}"] {
        assert!(
            KeyLayout::new(prefix).check_lease_prefix().is_err(),
            "{prefix}"
        );
    }
    for prefix in ["P", "P{x}", "P}", "}P{x}{}"] {
        assert_eq!(
            KeyLayout::new(prefix).check_lease_prefix(),
            Ok(()),
            "{prefix}"
        );
    }
    for sid in ["", "}", "}x"] {
        assert!(KeyLayout::new("P").check_lease_sid(sid).is_err(), "{sid}");
    }
    for sid in ["x", "x}", "{", "{}"] {
        assert_eq!(KeyLayout::new("P").check_lease_sid(sid), Ok(()), "{sid}");
    }
}
