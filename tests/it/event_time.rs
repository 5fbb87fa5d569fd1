//! The time of events across restarts on one volume, when the system clock was ahead and is corrected in between. The
//! rules of the example decide which events a consumer skips.

use std::{
    fs,
    time::{Duration, Instant},
};

use test_support::{
    Bridge, PROFILE, Request, TIMEOUT,
    kafka::{broker, unique_topic},
    latest_statuses,
    machine::Machine,
    wait_for,
};

const HOUR: i64 = 3600;
const METRIC: &str = "trusthub_event_time_reset";

/// How the program ends before the clock is corrected.
#[derive(Clone, Copy)]
enum End {
    Stop,
    Kill,
}

/// Sends a callback while the clock is ahead, and another one after the clock is corrected and the program has
/// restarted. Returns the program and the times of the two events.
fn restart_with_corrected_clock(ahead: i64, end: End) -> (Bridge, [String; 2]) {
    let machine = Machine::new();
    machine.set_clock(ahead);
    // By default a topic rejects records that are more than an hour ahead of its broker.
    let topic = unique_topic("dated-ahead");
    broker().create_topic_with(&topic, 1, &[("message.timestamp.after.max.ms", &i64::MAX.to_string())]);
    let mut bridge = Bridge::start_with(&[&[("KAFKA_TOPIC", &topic[..])], &machine.variables()[..]].concat());
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let first = time_of_event(&bridge, 0);
    match end {
        End::Stop => {
            bridge.signal("TERM");
            assert!(bridge.wait().success());
        }
        End::Kill => {
            wait_for("the time is written", || stored_time(&bridge)?.starts_with(&first).then_some(()));
            bridge.kill();
        }
    }
    machine.set_clock(0);
    bridge.restart(&[]);
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let second = time_of_event(&bridge, 1);
    (bridge, [first, second])
}

fn stored_time(bridge: &Bridge) -> Option<String> {
    fs::read_to_string(bridge.spool().join("event-time")).ok()
}

fn time_of_event(bridge: &Bridge, number: usize) -> String {
    bridge.events(number + 1)[number].header("ce_time").unwrap().to_owned()
}

fn latest_status(bridge: &Bridge) -> String {
    latest_statuses(&bridge.events(2))[PROFILE].clone()
}

#[test]
fn clock_half_an_hour_ahead_hides_no_event_after_its_correction() {
    let (bridge, [first, second]) = restart_with_corrected_clock(HOUR / 2, End::Stop);
    assert_eq!(latest_status(&bridge), "in-review", "{first}, {second}");
    assert_eq!(second, first, "the time of events waits for the clock");
    bridge.wait_for_log("the system clock went back; event times stay the same until it has caught up");
    assert_eq!(bridge.metric(METRIC), 0.0);
}

#[test]
fn clock_half_an_hour_ahead_of_a_killed_program_hides_no_event() {
    let (bridge, [first, second]) = restart_with_corrected_clock(HOUR / 2, End::Kill);
    assert_eq!(latest_status(&bridge), "in-review", "{first}, {second}");
    assert!(second > first, "the last time before the kill may not have been written");
}

#[test]
fn clock_two_hours_ahead_is_not_waited_for() {
    let (bridge, [first, second]) = restart_with_corrected_clock(2 * HOUR, End::Stop);
    assert!(second < first, "{first}, {second}");
    let line = bridge.wait_for_log("more than an hour ahead of the system clock");
    assert!(line.contains(r#""level":"ERROR""#) && line.contains(&first), "{line}");
    assert_eq!(bridge.metric(METRIC), 1.0);
}

#[test]
fn damaged_event_time_is_logged_once_and_does_not_prevent_the_start() {
    let mut bridge = Bridge::start();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    fs::write(bridge.spool().join("event-time"), "2026-11-20T11:04").unwrap();
    bridge.restart(&[]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let lines = bridge.wait_for_lines("the saved event time cannot be read and is ignored", 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn hanging_disk_delays_no_callback_that_kafka_acknowledges() {
    let machine = Machine::new();
    let ack_timeout = Duration::from_secs(12);
    let milliseconds = ack_timeout.as_millis().to_string();
    let own = [("KAFKA_ACK_TIMEOUT_MS", &*milliseconds)];
    let bridge = Bridge::start_with(&[&own[..], &machine.variables()].concat());
    machine.delay_syncs(Duration::from_secs(600));
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let slow = r#"trusthub_slow_operations_total{operation="event_time"}"#;
    wait_for("the write hangs", || (bridge.metric(slow) == 1.0).then_some(()));
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    // Far shorter than the sync. A callback that waited for the disk would be given up after 13 seconds.
    assert!(began.elapsed() < ack_timeout, "{:?}", began.elapsed());
    assert_eq!(broker().wait_for_records(&bridge.topic, 2, TIMEOUT).len(), 2);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#), 2.0);
}
