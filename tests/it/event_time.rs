//! The time of events across restarts on one volume, when the system's clock was ahead and is corrected meanwhile. What a
//! consumer may skip is decided by the rules of the example.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{
    Bridge, PATIENCE, PROFILE, Request, believed,
    kafka::{broker, unique_topic},
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

/// A callback arrives while the clock is ahead, and another after the clock was corrected and the program restarted.
/// Returns the program and the times of the two events.
fn restart_with_corrected_clock(ahead: i64, end: End) -> (Bridge, [String; 2]) {
    let machine = Machine::new();
    machine.set_clock(ahead);
    // Otherwise a topic takes no record that is more than an hour ahead of its broker.
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
            wait_for("the time is kept", || kept(&bridge)?.starts_with(&first).then_some(()));
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

fn kept(bridge: &Bridge) -> Option<String> {
    fs::read_to_string(bridge.spool().join("event-time")).ok()
}

fn time_of_event(bridge: &Bridge, number: usize) -> String {
    bridge.events(number + 1)[number].header("ce_time").unwrap().to_owned()
}

fn believed_status(bridge: &Bridge) -> String {
    believed(&bridge.events(2))[PROFILE].clone()
}

#[test]
fn clock_that_was_half_an_hour_ahead_hides_no_event() {
    let (bridge, [first, second]) = restart_with_corrected_clock(HOUR / 2, End::Stop);
    assert_eq!(believed_status(&bridge), "in-review", "{first}, {second}");
    assert_eq!(second, first, "the time of events waits for the clock");
    bridge.wait_for_log("the system clock went back; event times stay the same until it has caught up");
    assert_eq!(bridge.metric(METRIC), 0.0);
}

#[test]
fn clock_that_was_half_an_hour_ahead_of_a_killed_program_hides_no_event() {
    let (bridge, [first, second]) = restart_with_corrected_clock(HOUR / 2, End::Kill);
    assert_eq!(believed_status(&bridge), "in-review", "{first}, {second}");
    assert!(second > first, "what was not written any more may have been a little later");
}

#[test]
fn clock_that_was_two_hours_ahead_is_not_waited_for() {
    let (bridge, [first, second]) = restart_with_corrected_clock(2 * HOUR, End::Stop);
    assert!(second < first, "{first}, {second}");
    let line = bridge.wait_for_log("more than an hour ahead of the system clock");
    assert!(line.contains(r#""level":"ERROR""#) && line.contains(&first), "{line}");
    assert_eq!(bridge.metric(METRIC), 1.0);
}

#[test]
fn damaged_event_time_is_one_line_and_no_reason_not_to_start() {
    let mut bridge = Bridge::start();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    fs::write(bridge.spool().join("event-time"), "2026-11-20T11:04").unwrap();
    bridge.restart(&[]);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let lines = bridge.lines("the saved event time cannot be read and is ignored");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn disk_that_hangs_delays_no_callback_that_kafka_takes() {
    let machine = Machine::new();
    let bridge = Bridge::start_with(&machine.variables());
    machine.delay_syncs(Duration::from_secs(600));
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let slow = r#"trusthub_slow_operations_total{operation="event_time"}"#;
    wait_for("the write hangs", || (bridge.metric(slow) == 1.0).then_some(()));
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(broker().wait_for_records(&bridge.topic, 2, PATIENCE).len(), 2);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#), 2.0);
}
