//! Asking the sentinels which server is the primary. When it becomes another one is heard of in
//! [`super::watch`]; whether the server found is a primary indeed is asked in [`super::set_up`].

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, RedisConnectionInfo, Value,
    aio::MultiplexedConnection, from_redis_value_ref,
};
use tokio::time::{sleep, timeout};

use super::{
    Address, Tls,
    connect::unreachable,
    set_up::refusal,
    stream::{self, Stream},
    words,
};
use crate::manager::ConnectError;

/// How long one sentinel may take, from connecting to its answer.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

/// How long the others may take once one has told an address: it may be the one that has not heard yet.
const GRACE: Duration = Duration::from_millis(100);

/// A primary by its name, and who knows where it is. `Debug` is not derived: it would show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Sentinels {
    /// Where they are.
    pub addresses: Vec<Address>,
    /// What they call the primary.
    pub name: String,
    /// The ACL user at the sentinels, if not the default one.
    pub username: Option<String>,
    /// The password of the sentinels, if they need one.
    pub password: Option<String>,
    /// How connections to them are secured: like those to the server.
    pub tls: Option<Tls>,
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(Address::to_string).collect();
        write!(f, "{:?} (sentinels {})", self.name, addresses.join(", "))
    }
}

/// What a sentinel says of the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Primary {
    pub(super) address: Address,
    /// Grows with each failover; 0 = the sentinel does not tell.
    pub(super) epoch: u64,
    /// It is about to promote another one.
    pub(super) leaves: bool,
}

impl Primary {
    /// Of what two sentinels say. Who has heard of the latest failover is right.
    fn or_later(mut self, other: Self) -> Self {
        if other.epoch > self.epoch {
            return other;
        }
        // Only the one that leads a failover knows of it.
        self.leaves |= other.leaves && other.address == self.address;
        self
    }
}

impl Sentinels {
    /// Asks all at once, since the first that answers may be one that has missed something.
    pub(super) async fn primary(&self) -> Result<Primary, ConnectError> {
        let ask = |address| async move { (address, self.ask(address).await) };
        let mut answers: FuturesUnordered<_> = self.addresses.iter().map(ask).collect();
        let mut found: Option<Primary> = None;
        let mut noes = Vec::new();
        let mut grace = Box::pin(sleep(LIMIT));
        loop {
            let (address, answer) = tokio::select! {
                answer = answers.next() => match answer {
                    Some(answer) => answer,
                    None => break,
                },
                () = &mut grace, if found.is_some() => break,
            };
            match answer {
                Err(no) => noes.push((address, no)),
                Ok(primary) => {
                    if found.is_none() {
                        grace = Box::pin(sleep(GRACE));
                    }
                    found = Some(match found {
                        None => primary,
                        Some(before) => before.or_later(primary),
                    });
                }
            }
        }
        found.ok_or_else(|| self.nowhere(&noes))
    }

    /// Asks one.
    pub(super) async fn ask(&self, address: &Address) -> Result<Primary, ConnectError> {
        let late = |_| {
            let words = format!("no answer within {} ms", LIMIT.as_millis());
            Err(ConnectError::Unreachable(words.into()))
        };
        timeout(LIMIT, self.talk(address))
            .await
            .unwrap_or_else(late)
    }

