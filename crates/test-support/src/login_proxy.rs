//! A proxy that lets only clients with a password pass.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A proxy in front of an HTTP server that requires HTTP Basic at the beginning of each connection, and answers 401 without it.
/// It runs until the test process ends.
pub struct LoginProxy {
    address: SocketAddr,
    accepted: Arc<Mutex<Vec<String>>>,
}

impl LoginProxy {
    /// Starts the proxy, which accepts this `user:password`.
    pub fn before(server: SocketAddr, login: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let proxy = Self { address, accepted: Arc::default() };
        proxy.accept_only(&[login]);
        let accepted = Arc::clone(&proxy.accepted);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let accepted = Arc::clone(&accepted);
                // A client that closes its connection is no error.
                thread::spawn(move || check(client, server, &accepted).unwrap_or_default());
            }
        });
        proxy
    }

    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts these `user:password` on new connections, and no others.
    pub fn accept_only(&self, logins: &[&str]) {
        *self.accepted.lock().unwrap() = logins.iter().map(|login| STANDARD.encode(login)).collect();
    }
}

/// Passes the connection on if its first request has a login that is accepted.
fn check(mut client: TcpStream, server: SocketAddr, accepted: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        head.push_str(&line);
        line.clear();
    }
    let given = head.lines().filter_map(|line| line.split_once(": Basic "));
    let mut given = given.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if !given.any(|(_, login)| accepted.lock().unwrap().iter().any(|accepted| accepted == login.trim())) {
        client.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        client.shutdown(Shutdown::Write)?;
        // Closing the connection before the body has arrived would reset it, and the client might not get the answer.
        return io::copy(&mut reader, &mut io::sink()).map(drop);
    }
    let mut upstream = TcpStream::connect(server)?;
    write!(upstream, "{head}\r\n")?;
    let mut responses = upstream.try_clone()?;
    thread::spawn(move || io::copy(&mut responses, &mut client));
    io::copy(&mut reader, &mut upstream).map(drop)
}
