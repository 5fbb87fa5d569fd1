//! Sends one HTTP request over a plain socket. A full HTTP client would be too large for commands that need only this.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How many bytes of the response are read.
const MAX_STATUS_LINE_BYTES: u64 = 64;

/// Sends a request, which must ask to close the connection, and returns the status line of the response. `timeout`
/// bounds the connection attempt, each read and each write.
pub(super) fn send(address: impl ToSocketAddrs, request: &str, timeout: Duration) -> io::Result<String> {
    let mut stream = connect(address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(request.as_bytes())?;
    let mut start = Vec::new();
    stream.take(MAX_STATUS_LINE_BYTES).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Connects to the first of the addresses that accepts a connection.
fn connect(addresses: impl ToSocketAddrs, timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in addresses.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
