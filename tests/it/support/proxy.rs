//! A TCP proxy that breaks the network between the service and a broker, on order. No crate for it is kept up: `noxious`
//! has not moved since 2021.

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
    /// A connection on which nothing passed for so long is forgotten: from then on its packets vanish, and neither side
    /// learns of it. So do load balancers.
    Forget(Duration),
    /// This text, such as the name of a setting, never arrives as it is.
    Garble(&'static str),
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
    lines: Mutex<Vec<Weak<Line>>>,
}

/// An open connection.
struct Line {
    /// Until one of the two directions ends it.
    open: AtomicBool,
    /// When something came last, from either side.
    passed: Mutex<Instant>,
    forgotten: AtomicBool,
}

impl Line {
    fn idle(&self) -> Duration {
        self.passed.lock().unwrap().elapsed()
    }

    /// Something comes. Returns whether it vanishes.
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

impl Proxy {
    /// In front of this address, on a port of its own.
    pub(crate) fn before(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let network = Arc::new(Network {
            fault: Mutex::new(Fault::None),
            ended: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            lines: Mutex::default(),
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

    /// Whether no open connection has carried anything for so long.
    pub(crate) fn is_idle_for(&self, duration: Duration) -> bool {
        let lines = self.network.lines.lock().unwrap();
        let mut open = lines.iter().filter_map(Weak::upgrade).filter(|line| line.open.load(Ordering::Relaxed));
        open.all(|line| line.idle() >= duration)
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
        let (client, broker) = (Arc::new(client), Arc::new(broker));
        let (open, passed) = (AtomicBool::new(true), Mutex::new(Instant::now()));
        let line = Arc::new(Line { open, passed, forgotten: AtomicBool::new(false) });
        network.lines.lock().unwrap().push(Arc::downgrade(&line));
        for (from, to) in [(&client, &broker), (&broker, &client)] {
            from.set_read_timeout(Some(TURN)).unwrap();
            from.set_nodelay(true).unwrap();
            let (from, to, line, network) = (Arc::clone(from), Arc::clone(to), Arc::clone(&line), Arc::clone(network));
            let direction = Direction { from, to, line, held: VecDeque::new(), waits: 0, sent: Instant::now() };
            thread::spawn(move || direction.forward(&network));
        }
    }
}

/// One way through a connection.
struct Direction {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    line: Arc<Line>,
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
        while let Some(fault) = network.fault().filter(|_| self.line.open.load(Ordering::Relaxed)) {
            if !ended && self.waits < WINDOW {
                match self.receive(fault) {
                    Ok(true) => {}
                    Ok(false) => ended = true,
                    // Closed with bytes unread, which makes the system send the reset; a shutdown would be polite.
                    Err(End) if fault == Fault::Reset => return self.line.open.store(false, Ordering::Relaxed),
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
        if self.line.open.swap(false, Ordering::Relaxed) {
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
        if !self.line.swallows(fault) {
            self.waits += length;
            self.held.push_back((Instant::now(), chunk));
        }
        Ok(true)
    }

    /// Changes the text wherever it is. Returns whether the end of what is held may be its beginning.
    fn garble(&mut self, text: &str) -> bool {
        let Some((arrived, _)) = self.held.front() else { return false };
        let arrived = *arrived;
        let mut bytes: Vec<_> = mem::take(&mut self.held).into_iter().flat_map(|(_, chunk)| chunk).collect();
        let text = text.as_bytes();
        for place in 0..bytes.len() {
            if bytes[place..].starts_with(text) {
                bytes[place] ^= 1;
            }
        }
        let is_cut = (1..text.len()).any(|length| bytes.ends_with(&text[..length]));
        self.held.push_back((arrived, bytes));
        is_cut && arrived.elapsed() < TURN
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
            Fault::Garble(text) if self.garble(text) => 0,
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
