//! Opens a socket to a server. The protocol on it is in [`super::connect`]; the choice between several addresses of a
//! name is in [`super::happy_eyeballs`].

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};

use super::{happy_eyeballs, server_address::Address, server_errors::unreachable, tls::Tls};
use crate::manager::ConnectError;

/// A socket of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens a socket. Not left to redis-rs, so that the end of the socket is detected at once, and not only when the next
/// command fails.
pub(super) async fn open(
    address: &Address,
    tls: Option<&Tls>,
) -> Result<Box<dyn Stream>, ConnectError> {
    match address {
        Address::Tcp(host, _) => {
            let all = resolve(address).await?;
            let stream = happy_eyeballs::connect(all, TcpStream::connect).await;
            layered(stream.map_err(|error| unreachable(&error))?, host, tls).await
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            Ok(Box::new(stream.map_err(|error| unreachable(&error))?))
        }
        #[cfg(not(unix))]
        Address::Unix(_) => {
            let words = "Unix sockets are not to be had on this platform";
            Err(ConnectError::Refused(words.into()))
        }
    }
}

/// Opens a socket to one address of a host; `host` is the name that a certificate must be for.
pub(super) async fn open_at(
    at: SocketAddr,
    host: &str,
    tls: Option<&Tls>,
) -> Result<Box<dyn Stream>, ConnectError> {
    let stream = TcpStream::connect(at).await;
    layered(stream.map_err(|error| unreachable(&error))?, host, tls).await
}

/// Returns all addresses of a host, in the order of the system's preference.
pub(super) async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
    let Address::Tcp(host, port) = address else {
        return Ok(Vec::new());
    };
    let all = lookup_host((host.as_str(), *port)).await;
    Ok(all.map_err(|error| unreachable(&error))?.collect())
}

async fn layered(
    stream: TcpStream,
    host: &str,
    tls: Option<&Tls>,
) -> Result<Box<dyn Stream>, ConnectError> {
    // Without TCP_NODELAY a lone command would wait for an acknowledgement.
    stream
        .set_nodelay(true)
        .map_err(|error| unreachable(&error))?;
    match tls {
        Some(tls) => Ok(Box::new(tls.secure(host, stream).await?)),
        None => Ok(Box::new(stream)),
    }
}
