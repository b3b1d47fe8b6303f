//! What is read of a question; the views themselves are tested with real stores, in `__test__/inspect/`.

use super::{Reader, question::Question};

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    let error = Reader::new("nowhere", "", false).err().expect("no reader");
    assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT");
}

#[test]
fn a_cursor_of_something_else_and_a_long_glob_are_refused() {
    let question = Question::read(r#"{"ask":"channels","cursor":"01"}"#).expect("JSON");
    let error = question.position(1).expect_err("no cursor");
    assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT");
    assert_eq!(question.glob().expect("a glob"), "*");
    let long = format!(r#"{{"match":"{}"}}"#, "a".repeat(5000));
    let question = Question::read(&long).expect("JSON");
    assert!(question.glob().is_err());
    assert!(Question::read("{").is_err());
}

#[test]
fn a_limit_is_kept_within_its_bounds() {
    for (text, limit) in [
        (r#"{"limit":0}"#, 1),
        (r#"{"limit":7}"#, 7),
        (r#"{"limit":1e9}"#, 100),
        (r#"{"limit":1000000}"#, 10_000),
        ("{}", 100),
    ] {
        assert_eq!(Question::read(text).expect("JSON").limit(), limit, "{text}");
    }
}
