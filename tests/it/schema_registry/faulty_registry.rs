//! A server in place of the schema registry, which answers wrongly until it is told to pass everything on to a real one.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use test_support::registry::{registry, url_at};

/// More than the buffers of both sockets hold.
const FLOOD_BYTES: usize = 100 << 20;

/// What is wrong with the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RegistryFault {
    /// The connection is accepted, and nothing is answered.
    Silence,
    /// The answer never ends, and comes byte by byte.
    Trickle,
    /// HTTP 500.
    Failure,
    /// The answer is not HTTP.
    Garbage,
    /// The answer is much larger than any schema.
    Flood,
}

/// The server. Its threads end with the test process.
pub(super) struct FaultyRegistry {
    address: SocketAddr,
    shared: Arc<SharedFault>,
}

struct SharedFault {
    fault: Mutex<Option<RegistryFault>>,
    /// How much of the longest answer the client took.
    flooded: AtomicUsize,
}

impl FaultyRegistry {
    pub(super) fn with(fault: RegistryFault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(SharedFault { fault: Mutex::new(Some(fault)), flooded: AtomicUsize::new(0) });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                // A client that goes away ends its own connection only.
                thread::spawn(move || serve(client, &shared));
            }
        });
        Self { address, shared }
    }

    /// The value for `SCHEMA_REGISTRY_URL`.
    pub(super) fn url(&self) -> String {
        url_at(self.address)
    }

    /// Passes new connections on to the real registry.
    pub(super) fn heal(&self) {
        *self.shared.fault.lock().unwrap() = None;
    }

    /// How many bytes of the longest answer the client took.
    pub(super) fn flooded(&self) -> usize {
        self.shared.flooded.load(Ordering::Relaxed)
    }
}

fn serve(mut client: TcpStream, shared: &SharedFault) -> io::Result<()> {
    let fault = *shared.fault.lock().unwrap();
    match fault {
        None => return forward(client),
        Some(RegistryFault::Silence) => {}
        Some(RegistryFault::Trickle) => {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
            loop {
                client.write_all(b" ")?;
                thread::sleep(Duration::from_millis(50));
            }
        }
        Some(RegistryFault::Failure) => {
            let body = r#"{"error_code":50001,"message":"the store is out of order"}"#;
            let length = body.len();
            write!(client, "HTTP/1.1 500 X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")?;
        }
        Some(RegistryFault::Garbage) => client.write_all(b"\x16\x03\x01 no HTTP at all\r\n\r\n")?,
        Some(RegistryFault::Flood) => flood(&mut client, &shared.flooded)?,
    }
    // Until the client closes the connection. Closing it first would reset what the client has not read.
    io::copy(&mut client, &mut io::sink()).map(drop)
}

/// An answer whose end only a client without a limit sees.
fn flood(client: &mut TcpStream, flooded: &AtomicUsize) -> io::Result<()> {
    write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {FLOOD_BYTES}\r\n\r\n")?;
    let chunk = [b' '; 1 << 16];
    let mut written = 0;
    while written < FLOOD_BYTES {
        client.write_all(&chunk)?;
        written += chunk.len();
        flooded.fetch_max(written, Ordering::Relaxed);
    }
    Ok(())
}

fn forward(client: TcpStream) -> io::Result<()> {
    let upstream = TcpStream::connect(registry().address())?;
    let (mut requests, mut to_registry) = (client.try_clone()?, upstream.try_clone()?);
    thread::spawn(move || io::copy(&mut requests, &mut to_registry));
    let (mut responses, mut to_client) = (upstream, client);
    io::copy(&mut responses, &mut to_client).map(drop)
}
