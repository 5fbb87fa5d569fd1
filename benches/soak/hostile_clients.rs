//! Clients that open many idle, slow or malformed connections.

use std::{
    collections::VecDeque,
    io::Write as _,
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use test_support::{Request, TIMEOUT};

/// The number of connections, if there are enough file descriptors.
const SIZE: u64 = 10_000;
const DESCRIPTORS_FOR_OTHERS: u64 = 1000;
/// The pause after ten new connections, which leaves CPU time for the load on the same machine.
const PAUSE_PER_TEN: Duration = Duration::from_millis(5);

/// What the connection of this number sends before it falls silent.
pub(crate) type Opening = fn(usize, &mut TcpStream);

/// A set of connections; a new one replaces the oldest.
pub(crate) struct HostileClients {
    over: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl HostileClients {
    pub(crate) fn start(address: SocketAddr, opening: Opening) -> Self {
        let descriptors = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap();
        let size = SIZE.min(descriptors - DESCRIPTORS_FOR_OTHERS) as usize;
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let (mut open, mut number) = (VecDeque::new(), 0);
            while !end.load(Ordering::Relaxed) {
                let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
                stream.set_write_timeout(Some(TIMEOUT)).unwrap();
                opening(number, &mut stream);
                number += 1;
                open.push_back(stream);
                if open.len() > size {
                    open.pop_front();
                }
                if number.is_multiple_of(10) {
                    thread::sleep(PAUSE_PER_TEN);
                }
            }
            (size, number)
        });
        Self { over, thread }
    }

    /// Closes all connections, and returns a text with their number.
    pub(crate) fn close(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        let (size, number) = self.thread.join().unwrap();
        format!("{number} connections, {size} at a time")
    }
}

/// Sends nothing, part of a head, a callback whose answer is not read, or such a callback and part of a head.
pub(crate) fn idle(number: usize, stream: &mut TcpStream) {
    let request = callback();
    let half = &request[..request.len() / 4];
    match number % 4 {
        0 => {}
        1 => send(stream, half),
        2 => send(stream, &request),
        _ => send(stream, &[&request, half].concat()),
    }
}

/// Sends a callback without its last byte.
pub(crate) fn slow_body(_: usize, stream: &mut TcpStream) {
    let request = callback();
    send(stream, &request[..request.len() - 1]);
}

/// Sends 100 kB of a head without an end.
pub(crate) fn huge_head(_: usize, stream: &mut TcpStream) {
    send(stream, format!("POST / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(100_000)).as_bytes());
}

/// Sends malformed or unusual requests of four kinds.
pub(crate) fn hostile(number: usize, stream: &mut TcpStream) {
    let request = callback();
    match number % 4 {
        0 => {
            let head = "POST /callbacks/customer-profiles HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
            send(stream, (head.to_owned() + &chunk.repeat(20)).as_bytes());
        }
        // Closing with unread data sends a reset.
        1 => {
            send(stream, &request);
            let _ = stream.peek(&mut [0]);
            let _ = stream.shutdown(Shutdown::Both);
        }
        2 => {
            send(stream, &request);
            let _ = stream.shutdown(Shutdown::Write);
        }
        _ => {
            let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
            send(stream, &[head.as_bytes(), &request].concat());
        }
    }
}

/// A callback that is always the same and not part of the load.
fn callback() -> Vec<u8> {
    Request::change("draft").bytes()
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    // The program may have closed already.
    let _ = stream.write_all(bytes);
}
