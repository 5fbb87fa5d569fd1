//! A TCP proxy that breaks the network between the service and a broker on demand. No maintained crate does this:
//! `noxious` has had no release since 2021.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    mem,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::wait::wait_for;

/// A fault that applies to every connection, open or new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// Connections close, and new ones close immediately.
    Cut,
    /// Each byte is delayed by this time, in each direction.
    Delay(Duration),
    /// This many bytes per second at limit, in each direction of each connection.
    Throttle(u64),
    /// The next request or response stops halfway: its sender sees a reset (RST).
    Reset,
    /// Packets vanish and connections stay open. What TCP would retransmit arrives after the fault ends, even when the
    /// other side has given up long before.
    Swallow,
    /// A connection that was idle for this time is forgotten: from then on its packets vanish, and neither side is
    /// notified. Load balancers do this.
    Forget(Duration),
    /// This text, such as the name of a setting, always arrives corrupted.
    Garble(&'static str),
    /// Nothing passes any more once the client has sent this many produce requests: the last of them does not arrive until the
    /// fault ends.
    HoldProduce(usize),
    /// The same, but the last request arrives, and nothing that the broker sends after it.
    HoldAcknowledgement(usize),
}

/// The interval at which a direction checks for a changed fault.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// As much as a socket buffers for a side that does not read.
const WINDOW: usize = 1 << 20;
const CHUNK: usize = 64 << 10;

/// Forwards connections to a broker until it is dropped.
pub struct TcpProxy {
    address: SocketAddr,
    network: Arc<Network>,
}

struct Network {
    fault: Mutex<Fault>,
    ended: AtomicBool,
    /// The number of connections so far.
    connection_count: AtomicUsize,
    /// The number of produce requests so far.
    produce_count: AtomicUsize,
    connections: Mutex<Vec<Weak<ProxiedConnection>>>,
}

/// An open connection.
struct ProxiedConnection {
    /// Until one of the two directions closes it.
    open: AtomicBool,
    /// When data last arrived, from either side.
    passed: Mutex<Instant>,
    forgotten: AtomicBool,
}

impl ProxiedConnection {
    fn idle(&self) -> Duration {
        self.passed.lock().unwrap().elapsed()
    }

