//! Stopping: every received callback is answered.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use test_support::{Bridge, Connection, PUBLIC_URL, Request, TOKEN, kafka::unique_topic, wait_for};

#[test]
fn sigterm_under_load_loses_nothing() {
    stops_under_load("TERM");
}

#[test]
fn sigint_under_load_loses_nothing() {
    stops_under_load("INT");
}

/// Eight callers send callbacks until the port is closed. Every accepted callback is answered 204 and in Kafka.
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
                    // A connection that was not accepted ends without a response: Twilio retries.
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

/// A connection that has served a request: only the first head has a time limit.
fn open_connection(bridge: &Bridge) -> Connection {
    let mut connection = Connection::to(bridge.public);
    connection.write(Request::get("/healthz").bytes());
    assert_eq!(connection.read().unwrap().status, 200);
    connection
}

#[test]
fn service_is_not_ready_but_fully_serves_during_the_shutdown_delay() {
    let bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "600")]);
    let mut idle = open_connection(&bridge);
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
fn request_in_progress_is_answered_before_the_exit() {
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
fn stop_without_kafka_answers_callbacks_and_succeeds() {
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

#[test]
fn second_signal_ends_the_process_at_once() {
    for (second, code) in [("INT", 130), ("TERM", 143)] {
        let mut bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "600")]);
        bridge.signal("TERM");
        bridge.wait_for_log("stopping");
        let began = Instant::now();
        bridge.signal(second);
        assert_eq!(bridge.wait().code(), Some(code));
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        let line = &bridge.lines("received a second signal while stopping; exiting immediately without draining")[0];
        assert_eq!(line["signal"], format!("SIG{second}"));
    }
}

#[test]
fn sighup_reloads_the_keys_and_does_nothing_else() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("token"));
    let write = |token: &str| {
        let fresh = file.with_extension("new");
        fs::write(&fresh, token).unwrap();
        fs::rename(fresh, &file).unwrap();
    };
    let fresh_token = TOKEN.chars().rev().collect::<String>();
    write(TOKEN);
    let bridge = Bridge::start_with(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", file.to_str().unwrap())]);
    let mut connection = open_connection(&bridge);
    bridge.signal("HUP");
    wait_for("a reload of unchanged files", || bridge.lines("reloaded the keys").pop());
    write(&fresh_token);
    bridge.signal("HUP");
    let body = String::from_utf8(Request::change("draft").body).unwrap();
    let with_fresh_token = Request::form("/callbacks/customer-profiles", &body).signed_with(&fresh_token, PUBLIC_URL);
    wait_for("the new token", || (bridge.send(&with_fresh_token).status == 204).then_some(()));
    connection.write(with_fresh_token.bytes());
    assert_eq!(connection.read().unwrap().status, 204, "the existing connection is served");
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    fs::remove_file(file).unwrap();
}

#[test]
fn sighup_without_key_files_is_reported() {
    let bridge = Bridge::start();
    bridge.signal("HUP");
    bridge.wait_for_log("no credential file is configured");
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn sighup_while_stopping_changes_nothing() {
    let mut bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "1")]);
    bridge.signal("TERM");
    bridge.wait_for_log("stopping");
    bridge.signal("HUP");
    assert!(bridge.wait().success());
}

#[test]
fn stop_keeps_its_time_with_open_connections_on_both_ports() {
    let mut bridge = Bridge::start_with(&[("SHUTDOWN_TIMEOUT_SECS", "3")]);
    let head = "POST /callbacks/customer-profiles HTTP/1.1\r\nHost:";
    let body = Request::change("draft").bytes();
    let openings = [b"".as_slice(), head.as_bytes(), &body[..body.len() - 1]];
    let open: Vec<_> = [bridge.public, bridge.admin]
        .into_iter()
        .flat_map(|port| openings.map(|opening| (port, opening)))
        .map(|(port, opening)| {
            let mut connection = Connection::to(port);
            connection.write(opening);
            connection
        })
        .collect();
    wait_for("the program waits for the body", || {
        (bridge.series("trusthub_callbacks_received_total").values().sum::<f64>() > 0.0).then_some(())
    });
    bridge.signal("TERM");
    bridge.wait_for_log("stopping");
    let began = Instant::now();
    assert!(bridge.wait().success());
    // Kubernetes kills the pod five seconds after the configured time.
    assert!(began.elapsed() < Duration::from_secs(3 + 5), "{:?}", began.elapsed());
    drop(open);
}
