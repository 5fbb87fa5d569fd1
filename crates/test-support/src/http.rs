//! HTTP/1.1 byte for byte: a client library would normalize what the tests want to send.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use super::TIMEOUT;

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as far as the content length says.
    pub body: String,
}

impl Answer {
    /// The first header with this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A connection on which any bytes can be written.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a program that listens.
    pub fn to(address: SocketAddr) -> Self {
        Self::open(address).expect("the program listens")
    }

    /// `None` when the address refuses connections.
    pub fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Writes bytes, which need not be a request.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // The program may have rejected the request and closed the connection already: the response shows it.
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// The next response; `None` when the connection is closed instead.
    pub fn read(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }
}