    async fn talk(&self, address: &Address) -> Result<Primary, ConnectError> {
        let info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(ProtocolVersion::RESP2);
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let stream = self.reach(address).await?;
        let (mut connection, task) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| unreachable(&error))?;
        let mut pipeline = Pipeline::new();
        let logs_in = self.username.is_some() || self.password.is_some();
        if logs_in {
            pipeline.cmd("AUTH").arg(&self.username);
            pipeline.arg(self.password.as_deref().unwrap_or_default());
        }
        let name = self.name.as_str();
        pipeline
            .cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(name);
        // May be forbidden to our user.
        pipeline.cmd("SENTINEL").arg("MASTER").arg(name);
        let replies = tokio::select! {
            replies = connection.send_packed_commands(&pipeline, 0, pipeline.len()) => replies,
            () = task => return Err(ConnectError::Unreachable("it closed the connection".into())),
        };
        let replies = replies.map_err(|error| unreachable(&error))?;
        let replies = match replies.as_slice() {
            [Value::ServerError(error), ..] if logs_in => return Err(refusal(words(error))),
            [_, rest @ ..] if logs_in => rest,
            replies => replies,
        };
        self.read(replies)
    }

    fn read(&self, replies: &[Value]) -> Result<Primary, ConnectError> {
        let strange = || ConnectError::Unreachable("the answer is not a sentinel's".into());
        let [place, details] = replies else {
            return Err(strange());
        };
        let place: (String, u16) = match place {
            Value::Nil => return Err(ConnectError::Refused(self.unknown().into())),
            Value::ServerError(error) => return Err(refusal(words(error))),
            place => from_redis_value_ref(place).map_err(|_| strange())?,
        };
        // Pairs in a row; empty if it was an error.
        let details: Vec<String> = from_redis_value_ref(details).unwrap_or_default();
        let detail = |name| {
            let pair = details.chunks_exact(2).find(|pair| pair[0] == name);
            pair.map_or("", |pair| pair[1].as_str())
        };
        let promotes = detail("flags").split(',').any(|flag| flag == "failover_in_progress")
            // Else it is told already which one was promoted.
            && (detail("ip"), detail("port")) == (place.0.as_str(), place.1.to_string().as_str());
        Ok(Primary {
            address: Address::Tcp(place.0, place.1),
            epoch: detail("config-epoch").parse().unwrap_or(0),
            leaves: promotes,
        })
    }

    /// A socket to one of them: the same for questions and for listening.
    pub(super) async fn reach(&self, address: &Address) -> Result<Box<dyn Stream>, ConnectError> {
        stream::open(address, self.tls.as_ref()).await
    }

    fn unknown(&self) -> String {
        format!("it knows no primary named {:?}", self.name)
    }

    /// Why none told an address. Trying again does not help if all of them said no.
    fn nowhere(&self, noes: &[(&Address, ConnectError)]) -> ConnectError {
        let unknown = self.unknown();
        if noes.iter().all(|(_, no)| **no.words() == *unknown) {
            let words = format!("no sentinel knows a primary named {:?}", self.name);
            return ConnectError::Refused(words.into());
        }
        let mut told: Vec<(&Arc<str>, Vec<String>)> = Vec::new();
        for (address, no) in noes {
            match told.iter_mut().find(|(words, _)| *words == no.words()) {
                Some((_, who)) => who.push(address.to_string()),
                None => told.push((no.words(), vec![address.to_string()])),
            }
        }
        let told = told
            .into_iter()
            .map(|(words, who)| format!("sentinel {}: {words}", who.join(", ")));
        let words = told.collect::<Vec<_>>().join("; ").into();
        if noes
            .iter()
            .all(|(_, no)| matches!(no, ConnectError::Refused(_)))
        {
            ConnectError::Refused(words)
        } else {
            ConnectError::Unreachable(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(port: u16, epoch: u64, leaves: bool) -> Primary {
        let address = Address::Tcp("h".into(), port);
        Primary {
            address,
            epoch,
            leaves,
        }
    }

    #[test]
    fn who_has_heard_of_the_latest_failover_is_right() {
        let (old, new) = (primary(1, 3, true), primary(2, 4, false));
        assert_eq!(old.clone().or_later(new.clone()), new);
        assert_eq!(new.clone().or_later(old), new);
    }

    #[test]
    fn one_that_leads_a_failover_is_enough_to_know_of_it() {
        let (leader, other) = (primary(1, 3, true), primary(1, 3, false));
        assert_eq!(leader.clone().or_later(other.clone()), leader);
        assert_eq!(other.or_later(leader.clone()), leader);
        let forbidden = primary(2, 0, false);
        assert_eq!(forbidden.clone().or_later(primary(1, 0, true)), forbidden);
    }

    #[test]
    fn why_nobody_told_an_address_is_said_once_for_all_who_said_it() {
        let sentinels = Sentinels {
            addresses: (1..=3).map(|port| Address::Tcp("h".into(), port)).collect(),
            name: "x\ny".to_owned(),
            username: None,
            password: Some("hush".to_owned()),
            tls: None,
        };
        let [one, two, three] = sentinels.addresses.as_slice() else {
            panic!("three")
        };
        let unknown = || ConnectError::Refused(sentinels.unknown().into());
        let gone = || ConnectError::Unreachable("refused".into());
        let noes = [(one, unknown()), (two, unknown()), (three, unknown())];
        let words = "no sentinel knows a primary named \"x\\ny\"";
        assert_eq!(
            sentinels.nowhere(&noes),
            ConnectError::Refused(words.into())
        );
        let noes = [(one, gone()), (two, unknown()), (three, gone())];
        let words = "sentinel h:1, h:3: refused; sentinel h:2: it knows no primary named \"x\\ny\"";
        let expected = ConnectError::Unreachable(words.into());
        assert_eq!(sentinels.nowhere(&noes), expected);
        assert!(!format!("{sentinels:?} {sentinels}").contains("hush"));
    }
}