    /// Records that data arrives. Returns whether it vanishes.
    fn swallows(&self, fault: Fault) -> bool {
        if let Fault::Forget(after) = fault
            && self.idle() >= after
        {
            self.forgotten.store(true, Ordering::Relaxed);
        }
        *self.passed.lock().unwrap() = Instant::now();
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl TcpProxy {
    /// Listens on a free port in front of this address.
    pub fn before(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let network = Arc::new(Network {
            fault: Mutex::new(Fault::None),
            ended: AtomicBool::new(false),
            connection_count: AtomicUsize::new(0),
            produce_count: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&network);
        thread::spawn(move || accept(&listener, broker, &accepting));
        Self { address, network }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a connection was made through the proxy.
    pub fn wait_for_connection(&self) {
        wait_for("a connection", || (self.network.connection_count.load(Ordering::Relaxed) > 0).then_some(()));
    }

    /// Sets the fault for all connections.
    pub fn set(&self, fault: Fault) {
        *self.network.fault.lock().unwrap() = fault;
    }

    /// The number of produce requests that clients have sent.
    pub(crate) fn produce_count(&self) -> usize {
        self.network.produce_count.load(Ordering::SeqCst)
    }

    /// Whether no open connection has carried data for this time.
    pub(crate) fn is_idle_for(&self, duration: Duration) -> bool {
        let connections = self.network.connections.lock().unwrap();
        let mut open =
            connections.iter().filter_map(Weak::upgrade).filter(|connection| connection.open.load(Ordering::Relaxed));
        open.all(|connection| connection.idle() >= duration)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.network.ended.store(true, Ordering::Relaxed);
        // Unblocks the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl Network {
    /// `None` when connections are to close.
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
        // When the broker does not listen, the client sees its connection close.
        let (Ok(client), Ok(broker)) = (client, TcpStream::connect(broker)) else { continue };
        network.connection_count.fetch_add(1, Ordering::Relaxed);
        let (client, broker) = (Arc::new(client), Arc::new(broker));
        let (open, passed) = (AtomicBool::new(true), Mutex::new(Instant::now()));
        let connection = Arc::new(ProxiedConnection { open, passed, forgotten: AtomicBool::new(false) });
        network.connections.lock().unwrap().push(Arc::downgrade(&connection));
        for (from, to, is_request) in [(&client, &broker, true), (&broker, &client, false)] {
            from.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
            from.set_nodelay(true).unwrap();
            let (from, to, connection, network) =
                (Arc::clone(from), Arc::clone(to), Arc::clone(&connection), Arc::clone(network));
            let (held, sent) = (VecDeque::new(), Instant::now());
            let direction = Direction { from, to, is_request, next_frame: 0, connection, held, held_bytes: 0, sent };
            thread::spawn(move || direction.forward(&network));
        }
    }
}

/// One direction of a connection.
struct Direction {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    /// Whether it is that from the client to the broker.
    is_request: bool,
    /// How many bytes of the present request are still to arrive.
    next_frame: usize,
    connection: Arc<ProxiedConnection>,
    /// The data that has arrived, and when.
    held: VecDeque<(Instant, Vec<u8>)>,
    /// The size of that data in bytes.
    held_bytes: usize,
    /// When data was last passed on.
    sent: Instant,
}

/// The connection is to close.
struct End;

impl Direction {
    fn forward(mut self, network: &Network) {
        let mut ended = false;
        while let Some(fault) = network.fault().filter(|_| self.connection.open.load(Ordering::Relaxed)) {
            if !ended && self.held_bytes < WINDOW {
                match self.receive(fault, network) {
                    Ok(true) => {}
                    Ok(false) => ended = true,
                    // Dropping the socket with unread bytes makes the system send a reset; a shutdown would close it
                    // cleanly.
                    Err(End) if fault == Fault::Reset => return self.connection.open.store(false, Ordering::Relaxed),
                    Err(End) => break,
                }
            } else {
                thread::sleep(POLL_INTERVAL);
            }
            if self.pass_on(fault, network).is_err() || (ended && self.held.is_empty() && fault != Fault::Swallow) {
                break;
            }
        }
        // If the other direction has closed the connection already, it also decides how.
        if self.connection.open.swap(false, Ordering::Relaxed) {
            let _ = (self.from.shutdown(Shutdown::Both), self.to.shutdown(Shutdown::Both));
        }
    }

    /// Reads what has arrived. Returns `false` at the end of the stream.
    fn receive(&mut self, fault: Fault, network: &Network) -> Result<bool, End> {
        let mut chunk = vec![0; CHUNK];
        let length = match (&*self.from).read(&mut chunk[..self.limit(fault)?]) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(true),
            Err(_) => return Err(End),
        };
        chunk.truncate(length);
        if self.is_request {
            network.produce_count.fetch_add(self.count_produce(&chunk), Ordering::SeqCst);
        }
        if fault == Fault::Reset {
            let _ = (&*self.to).write_all(&chunk);
            return Err(End);
        }
        if !self.connection.swallows(fault) {
            self.held_bytes += length;
            self.held.push_back((Instant::now(), chunk));
        }
        Ok(true)
    }

    /// Counts the produce requests that begin in these bytes. Each request begins with its length and its kind.
    fn count_produce(&mut self, chunk: &[u8]) -> usize {
        let (mut count, mut at) = (0, self.next_frame);
        while let Some(head) = chunk.get(at..at + 6) {
            let length = u32::from_be_bytes(head[..4].try_into().unwrap());
            count += usize::from(head[4..] == [0, 0]);
            at += 4 + length as usize;
        }
        self.next_frame = at.saturating_sub(chunk.len());
        count
    }

    /// Corrupts the text wherever it occurs. Returns whether the held data may end in the beginning of the text.
    fn garble(&mut self, text: &str) -> bool {
        let Some((arrived, _)) = self.held.front() else { return false };
        let arrived = *arrived;
        let mut bytes: Vec<_> = mem::take(&mut self.held).into_iter().flat_map(|(_, chunk)| chunk).collect();
        let text = text.as_bytes();
        for position in 0..bytes.len() {
            if bytes[position..].starts_with(text) {
                bytes[position] ^= 1;
            }
        }
        let is_cut = (1..text.len()).any(|length| bytes.ends_with(&text[..length]));
        self.held.push_back((arrived, bytes));
        is_cut && arrived.elapsed() < POLL_INTERVAL
    }

    /// How many bytes to read at once: half of the available ones when the rest is never to be read.
    fn limit(&self, fault: Fault) -> Result<usize, End> {
        if fault != Fault::Reset {
            return Ok(CHUNK);
        }
        match self.from.peek(&mut vec![0; CHUNK]) {
            Ok(length) => Ok(length.div_ceil(2)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(1),
            Err(_) => Err(End),
        }
    }

    /// Passes on the data that the fault lets through by now.
    fn pass_on(&mut self, fault: Fault, network: &Network) -> Result<(), End> {
        let produced = network.produce_count.load(Ordering::SeqCst);
        let mut limit = match fault {
            Fault::Swallow => 0,
            Fault::HoldProduce(count) if produced >= count => 0,
            Fault::HoldAcknowledgement(count) if produced >= count && !self.is_request => 0,
            Fault::Garble(text) if self.garble(text) => 0,
            Fault::Throttle(rate) => (rate as f64 * self.sent.elapsed().as_secs_f64()) as usize,
            _ => usize::MAX,
        };
        let delay = if let Fault::Delay(delay) = fault { delay } else { Duration::ZERO };
        if self.held.is_empty() {
            self.sent = Instant::now();
        }
        while let Some((arrived, chunk)) = self.held.front_mut() {
            if limit == 0 || arrived.elapsed() < delay {
                break;
            }
            let now: Vec<_> = chunk.drain(..limit.min(chunk.len())).collect();
            if chunk.is_empty() {
                self.held.pop_front();
            }
            (&*self.to).write_all(&now).map_err(|_| End)?;
            (limit, self.held_bytes, self.sent) = (limit - now.len(), self.held_bytes - now.len(), Instant::now());
        }
        Ok(())
    }
}
