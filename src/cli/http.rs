//! One request over a plain socket: an HTTP client would be the largest part of the commands that need no more.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// The longest status line that is worth reading.
const STATUS_LINE: u64 = 64;

/// Sends a request that asks to close the connection, and returns the status line of the answer.
pub(super) fn ask(place: impl ToSocketAddrs, request: &str, patience: Duration) -> io::Result<String> {
    let mut stream = connect(place, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(request.as_bytes())?;
    let mut start = Vec::new();
    stream.take(STATUS_LINE).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// To the first of its addresses that answers.
fn connect(place: impl ToSocketAddrs, patience: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
