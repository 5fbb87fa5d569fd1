//! Both ports full of connections whose head never ends.

use std::{
    collections::VecDeque,
    iter,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{PATH, assert_well, genuine, sent_to, settled};
use crate::support::Bridge;

/// Far more than an answer takes on an idle machine, far less than any time-out of a connection.
const SOON: Duration = Duration::from_secs(4);

/// More than either port may hold, and than an ordinary limit of open files allows.
const CROWD: usize = 700;

const NEW_FOR_EACH: usize = 5;

/// Connections to one port, each with the greatest part of a head. The oldest leave when new ones come.
struct Crowd {
    port: SocketAddr,
    head: String,
    open: VecDeque<TcpStream>,
}

impl Crowd {
    fn gather(port: SocketAddr, path: &str) -> Self {
        // Just below what actix takes for the head of a request.
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(120_000));
        let mut crowd = Self { port, head, open: VecDeque::new() };
        crowd.open.extend(crowd.arrivals(CROWD));
        crowd
    }

    fn arrivals(&self, count: usize) -> Vec<TcpStream> {
        iter::repeat_with(|| sent_to(self.port, &self.head)).take(count).collect()
    }

    fn renew(&mut self) {
        self.open.drain(..NEW_FOR_EACH);
        self.open.extend(self.arrivals(NEW_FOR_EACH));
    }
}

#[test]
fn half_heads_on_both_ports_cost_little_and_delay_nothing() {
    rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap();
    let bridge = Bridge::start_with(&[("HTTP_MAX_CONNECTIONS", "64")]);
    let (memory, descriptors) = (memory(&bridge), descriptors(&bridge));
    let mut crowds = [Crowd::gather(bridge.admin, "/livez"), Crowd::gather(bridge.public, PATH)];
    // The program has come as far as this when it has read all of them, some 170 MB.
    ask(&bridge, 0);
    let slowest = (1..40).map(|number| {
        crowds.iter_mut().for_each(Crowd::renew);
        let began = Instant::now();
        ask(&bridge, number);
        began.elapsed()
    });
    let slowest = slowest.max().unwrap();
    let (more_memory, more_descriptors) = (self::memory(&bridge) - memory, self::descriptors(&bridge) - descriptors);
    assert!(slowest < SOON, "{slowest:?}");
    // 64 connections of the admin port and 192 of the public one, each with 140 KiB and two descriptors.
    assert!(more_memory < 64.0 * 1024.0 * 1024.0, "{more_memory} bytes");
    assert!(more_descriptors <= 2.0 * (64.0 + 192.0), "{more_descriptors} descriptors");
    assert_well(&bridge);
    settled(&bridge);
}

/// Probes and a callback, each on a connection of its own.
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
