//! A log that is not read, and what unauthenticated callers can write into it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use test_support::{Bridge, Connection, PUBLIC_URL, Request, wait_for};

const DROPPED: &str = "trusthub_log_lines_dropped_total";

/// More than the lines that a pipe buffers, if each callback had one.
const FORGED: usize = 1200;

fn forged() -> Request {
    let genuine = Request::change("twilio-rejected");
    Request { headers: genuine.headers[..1].to_vec(), ..genuine }.signed_with("another-token", PUBLIC_URL)
}

fn forge(bridge: &Bridge, callbacks: usize) {
    let forged = forged();
    for number in 0..callbacks {
        assert_eq!(bridge.send(&forged).status, 403, "forged callback {number}");
    }
}

/// Sends a genuine callback repeatedly, each with its own log line, until lines are dropped.
fn fill(bridge: &Bridge) -> usize {
    let (genuine, sent) = (Request::change("twilio-approved").bytes(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::to(bridge.public);
                wait_for("lines are dropped", || {
                    for _ in 0..200 {
                        connection.write(&genuine);
                        assert_eq!(connection.read().unwrap().status, 204);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    (bridge.metric(DROPPED) > 0.0).then_some(())
                });
            });
        }
    });
    sent.into_inner()
}

#[test]
fn unread_log_blocks_no_callback_and_reports_its_dropped_lines() {
    let bridge = Bridge::start();
    assert_eq!(bridge.metric(DROPPED), 0.0);
    let held = bridge.hold_log();
    forge(&bridge, FORGED);
    let sent = fill(&bridge);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204, "after {sent} callbacks");
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    drop(held);
    bridge.wait_for_log("log lines were dropped because stderr was not read fast enough");
    let dropped = wait_for("all dropped lines are reported", || {
        let lines = bridge.lines("log lines were dropped because stderr was not read fast enough");
        let reported: f64 = lines.iter().map(|line| line["lines"].as_f64().unwrap()).sum();
        (reported == bridge.metric(DROPPED)).then_some(reported)
    });
    assert!(dropped > 0.0);
    assert_eq!(bridge.send(&forged()).status, 403);
}

#[test]
fn stop_does_not_wait_for_an_unread_log() {
    let mut bridge = Bridge::start();
    let held = bridge.hold_log();
    fill(&bridge);
    bridge.signal("TERM");
    assert!(bridge.wait_for_exit().success());
    drop(held);
    assert!(bridge.wait().success());
}

#[test]
fn closed_log_stops_neither_callbacks_nor_the_program() {
    let mut bridge = Bridge::start();
    bridge.close_log();
    forge(&bridge, 100);
    wait_for("lines are lost", || {
        assert_eq!(bridge.send(&Request::change("draft")).status, 204);
        (bridge.metric(DROPPED) > 0.0).then_some(())
    });
    bridge.signal("TERM");
    assert!(bridge.wait().success());
}

#[test]
fn rejected_callbacks_are_logged_in_part_and_all_counted() {
    let bridge = Bridge::start();
    let began = Instant::now();
    forge(&bridge, 200);
    let lines = |message: &str| bridge.lines(message);
    let counted = || {
        let others = lines("suppressed the log lines of further rejected callbacks");
        let others: u64 = others.iter().map(|line| line["callbacks"].as_u64().unwrap()).sum();
        others + lines("callback").len() as u64
    };
    wait_for("each rejection is in the log once", || (counted() == 200).then_some(()));
    let seconds = began.elapsed().as_secs_f64();
    let in_full = lines("callback").len() as f64;
    // Ten in each second that the loop touched, and a diagnosed one.
    assert!(in_full <= 11.0 * (seconds + 2.0).floor(), "{in_full} lines in {seconds} s");
}
