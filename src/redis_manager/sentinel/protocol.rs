//! The options for Sentinel, the questions to a sentinel, and parsing its reply. Connections are in
//! [`super::listener`]; the replies of all sentinels are combined in [`super::election`].

use std::{collections::HashMap, fmt, sync::Arc};

use redis::{Pipeline, RedisError, Value, from_redis_value_ref};

use super::{election::Answer, listener::LIMIT};
use crate::{
    app::AppHandle,
    manager::ConnectError,
    redis_manager::{
        first_line::FirstLine,
        handshake::unanswered,
        login::{LoginOptions, Source},
        nat_map::NatMap,
        redact::redact,
        server_address::Address,
        server_errors::{connect_error, words},
        tls::Tls,
    },
};

/// The name of a primary, and its sentinels. `Debug` is not derived: it would show secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sentinels {
    /// The addresses of the sentinels.
    pub addresses: Vec<Address>,
    /// The primary's name at the sentinels.
    pub name: String,
    /// How to log in at the sentinels.
    pub login: LoginOptions,
    /// How connections to them are secured, if they are.
    pub tls: Option<Tls>,
    /// Which addresses are used in place of those that they announce.
    pub nat_map: NatMap,
    /// The app whose functions are among the options.
    pub app: AppHandle,
    /// What no line of the log may contain.
    pub secrets: Vec<String>,
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinels")
            .field("name", &self.name)
            .field("addresses", &self.addresses)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(Address::to_string).collect();
        write!(f, "{:?} (sentinels {})", self.name, addresses.join(", "))
    }
}

/// A sentinel that another one has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) id: String,
    pub(super) address: Address,
}

/// The reply of a sentinel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentinelReply {
    pub(super) answer: Answer,
    /// Its own id, by which other sentinels know it (since Redis 6.2).
    pub(super) id: Option<String>,
    /// The number of other sentinels that it knows (`num-other-sentinels`).
    pub(super) count: Option<usize>,
    pub(super) others: Vec<Other>,
    /// Commands that were refused, with the server's words.
    pub(super) denied: Vec<(&'static str, Arc<str>)>,
}

/// A question that may be forbidden to our user: without it less is known.
pub(super) const MASTER: &str = "SENTINEL MASTER";
pub(super) const SENTINELS: &str = "SENTINEL SENTINELS";

/// Refused by a sentinel without a password.
pub(super) const AUTH: &str = "AUTH";

impl Sentinels {
    /// Returns the source of logins at the sentinels.
    pub(super) fn source(&self) -> Source {
        Source {
            options: self.login.clone(),
            app: self.app.clone(),
            secrets: self.secrets.clone(),
        }
    }

    /// Makes the error for a connection that broke before a sentinel answered anything on it; `first` is what it said.
    pub(super) fn unanswered(&self, error: &RedisError, first: &FirstLine) -> ConnectError {
        let hint = "a sentinel that wants TLS does that (option sentinelTls)";
        unanswered(error, first, self.tls.as_ref(), Some(hint))
    }

    /// Removes secrets from what a sentinel says.
    pub(super) fn redact(&self, words: Arc<str>) -> Arc<str> {
        let asked = self.app.secrets();
        let secrets = self.secrets.iter().chain(&asked);
        redact(words, secrets.map(String::as_str))
    }

    /// Makes the error for a sentinel that did not answer in time.
    pub(super) fn silent(&self) -> ConnectError {
        let hint = self.tls.as_ref().and_then(Tls::timeout_hint);
        ConnectError::late(format_args!("{} ms", LIMIT.as_millis()), hint)
    }

    /// Makes the pipeline of questions. The details come first: if a promotion comes in between, the address is newer
    /// than the epoch, which the next question corrects; an old address with a new epoch would be believed.
    pub(super) fn questions(&self) -> Pipeline {
        let mut pipeline = Pipeline::new();
        let name = self.name.as_str();
        for question in ["MASTER", "GET-MASTER-ADDR-BY-NAME", "SENTINELS"] {
            pipeline.cmd("SENTINEL").arg(question).arg(name);
        }
        pipeline.cmd("SENTINEL").arg("MYID");
        pipeline
    }

    /// Reads the replies to [`Self::questions`].
    pub(super) fn read(&self, replies: &[Value]) -> Result<SentinelReply, ConnectError> {
        let strange = || ConnectError::Unreachable("the answer is not a sentinel's".into());
        let [details, place, others, id] = replies else {
            return Err(strange());
        };
        let place: (String, u16) = match place {
            Value::Nil => return Err(ConnectError::Refused(self.unknown().into())),
            Value::ServerError(error) => return Err(connect_error(error)),
            place => from_redis_value_ref(place).map_err(|_| strange())?,
        };
        let mut denied = Vec::new();
        for (command, reply) in [(MASTER, details), (SENTINELS, others)] {
            if let Value::ServerError(error) = reply {
                denied.push((command, words(error)));
            }
        }
        let details: HashMap<String, String> = from_redis_value_ref(details).unwrap_or_default();
        let detail = |name| details.get(name).map_or("", String::as_str);
        let fails_over = detail("flags").split(',').any(|flag| flag == "failover_in_progress")
            // Otherwise the address is already that of the promoted server.
            && (detail("ip"), detail("port")) == (place.0.as_str(), place.1.to_string().as_str());
        let others: Vec<HashMap<String, String>> = from_redis_value_ref(others).unwrap_or_default();
        Ok(SentinelReply {
            answer: Answer {
                address: Address::Tcp(place.0, place.1),
                epoch: detail("config-epoch").parse().ok(),
                fails_over,
            },
            id: from_redis_value_ref(id).ok(),
            count: detail("num-other-sentinels").parse().ok(),
            others: others.iter().filter_map(other).collect(),
            denied,
        })
    }

