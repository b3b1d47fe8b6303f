//! The messages that sentinels publish about failovers: the channels to subscribe to, and parsing.

use redis::{PushInfo, PushKind};

use super::election::FailoverEvent;
use crate::redis_manager::server_address::Address;

/// `NAME OLD-HOST OLD-PORT HOST PORT`.
const SWITCHED: &str = "+switch-master";

/// The steps that the sentinel that leads a failover reports. About the primary: `master NAME HOST PORT`; about the
/// replica that is promoted: `slave … @ NAME HOST PORT`, with the old primary's address. The first step comes 100 ms or
/// more before the promotion, the third about 50 ms.
const STEPS: [&str; 4] = [
    "+try-failover",
    "+failover-state-select-slave",
    "+failover-state-send-slaveof-noone",
    "+promoted-slave",
];

pub(super) fn channels() -> Vec<&'static str> {
    STEPS.into_iter().chain([SWITCHED]).collect()
}

/// Decodes a message that RESP3 pushes; nothing if it is another kind of push, or about another primary.
pub(super) fn pushed(push: &PushInfo, name: &str) -> Option<FailoverEvent> {
    if push.kind != PushKind::Message {
        return None;
    }
    let [channel, text] = push.data.as_slice() else {
        return None;
    };
    let text_of = |value| redis::from_redis_value_ref::<String>(value).ok();
    parse(&text_of(channel)?, &text_of(text)?, name)
}

/// Parses a message, given its channel and text.
pub(super) fn parse(channel: &str, text: &str, name: &str) -> Option<FailoverEvent> {
    let words: Vec<_> = text.split(' ').collect();
    match words.as_slice() {
        [of, host, port, new_host, new_port] if channel == SWITCHED && *of == name => {
            let from = address(host, port)?;
            let to = address(new_host, new_port)?;
            Some(FailoverEvent::Switched { from, to })
        }
        ["master", of, host, port] | [.., "@", of, host, port]
            if STEPS.contains(&channel) && *of == name =>
        {
            address(host, port).map(FailoverEvent::FailsOver)
        }
        _ => None,
    }
}

fn address(host: &str, port: &str) -> Option<Address> {
    Some(Address::Tcp(host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn at(port: u16) -> Address {
        Address::Tcp("10.0.0.1".into(), port)
    }

    #[test]
    fn what_sentinels_publish_is_read_for_this_name_only() {
        let switched = "mine 10.0.0.1 1 10.0.0.1 2";
        let (from, to) = (at(1), at(2));
        let expected = Some(FailoverEvent::Switched { from, to });
        assert_eq!(parse(SWITCHED, switched, "mine"), expected);
        let of_replica = "slave 10.0.0.1:2 10.0.0.1 2 @ mine 10.0.0.1 1";
        let of_primary = "master mine 10.0.0.1 1";
        for (step, text) in STEPS
            .into_iter()
            .zip([of_primary, of_primary, of_replica, of_replica])
        {
            let expected = Some(FailoverEvent::FailsOver(at(1)));
            assert_eq!(parse(step, text, "mine"), expected, "{step}");
            for name in ["min", "mine ", "other", "master"] {
                assert_eq!(parse(step, text, name), None, "{step} {name}");
            }
        }
        for name in ["min", "mine ", "other"] {
            assert_eq!(parse(SWITCHED, switched, name), None, "{name}");
        }
        let push = |kind, data: [&str; 2]| PushInfo {
            kind,
            data: data
                .map(|text| Value::BulkString(text.into()))
                .into_iter()
                .collect(),
        };
        let message = push(PushKind::Message, [STEPS[0], of_primary]);
        assert_eq!(
            pushed(&message, "mine"),
            Some(FailoverEvent::FailsOver(at(1)))
        );
        let other = push(PushKind::Subscribe, [STEPS[0], of_primary]);
        assert_eq!(pushed(&other, "mine"), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_news() {
        for text in [
            "",
            "x",
            "x ",
            "x 1 2 3",
            "x 10.0.0.1 1 10.0.0.1 port",
            "x 10.0.0.1 port 10.0.0.1 1",
            "@ x 1",
            "master x 1",
            "master x 10.0.0.1 port",
        ] {
            for channel in [SWITCHED, STEPS[0], STEPS[2], "+sdown"] {
                assert_eq!(parse(channel, text, "x"), None, "{channel} {text}");
            }
        }
    }
}
