//! Both ports filled with connections whose head never ends.

use std::{
    collections::VecDeque,
    iter,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use test_support::Bridge;

use super::{PATH, assert_healthy, genuine, sent_to, settled};

/// Far longer than a response takes, also on a busy machine; shorter than the timeout of a head, which is five seconds.
const PROMPT: Duration = Duration::from_millis(4_500);

/// More than either port may hold, and than a usual limit of open files allows.
const FLOOD_SIZE: usize = 700;

const REPLACED_PER_CALLBACK: usize = 5;

/// Connections to one port, each with most of a head sent. New ones replace the oldest.
struct Flood {
    port: SocketAddr,
    head: String,
    open: VecDeque<TcpStream>,
}

impl Flood {
    fn open(port: SocketAddr, path: &str) -> Self {
        // Just below the size that actix accepts for the head of a request.
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(120_000));
        let mut flood = Self { port, head, open: VecDeque::new() };
        flood.open.extend(flood.connect(FLOOD_SIZE));
        flood
    }

    fn connect(&self, count: usize) -> Vec<TcpStream> {
        iter::repeat_with(|| sent_to(self.port, &self.head)).take(count).collect()
    }

    fn renew(&mut self) {
        self.open.drain(..REPLACED_PER_CALLBACK);
        self.open.extend(self.connect(REPLACED_PER_CALLBACK));
    }
}

#[test]
fn half_heads_on_both_ports_cost_little_and_delay_nothing() {
    rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap();
    // Without Kafka, so that no answer waits for it.
    let bridge = Bridge::launch(&[
        ("HTTP_MAX_IN_FLIGHT", "64"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("KAFKA_ACK_TIMEOUT_MS", "500"),
        ("KAFKA_PROFILES_TOPIC", ""),
    ]);
    // From here on Kafka is known to be unreachable.
    ask(&bridge, 0);
    let (memory, descriptors) = (memory(&bridge), descriptors(&bridge));
    let mut floods = [Flood::open(bridge.admin, "/livez"), Flood::open(bridge.public, PATH)];
    // The program answers this only after it has read all heads, about 170 MB.
    ask(&bridge, 1);
    let times = (2..41).map(|number| {
        floods.iter_mut().for_each(Flood::renew);
        let began = Instant::now();
        ask(&bridge, number);
        began.elapsed()
    });
    let mut times: Vec<_> = times.collect();
    times.sort();
    // A sync of a busy disk can delay a few answers. Half heads that delay requests would delay all of them.
    let slowest = times[times.len() - 4];
    let (more_memory, more_descriptors) = (self::memory(&bridge) - memory, self::descriptors(&bridge) - descriptors);
    assert!(slowest < PROMPT, "{slowest:?}");
    // 64 connections of the admin port and 192 of the public one, each with 140 KiB and two descriptors.
    assert!(more_memory < 64.0 * 1024.0 * 1024.0, "{more_memory} bytes");
    // A few are those of attempts to reach Kafka.
    assert!(more_descriptors <= 2.0 * (64.0 + 192.0) + 8.0, "{more_descriptors} descriptors");
    assert_healthy(&bridge);
    settled(&bridge);
}

/// Probes and a callback, each on a new connection.
fn ask(bridge: &Bridge, number: usize) {
    assert_eq!(bridge.ask_admin("/livez").status, 200);
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    assert_eq!(bridge.send(&genuine(number)).status, 204);
}

fn memory(bridge: &Bridge) -> f64 {
    bridge.metric("process_resident_memory_bytes")
}

fn descriptors(bridge: &Bridge) -> f64 {
    bridge.metric("process_open_fds")
}
