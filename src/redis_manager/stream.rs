//! Opens a socket to a server. The protocol on it is in [`super::connect`], the look-up of names in
//! [`super::resolver`], the choice between several addresses of a name in [`super::happy_eyeballs`].

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    first_line::{FirstLine, FirstLineStream},
    happy_eyeballs, resolver,
    server_address::Address,
    server_errors::unreachable,
    tls::Tls,
};
use crate::{
    lone_socket::{self, LoneStream},
    manager::ConnectError,
};

/// A socket of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open socket.
pub(super) struct Socket {
    pub(super) stream: Box<dyn Stream>,
    /// What the server says first.
    pub(super) first: FirstLine,
    /// For moving it to the event loop; `None` for a socket that stays with the runtime. Under TLS it stays: such a server is
    /// mostly far away, and a wake is little of the time that a call takes.
    pub(super) lone: Option<Arc<lone_socket::Socket>>,
}

impl Socket {
    fn new(stream: impl Stream + 'static) -> Self {
        let first = FirstLine::default();
        let stream = Box::new(FirstLineStream::new(stream, first.clone()));
        let lone = None;
        Self {
            stream,
            first,
            lone,
        }
    }

    fn lone(stream: TcpStream) -> Self {
        let stream = LoneStream::new(stream);
        let lone = Some(stream.socket());
        Self {
            lone,
            ..Self::new(stream)
        }
    }
}

/// Opens a socket. Not left to redis-rs, so that the end of the socket is detected at once, and not only when the next
/// command fails.
pub(super) async fn open(address: &Address, tls: Option<&Tls>) -> Result<Socket, ConnectError> {
    match address {
        Address::Tcp(host, _) => {
            let all = resolve(address).await?;
            let stream = happy_eyeballs::connect(all, TcpStream::connect).await;
            layered(stream.map_err(|error| unreachable(&error))?, host, tls).await
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            let stream = stream.and_then(same_as_tcp);
            Ok(Socket::lone(stream.map_err(|error| unreachable(&error))?))
        }
        #[cfg(not(unix))]
        Address::Unix(_) => {
            let words = "Unix sockets are not to be had on this platform";
            Err(ConnectError::Refused(words.into()))
        }
    }
}

/// Wraps the descriptor of a Unix socket as that of a TCP one: reading, writing and shutting down are the same system
/// calls, so that such a socket is moved to the event loop as well.
#[cfg(unix)]
fn same_as_tcp(stream: tokio::net::UnixStream) -> std::io::Result<TcpStream> {
    let descriptor = std::os::fd::OwnedFd::from(stream.into_std()?);
    TcpStream::from_std(descriptor.into())
}

/// Opens a socket to one address of a host; `host` is the name that a certificate must be for.
pub(super) async fn open_at(
    at: SocketAddr,
    host: &str,
    tls: Option<&Tls>,
) -> Result<Socket, ConnectError> {
    let stream = TcpStream::connect(at).await;
    layered(stream.map_err(|error| unreachable(&error))?, host, tls).await
}

/// Returns all addresses of a host, in the order of the system's preference.
pub(super) async fn resolve(address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
    let Address::Tcp(host, port) = address else {
        return Ok(Vec::new());
    };
    resolver::resolve(host, *port).await
}

async fn layered(stream: TcpStream, host: &str, tls: Option<&Tls>) -> Result<Socket, ConnectError> {
    // Without TCP_NODELAY a lone command would wait for an acknowledgement.
    stream
        .set_nodelay(true)
        .map_err(|error| unreachable(&error))?;
    match tls {
        Some(tls) => Ok(Socket::new(tls.secure(host, stream).await?)),
        None => Ok(Socket::lone(stream)),
    }
}
