//! A TCP proxy that breaks the network between the service and a broker, on order. No crate for it is kept up: `noxious`
//! has not moved since 2021.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::wait_for;

/// What the network does to every connection, open or new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Connections end, and new ones at once.
    Cut,
    /// Each byte takes so much longer, each way.
    Delay(Duration),
    /// So many bytes a second and no more, each way, on each connection.
    Throttle(u64),
    /// The next request or answer stops half way: who sends it sees a reset (RST).
    Reset,
    /// Packets vanish and connections stay. What TCP would repeat comes after the end of the fault, even when the other
    /// side has given up long ago.
    Swallow,
}

/// How long a direction listens before it looks at the fault again.
const TURN: Duration = Duration::from_millis(20);
/// As much as a socket would hold for a side that does not read.
const WINDOW: usize = 1 << 20;
const CHUNK: usize = 64 << 10;

/// Forwards connections to a broker until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
}

struct Network {
    fault: Mutex<Fault>,
    ended: AtomicBool,
    /// Connections so far.
    connections: AtomicUsize,
}

impl Proxy {
    /// In front of this address, on a port of its own.
    pub(crate) fn before(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let network = Arc::new(Network {
            fault: Mutex::new(Fault::None),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&network);
        thread::spawn(move || accept(&listener, broker, &accepting));
        Self { address, network }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until there is or was a connection through it.
    pub(crate) fn wait_for_connection(&self) {
        wait_for("a connection", || (self.network.connections.load(Ordering::Relaxed) > 0).then_some(()));
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        *self.network.fault.lock().unwrap() = fault;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl Network {
    /// `None` when connections are to end.
    fn fault(&self) -> Option<Fault> {
        let fault = *self.fault.lock().unwrap();
        (fault != Fault::Cut && !self.ended.load(Ordering::Relaxed)).then_some(fault)
    }
}

fn accept(listener: &TcpListener, broker: SocketAddr, network: &Arc<Network>) {
    for client in listener.incoming() {
        if network.ended.load(Ordering::Relaxed) {
            return;
        }
        if network.fault().is_none() {
            continue;
        }
        // When nobody listens there, the client sees its connection end.
        let (Ok(client), Ok(broker)) = (client, TcpStream::connect(broker)) else { continue };
        network.connections.fetch_add(1, Ordering::Relaxed);
        let (client, broker, open) = (Arc::new(client), Arc::new(broker), Arc::new(AtomicBool::new(true)));
        for (from, to) in [(&client, &broker), (&broker, &client)] {
            from.set_read_timeout(Some(TURN)).unwrap();
            from.set_nodelay(true).unwrap();
            let (from, to, open, network) = (Arc::clone(from), Arc::clone(to), Arc::clone(&open), Arc::clone(network));
            let direction = Direction { from, to, open, held: VecDeque::new(), waits: 0, sent: Instant::now() };
            thread::spawn(move || direction.forward(&network));
        }
    }
}

/// One way through a connection.
struct Direction {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    /// Until one of the two directions ends it.
    open: Arc<AtomicBool>,
    /// What has arrived, and when.
    held: VecDeque<(Instant, Vec<u8>)>,
    /// The size of all that.
    waits: usize,
    /// When the last of it was passed on.
    sent: Instant,
}

/// The connection is to end.
struct End;

impl Direction {
    fn forward(mut self, network: &Network) {
        let mut ended = false;
        while let Some(fault) = network.fault().filter(|_| self.open.load(Ordering::Relaxed)) {
            if !ended && self.waits < WINDOW {
                match self.receive(fault) {
                    Ok(true) => {}
                    Ok(false) => ended = true,
                    // Closed with bytes unread, which makes the system send the reset; a shutdown would be polite.
                    Err(End) if fault == Fault::Reset => return self.open.store(false, Ordering::Relaxed),
                    Err(End) => break,
                }
            } else {
                thread::sleep(TURN);
            }
            if self.pass_on(fault).is_err() || (ended && self.held.is_empty() && fault != Fault::Swallow) {
                break;
            }
        }
        // Who finds it closed already leaves the way of closing to the other direction.
        if self.open.swap(false, Ordering::Relaxed) {
            let _ = (self.from.shutdown(Shutdown::Both), self.to.shutdown(Shutdown::Both));
        }
    }

    /// Takes what has arrived. `false` when nothing will any more.
    fn receive(&mut self, fault: Fault) -> Result<bool, End> {
        let mut chunk = vec![0; CHUNK];
        let length = match (&*self.from).read(&mut chunk[..self.most(fault)?]) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(true),
            Err(_) => return Err(End),
        };
        chunk.truncate(length);
        if fault == Fault::Reset {
            let _ = (&*self.to).write_all(&chunk);
            return Err(End);
        }
        self.waits += length;
        self.held.push_back((Instant::now(), chunk));
        Ok(true)
    }

    /// How many bytes to take at once: half of what is there when the rest is never to be read.
    fn most(&self, fault: Fault) -> Result<usize, End> {
        if fault != Fault::Reset {
            return Ok(CHUNK);
        }
        match self.from.peek(&mut vec![0; CHUNK]) {
            Ok(length) => Ok(length.div_ceil(2)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(1),
            Err(_) => Err(End),
        }
    }

    /// Passes on what the fault lets through by now.
    fn pass_on(&mut self, fault: Fault) -> Result<(), End> {
        let mut most = match fault {
            Fault::Swallow => 0,
            Fault::Throttle(rate) => (rate as f64 * self.sent.elapsed().as_secs_f64()) as usize,
            _ => usize::MAX,
        };
        let delay = if let Fault::Delay(delay) = fault { delay } else { Duration::ZERO };
        if self.held.is_empty() {
            self.sent = Instant::now();
        }
        while let Some((arrived, chunk)) = self.held.front_mut() {
            if most == 0 || arrived.elapsed() < delay {
                break;
            }
            let now: Vec<_> = chunk.drain(..most.min(chunk.len())).collect();
            if chunk.is_empty() {
                self.held.pop_front();
            }
            (&*self.to).write_all(&now).map_err(|_| End)?;
            (most, self.waits, self.sent) = (most - now.len(), self.waits - now.len(), Instant::now());
        }
        Ok(())
    }
}
