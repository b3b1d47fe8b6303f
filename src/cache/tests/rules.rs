//! Each rule of the cache, broken: some history of the model, or a random one, then shows what may
//! not be seen. Were it not so, the tests would not protect the rule.

use super::{model, random, shared};
use crate::failpoints::{NAMES, activate};

/// Rules that no history here can show: nothing is thrown out of this memory, and there is no
/// connection. They are broken in `__test__/cache`.
const ELSEWHERE: [&str; 7] = [
    "by-reference",
    "cache-on-resp2",
    "caching-not-sent",
    "caching-unanswered",
    "not-together",
    "panicking-closure",
    "place-too-late",
];

/// Random histories that are tried first: most rules are shown by one of them much sooner than by the model.
const FIRST: usize = 1_000;

/// Takes longer histories than the model goes through.
const LONG: &str = "no-fallback-for-reads";

#[test]
fn every_rule_that_is_broken_is_caught() {
    for rule in NAMES {
        if ELSEWHERE.contains(rule) || rule.starts_with("embedded-") {
            continue;
        }
        let _broken = activate(rule);
        let caught = match *rule {
            LONG => random::search(4_000).is_some(),
            "serves-moved" => shared::serves_a_read_that_moved(),
            "joins-older-load" => shared::shares_an_older_load(),
            "joins-over-command" => shared::shares_a_load_before_a_command(),
            "joins-over-candidate" => shared::shares_a_load_before_a_candidate(),
            "joins-over-reread" => shared::shares_a_load_before_a_reread(),
            _ => random::search(FIRST).is_some() || model::check().is_err(),
        };
        assert!(caught, "{rule}: no history shows it");
    }
}
