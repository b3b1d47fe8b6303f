//! Option `fanOut`.

use super::{super::*, parse, text};

fn fan_out(given: &[(&str, Raw)]) -> Option<FanOut> {
    parse(given).expect("all are valid").fan_out
}

#[test]
fn it_is_on_by_default_and_false_switches_it_off() {
    let default = FanOut {
        deflate_threshold: 1024,
        max_buffered: None,
        on_slow: OnSlow::Drop,
        lists: true,
    };
    assert_eq!(fan_out(&[]), Some(default));
    assert_eq!(fan_out(&[("fanOut", Raw::Bool(true))]), Some(default));
    assert_eq!(fan_out(&[("fanOut", Raw::Object)]), Some(default));
    assert_eq!(fan_out(&[("fanOut", Raw::Bool(false))]), None);
}

#[test]
fn its_fields_are_taken_and_zero_for_max_buffered_means_no_limit() {
    let given = [
        ("fanOut", Raw::Object),
        ("fanOut.deflateThreshold", Raw::Number(0.0)),
        ("fanOut.maxBuffered", text("1000000")),
        ("fanOut.onSlow", text("close")),
        ("fanOut.lists", Raw::Bool(false)),
    ];
    let expected = FanOut {
        deflate_threshold: 0,
        max_buffered: Some(1_000_000),
        on_slow: OnSlow::Close,
        lists: false,
    };
    assert_eq!(fan_out(&given), Some(expected));
    let unlimited = [
        ("fanOut", Raw::Object),
        ("fanOut.maxBuffered", Raw::Number(0.0)),
    ];
    assert_eq!(fan_out(&unlimited).expect("it is on").max_buffered, None);
}

#[test]
fn an_error_names_the_field() {
    for (name, value, words) in [
        (
            "fanOut",
            text("yes"),
            "option fanOut is \"yes\"; accepted is true, false or {deflateThreshold, maxBuffered, onSlow, lists}",
        ),
        (
            "fanOut.deflateThreshold",
            Raw::Number(-1.0),
            "option fanOut.deflateThreshold is -1; accepted is a whole number from 0 to 1099511627776",
        ),
        (
            "fanOut.maxBuffered",
            text("1mb"),
            "option fanOut.maxBuffered is \"1mb\"; accepted is a whole number from 0 to 1099511627776",
        ),
        (
            "fanOut.onSlow",
            text("wait"),
            "option fanOut.onSlow is \"wait\"; accepted is 'drop' or 'close'",
        ),
        (
            "fanOut.lists",
            Raw::Number(1.0),
            "option fanOut.lists is 1; accepted is true or false",
        ),
    ] {
        let given = [("fanOut", Raw::Object), (name, value)];
        assert_eq!(parse(&given).unwrap_err().to_string(), words);
    }
}
