//! Replaces announced addresses: behind NAT or in containers sentinels and cluster nodes announce addresses that cannot be
//! reached from here. The map is applied where an address is used, so that everything that sentinels say is compared as
//! they say it.

use std::{collections::HashMap, sync::Arc};

use super::server_address::Address;
use crate::{app::AppHandle, manager::ConnectError, options::announced};

/// Which address to use in place of an announced one. What is not mapped is used as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NatMap {
    /// Each announced address is used as it is.
    #[default]
    None,
    /// By host (in lower case) and port.
    Table(Arc<HashMap<(String, u16), Address>>),
    /// The app has a function, which is this option.
    Function(&'static str),
}

impl NatMap {
    /// Returns the address to use.
    pub(crate) async fn apply(
        &self,
        app: &AppHandle,
        address: &Address,
    ) -> Result<Address, ConnectError> {
        match (self, address) {
            (Self::Function(option), Address::Tcp(_, port)) => {
                let answer = app.call(option, Some(address.to_string())).await?;
                let mapped = announced(option, &answer, *port);
                let mapped = mapped.map_err(|error| {
                    let words = format!("{error}, for {address}");
                    ConnectError::Unreachable(words.into())
                })?;
                Ok(mapped.unwrap_or_else(|| address.clone()))
            }
            _ => Ok(self.look_up(address).unwrap_or(address).clone()),
        }
    }

    /// Returns the address to use, if no function decides that.
    pub(crate) fn at_once(&self, address: &Address) -> Option<Address> {
        match self {
            Self::Function(_) => None,
            _ => Some(self.look_up(address).unwrap_or(address).clone()),
        }
    }

    fn look_up(&self, address: &Address) -> Option<&Address> {
        match (self, address) {
            (Self::Table(map), Address::Tcp(host, port)) => {
                map.get(&(host.to_ascii_lowercase(), *port))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{App, tests::Scripted},
        options::Raw,
    };

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[tokio::test]
    async fn a_table_maps_what_it_has() {
        let map = HashMap::from([(("node-1".to_owned(), 6379), tcp("127.0.0.1", 7001))]);
        let map = NatMap::Table(Arc::new(map));
        let app = AppHandle::default();
        for (announced, used) in [
            (tcp("node-1", 6379), tcp("127.0.0.1", 7001)),
            (tcp("Node-1", 6379), tcp("127.0.0.1", 7001)),
            (tcp("node-1", 6380), tcp("node-1", 6380)),
            (tcp("node-2", 6379), tcp("node-2", 6379)),
        ] {
            assert_eq!(map.apply(&app, &announced).await, Ok(used.clone()));
            assert_eq!(map.at_once(&announced), Some(used));
        }
    }

    #[tokio::test]
    async fn a_function_is_asked_for_each_and_a_bad_answer_names_the_address() {
        let app: Arc<dyn App> = Arc::new(Scripted(|_, announced: Option<String>| {
            Some(match announced.as_deref() {
                Some("[::1]:1") => Ok(Raw::Text("mapped:2".to_owned())),
                Some("h:1") => Ok(Raw::Absent),
                Some("h:2") => Ok(Raw::Bool(true)),
                _ => Err("unknown".to_owned()),
            })
        }));
        let handle = AppHandle::new(Arc::downgrade(&app));
        let map = NatMap::Function("natMap");
        assert_eq!(map.at_once(&tcp("h", 1)), None);
        assert_eq!(
            map.apply(&handle, &tcp("::1", 1)).await,
            Ok(tcp("mapped", 2))
        );
        assert_eq!(map.apply(&handle, &tcp("h", 1)).await, Ok(tcp("h", 1)));
        let error = map.apply(&handle, &tcp("h", 2)).await.unwrap_err();
        let words = "option natMap: what the function returned is true; accepted is {host, port} or 'host:port', for h:2";
        assert_eq!(&**error.words(), words);
        let error = map.apply(&handle, &tcp("h", 3)).await.unwrap_err();
        assert_eq!(
            &**error.words(),
            "option natMap: the function failed: unknown"
        );
    }
}
