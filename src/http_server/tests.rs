use std::{
    future::ready,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::runtime::Runtime;

use super::{ConnectionLimits, ConnectionSlot, ConnectionTable, admit_into, watch_worker};
use crate::liveness::{Liveness, STUCK_AFTER};

/// Far longer than any step of these tests takes.
const LONG: Duration = Duration::from_secs(60);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Opens a connection. Returns the caller's end and the slot. The server's end is open as long as the slot.
fn open_connection(table: &Arc<ConnectionTable>) -> (TcpStream, ConnectionSlot) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    caller.set_nonblocking(true).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (caller, table.admit(&stream).unwrap())
}

fn is_shut_down(mut caller: &TcpStream) -> bool {
    match caller.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn table_for(active: usize, held: usize) -> Arc<ConnectionTable> {
    ConnectionTable::new(ConnectionLimits { active, active_bytes: 1000, held, open: held })
}

#[test]
fn connection_idle_longest_is_evicted_and_an_active_one_is_not() {
    let table = table_for(2, 3);
    let callers: Vec<_> = (0..3).map(|_| open_connection(&table)).collect();
    drop(callers[1].1.activate(1).unwrap());
    let active = callers[0].1.activate(1).unwrap();
    let more: Vec<_> = (0..2).map(|_| open_connection(&table)).collect();
    let shut_down: Vec<_> = callers.iter().chain(&more).map(|(caller, _)| is_shut_down(caller)).collect();
    assert_eq!(shut_down, [false, true, true, false, false]);
    drop(active);
}

#[test]
fn connections_are_evicted_in_the_order_in_which_they_became_idle() {
    let table = table_for(64, 64);
    let mut callers: Vec<_> = (0..64).map(|_| open_connection(&table)).collect();
    // Every other connection was active in the meantime.
    callers.iter().step_by(2).for_each(|(_, slot)| drop(slot.activate(1).unwrap()));
    for number in (1..64).step_by(2).chain((0..64).step_by(2)) {
        callers.push(open_connection(&table));
        assert!(is_shut_down(&callers[number].0) && table.held_connections() == 64, "{number}");
    }
}

#[test]
fn active_requests_are_limited_and_a_finished_one_admits_the_next() {
    let table = table_for(1, 3);
    let callers: Vec<_> = (0..2).map(|_| open_connection(&table)).collect();
    let active = callers[0].1.activate(1);
    assert!(active.is_some() && callers[1].1.is_saturated() && callers[1].1.activate(1).is_none());
    drop(active);
    assert!(!callers[1].1.is_saturated() && callers[1].1.activate(1).is_some());
}

#[test]
fn bytes_of_active_requests_are_limited() {
    let table = table_for(3, 3);
    let callers: Vec<_> = (0..3).map(|_| open_connection(&table)).collect();
    let large = callers[0].1.activate(999);
    assert!(large.is_some() && callers[1].1.activate(2).is_none() && callers[1].1.activate(usize::MAX).is_none());
    let small = callers[1].1.activate(1);
    assert!(small.is_some());
    drop(large);
    assert!(callers[2].1.activate(999).is_some());
    drop(small);
    assert_eq!(table.counts(), (0, 0));
}

#[test]
fn request_that_outlives_its_connection_counts_until_it_is_finished() {
    let table = table_for(1, 2);
    let (caller, slot) = open_connection(&table);
    let active = slot.activate(7).unwrap();
    drop(slot);
    assert!(is_shut_down(&caller), "the request holds no descriptor of the connection");
    assert_eq!((table.held_connections(), table.counts()), (0, (1, 7)));
    let (_other, slot) = open_connection(&table);
    assert!(slot.is_saturated() && slot.activate(1).is_none());
    drop(active);
    assert_eq!(table.counts(), (0, 0));
    assert!(slot.activate(1).is_some());
}

#[test]
fn evicted_connection_does_not_become_active() {
    let table = table_for(1, 1);
    let callers: Vec<_> = (0..2).map(|_| open_connection(&table)).collect();
    assert!(is_shut_down(&callers[0].0) && callers[0].1.activate(1).is_none());
    assert!(callers[1].1.activate(1).is_some());
}

#[test]
fn closed_connection_leaves_the_table() {
    let table = table_for(1, 2);
    let closed: Vec<_> = (0..2).map(|_| open_connection(&table)).collect();
    drop(closed[0].1.activate(1).unwrap());
    drop(closed);
    assert_eq!((table.held_connections(), table.counts()), (0, (0, 0)));
}

#[test]
fn limits_leave_a_reserve_for_new_callers_and_fit_the_largest_request() {
    let small = ConnectionLimits::for_requests(1, 1_048_576);
    assert_eq!((small.held, small.open, small.descriptors()), (65, 129, 258));
    assert!(small.active_bytes > 1_048_576 + 131_072);
    let usual = ConnectionLimits::for_requests(4_096, 65_536);
    assert_eq!((usual.held, usual.open, usual.active_bytes), (5_120, 6_144, 64 << 20));
}

/// A server whose only worker is blocked by each request until `release` is dropped.
struct BlockingServer {
    address: SocketAddr,
    release: mpsc::Sender<()>,
    /// Receives a message for each request that blocks the worker.
    blocked: mpsc::Receiver<()>,
}

impl BlockingServer {
    /// `head_timeout` is the limit for the first head of a connection.
    fn start(liveness: Liveness, head_timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ((release, released), (blocks, blocked)) = (mpsc::channel(), mpsc::channel());
        let released: Arc<Mutex<mpsc::Receiver<()>>> = Arc::new(Mutex::new(released));
        let app = move || {
            watch_worker(&liveness, "the worker under test");
            let (blocks, released) = (blocks.clone(), Arc::clone(&released));
            App::new().default_service(web::to(move || {
                let _ = blocks.send(());
                let _ = released.lock().unwrap().recv();
                ready(HttpResponse::NoContent().finish())
            }))
        };
        thread::spawn(move || {
            let server = HttpServer::new(app)
                .on_connect(admit_into(table_for(10, 10), head_timeout))
                .workers(1)
                .client_request_timeout(Duration::ZERO)
                .disable_signals();
            Runtime::new().unwrap().block_on(async { server.listen(listener).unwrap().run().await })
        });
        Self { address, release, blocked }
    }
}

fn connect(server: &BlockingServer, bytes: &str) -> TcpStream {
    let mut caller = TcpStream::connect(server.address).unwrap();
    caller.set_read_timeout(Some(LONG)).unwrap();
    caller.write_all(bytes.as_bytes()).unwrap();
    caller
}

fn read_status(mut caller: TcpStream) -> String {
    let mut answer = [0; 12];
    caller.read_exact(&mut answer).unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn blocked_worker_is_stuck_until_it_continues() {
    let liveness = Liveness::default();
    let server = BlockingServer::start(liveness.clone(), LONG);
    // As if a worker counted as stuck after 5 seconds instead of a minute.
    let is_stuck = || liveness.find_stuck(Instant::now() + STUCK_AFTER - Duration::from_secs(5)).is_some();
    let caller = connect(&server, REQUEST);
    wait_until("the blocked worker is stuck", is_stuck);
    assert_eq!(liveness.find_stuck(Instant::now()), None, "it has been blocked for less than a minute");
    drop(server.release);
    assert_eq!(read_status(caller), "HTTP/1.1 204");
    wait_until("the worker ticks again", || !is_stuck());
}

#[test]
fn request_that_arrives_while_its_worker_is_blocked_is_answered() {
    // Longer than a busy machine needs to block the worker.
    let head_timeout = Duration::from_secs(3);
    let server = BlockingServer::start(Liveness::default(), head_timeout);
    // Accepted before the worker is blocked, so its time limit has passed when the worker reads it.
    let mut late = connect(&server, "");
    let blocking = connect(&server, REQUEST);
    server.blocked.recv_timeout(LONG).unwrap();
    late.write_all(REQUEST.as_bytes()).unwrap();
    thread::sleep(head_timeout * 2);
    drop(server.release);
    assert_eq!([read_status(blocking), read_status(late)], ["HTTP/1.1 204", "HTTP/1.1 204"]);
}

#[test]
fn late_head_is_answered_400() {
    let server = BlockingServer::start(Liveness::default(), Duration::from_secs(3));
    let mut answer = String::new();
    connect(&server, "GET / HTTP/1.1\r\nHost:").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("\r\n\r\nBad Request"), "{answer}");
}
