//! Opening a socket to a server. What is spoken on it is in [`super::connect`].

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{Address, Tls, connect::unreachable};
use crate::manager::ConnectError;

/// Whatever kind of socket it is.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The socket is opened here and not by redis-rs, so that its end is heard of at once, and not only
/// when the next command fails.
pub(super) async fn open(
    address: &Address,
    tls: Option<&Tls>,
) -> Result<Box<dyn Stream>, ConnectError> {
    match address {
        Address::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await;
            let stream = stream.map_err(|error| unreachable(&error))?;
            // Without it a lone command waits for the network.
            stream
                .set_nodelay(true)
                .map_err(|error| unreachable(&error))?;
            match tls {
                Some(tls) => Ok(Box::new(tls.secure(host, stream).await?)),
                None => Ok(Box::new(stream)),
            }
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
