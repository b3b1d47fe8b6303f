//! Each rule of the cache, broken: some history of the model, or a random one, then shows what may
//! not be seen. Were it not so, the tests would not protect the rule.

use super::{model, random};
use crate::cache::Broken;

/// Rules that the state machine itself keeps; the others are the connection's
/// (`redis_manager::connect`) and are broken in `__test__/cache`.
const RULES: [&str; 8] = [
    "no-barrier",
    "no-token",
    "null-keeps-loads",
    "joins-sent-load",
    "shares-sent-barrier",
    "no-fallback-same-batch",
    "no-fallback-next-batch",
    "barrier-ignores-count",
];

#[test]
fn every_rule_that_is_broken_is_caught() {
    for rule in RULES {
        let caught = model::check(Broken::rule(rule)).is_err();
        assert!(caught, "{rule}: no history of the model shows it");
    }
    let rule = Broken::rule("no-fallback-for-reads");
    assert!(
        random::search(rule, 4_000).is_some(),
        "no random history shows it"
    );
}