    fn unknown(&self) -> String {
        format!("it knows no primary named {:?}", self.name)
    }

    /// Returns the error if no sentinel named an address: [`ConnectError::Refused`] if all of them answered with an
    /// error.
    pub(super) fn not_found(&self, failures: &[(Address, ConnectError)]) -> ConnectError {
        let unknown = self.unknown();
        if failures.iter().all(|(_, no)| **no.words() == *unknown) {
            let words = format!("no sentinel knows a primary named {:?}", self.name);
            return ConnectError::Refused(words.into());
        }
        let mut told: Vec<(&Arc<str>, Vec<String>)> = Vec::new();
        for (address, no) in failures {
            match told.iter_mut().find(|(words, _)| *words == no.words()) {
                Some((_, who)) => who.push(address.to_string()),
                None => told.push((no.words(), vec![address.to_string()])),
            }
        }
        let told = told
            .into_iter()
            .map(|(words, who)| format!("sentinel {}: {words}", who.join(", ")));
        let words = told.collect::<Vec<_>>().join("; ").into();
        if failures
            .iter()
            .all(|(_, no)| matches!(no, ConnectError::Refused(_)))
        {
            ConnectError::Refused(words)
        } else {
            ConnectError::Unreachable(words)
        }
    }
}

fn other(fields: &HashMap<String, String>) -> Option<Other> {
    let field = |name| fields.get(name).filter(|value| !value.is_empty());
    Some(Other {
        id: field("runid")?.clone(),
        address: Address::Tcp(field("ip")?.clone(), field("port")?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn pairs(fields: &[(&str, &str)]) -> Value {
        let pairs = fields.iter().map(|(name, value)| (bulk(name), bulk(value)));
        Value::Map(pairs.collect())
    }

    fn sentinels() -> Sentinels {
        Sentinels {
            addresses: (1..=3).map(|port| Address::Tcp("h".into(), port)).collect(),
            name: "x\ny".to_owned(),
            login: LoginOptions {
                password: Some("hush".to_owned()),
                ..LoginOptions::default()
            },
            ..Sentinels::default()
        }
    }

    #[test]
    fn what_a_sentinel_answers_is_read() {
        let place = Value::Array(vec![bulk("10.0.0.1"), bulk("1")]);
        let details = |port, flags| {
            pairs(&[
                ("ip", "10.0.0.1"),
                ("port", port),
                ("flags", flags),
                ("config-epoch", "7"),
                ("num-other-sentinels", "2"),
            ])
        };
        let known = pairs(&[("ip", "10.0.0.9"), ("port", "26379"), ("runid", "abc")]);
        let unknown = pairs(&[("ip", "10.0.0.8"), ("port", "26379"), ("runid", "")]);
        let others = Value::Array(vec![known, unknown]);
        for (port, flags, fails_over) in [
            ("1", "master", false),
            ("1", "master,o_down,failover_in_progress", true),
            // The replica has been promoted, and its address is told instead.
            ("2", "master,failover_in_progress", false),
        ] {
            let replies = [
                details(port, flags),
                place.clone(),
                others.clone(),
                bulk("me"),
            ];
            let told = sentinels().read(&replies).expect("an answer");
            let address = Address::Tcp("10.0.0.1".into(), 1);
            let epoch = Some(7);
            let answer = Answer {
                address,
                epoch,
                fails_over,
            };
            assert_eq!(told.answer, answer, "{port} {flags}");
            let other = Other {
                id: "abc".into(),
                address: Address::Tcp("10.0.0.9".into(), 26379),
            };
            assert_eq!((told.others, told.count), (vec![other], Some(2)));
            assert_eq!((told.id.as_deref(), told.denied), (Some("me"), vec![]));
        }
    }

    #[test]
    fn what_a_user_may_not_ask_is_told_and_the_rest_is_read() {
        let no = redis::parse_redis_value(b"-NOPERM no\r\n").expect("an error");
        let place = Value::Array(vec![bulk("10.0.0.1"), bulk("1")]);
        let replies = [no.clone(), place, no.clone(), no.clone()];
        let told = sentinels().read(&replies).expect("an answer");
        assert_eq!((told.answer.epoch, told.answer.fails_over), (None, false));
        let denied: Vec<_> = told.denied.iter().map(|(what, _)| *what).collect();
        assert_eq!(denied, [MASTER, SENTINELS]);
        assert!(
            sentinels()
                .read(&[no.clone(), no.clone(), no.clone(), no])
                .is_err()
        );
        assert!(sentinels().read(&[]).is_err());
    }

    #[test]
    fn why_nobody_told_an_address_is_said_once_for_all_who_said_it() {
        let sentinels = sentinels();
        let [one, two, three] = [0, 1, 2].map(|i| sentinels.addresses[i].clone());
        let unknown = || ConnectError::Refused(sentinels.unknown().into());
        let gone = || ConnectError::Unreachable("refused".into());
        let failures = [
            (one.clone(), unknown()),
            (two.clone(), unknown()),
            (three.clone(), unknown()),
        ];
        let words = "no sentinel knows a primary named \"x\\ny\"";
        assert_eq!(
            sentinels.not_found(&failures),
            ConnectError::Refused(words.into())
        );
        let failures = [(one, gone()), (two, unknown()), (three, gone())];
        let words = "sentinel h:1, h:3: refused; sentinel h:2: it knows no primary named \"x\\ny\"";
        let expected = ConnectError::Unreachable(words.into());
        assert_eq!(sentinels.not_found(&failures), expected);
        assert!(!format!("{sentinels:?} {sentinels}").contains("hush"));
    }
}
