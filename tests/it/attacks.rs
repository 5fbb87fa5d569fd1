//! Hostile and misbehaving callers: whatever they do, a genuine callback is answered.

mod floods;
mod framing;
mod half_open;
mod resets;
mod slow_clients;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use test_support::{Bridge, Request, TIMEOUT, wait_for};

const PATH: &str = "/callbacks/customer-profiles";

/// A genuine callback that does not repeat one with another number.
fn genuine(number: usize) -> Request {
    Request::change_of(&format!("BU{number:032x}"), "draft")
}

/// A connection to the public port after sending `bytes`, as far as the program accepted them.
fn sent(bridge: &Bridge, bytes: impl AsRef<[u8]>) -> TcpStream {
    sent_to(bridge.public, bytes)
}

/// The same for either port.
fn sent_to(port: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&port, TIMEOUT).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    // The program may have rejected the request and closed the connection already.
    let _ = stream.write_all(bytes.as_ref());
    stream
}

/// The status codes of all responses until the program closes the connection, as it must.
fn answers(mut stream: TcpStream) -> Vec<u16> {
    let mut bytes = Vec::new();
    // A reset also ends the connection.
    let end = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
    assert!(!matches!(end, Err(std::io::ErrorKind::WouldBlock)), "the connection stays open");
    let text = String::from_utf8_lossy(&bytes);
    text.match_indices("HTTP/1.1 ").map(|(at, start)| text[at + start.len()..][..3].parse().unwrap()).collect()
}

/// The responses to these bytes and nothing after them.
fn exchange(bridge: &Bridge, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let stream = sent(bridge, bytes);
    stream.shutdown(Shutdown::Write).ok();
    answers(stream)
}

fn total(bridge: &Bridge, metric: &str) -> f64 {
    bridge.series(metric).values().sum()
}

/// The number of requests to callback paths. Waits until each of them has its outcome.
fn settled(bridge: &Bridge) -> f64 {
    wait_for("as many outcomes as requests", || {
        let received = total(bridge, "trusthub_callbacks_received_total");
        (total(bridge, "trusthub_callbacks_outcome_total") == received).then_some(received)
    })
}

fn published(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#)
}

/// The program accepts callbacks and has not panicked.
fn assert_healthy(bridge: &Bridge) {
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    let log = bridge.log();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:?}");
}
