//! Stopping: nothing that was received is left without an answer.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::support::{Bridge, Connection, Request, wait_for};

#[test]
fn sigterm_under_load_loses_nothing() {
    stops_under_load("TERM");
}

#[test]
fn sigint_under_load_loses_nothing() {
    stops_under_load("INT");
}

/// Eight callers send until the port is closed. Every callback of which a byte was read is answered 204 and in Kafka.
fn stops_under_load(signal: &str) {
    let mut bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "1")]);
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (public, number) = (bridge.public, AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(mut connection) = Connection::open(public).filter(|_| !stop.load(Ordering::Relaxed)) {
                    let number = number.fetch_add(1, Ordering::Relaxed).to_string();
                    connection.write(Request::change("draft").with("I-Twilio-Idempotency-Token", &number).bytes());
                    // A connection that nobody accepted any more ends without an answer: Twilio calls again.
                    let Some(answer) = connection.read() else { break };
                    assert_eq!(answer.status, 204);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_for("load", || (answered.load(Ordering::Relaxed) > 50).then_some(()));
        bridge.signal(signal);
        let status = bridge.wait();
        stop.store(true, Ordering::Relaxed);
        assert!(status.success(), "{status}");
    });
    let published = bridge.lines("callback").len();
    let answered = answered.load(Ordering::Relaxed);
    assert_eq!(bridge.events(answered).len(), published, "every accepted callback is in Kafka once");
    assert!(answered <= published, "{answered} answers to {published} callbacks");
    assert!(bridge.lines("callback").iter().all(|line| line["outcome"] == "published"));
}

#[test]
fn during_the_delay_it_is_not_ready_but_serves_in_full() {
    let bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "600")]);
    let mut idle = Connection::to(bridge.public);
    bridge.signal("TERM");
    wait_for("not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
    assert_eq!(bridge.ask_admin("/livez").status, 200);
    let answer = bridge.send(&Request::change("draft"));
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    idle.write(Request::change("in-review").bytes());
    assert_eq!(idle.read().unwrap().status, 204);
    assert_eq!(bridge.events(2).len(), 2);
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut bridge = Bridge::start();
    let mut connection = Connection::to(bridge.public);
    let bytes = Request::change("draft").bytes();
    connection.write(&bytes[..bytes.len() - 1]);
    wait_for("the head is read", || {
        (bridge.series("trusthub_callbacks_received_total").values().sum::<f64>() > 0.0).then_some(())
    });
    bridge.signal("TERM");
    bridge.wait_for_log("stopping");
    connection.write(&bytes[bytes.len() - 1..]);
    assert_eq!(connection.read().unwrap().status, 204);
    assert!(bridge.wait().success());
}

#[test]
fn with_kafka_away_it_still_stops_and_answers() {
    let mut bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "1000")]);
    let mut connection = Connection::to(bridge.public);
    connection.write(Request::change("draft").bytes());
    wait_for("the callback is read", || {
        (bridge.series("trusthub_callbacks_received_total").values().sum::<f64>() > 0.0).then_some(())
    });
    bridge.signal("TERM");
    assert_eq!(connection.read().unwrap().status, 204, "it is in the spool");
    assert!(bridge.wait().success());
}
