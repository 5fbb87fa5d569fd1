//! Topics that reject records by their timestamp: older or newer than their brokers allow.

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use test_support::{
    Bridge, PATIENT, Request, TIMEOUT,
    kafka::{FaultProxy, Record, unique_topic},
    machine::Machine,
    proxy::Fault,
    wait_for,
};

use super::{one_broker, publishing_to};

/// The maximum age of a record when it reaches the topic.
const LIMIT_MS: i64 = 3000;
/// The same, for tests in which only a clock that is far off exceeds the limit.
const WIDE_LIMIT_MS: i64 = 60_000;
const HOUR: i64 = 3600;

#[test]
fn records_too_old_after_the_spool_are_published_in_order() {
    let proxy = one_broker().take_fault_proxy();
    let bridge = with_records_too_old(&proxy);
    let reconnected = now_ms();
    proxy.set(Fault::None);
    drains(&bridge);
    bridge.wait_until_publishing();
    // The topic may take its time for this one.
    set_limit(&bridge.topic, WIDE_LIMIT_MS);
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    let events = events(&bridge, 3);
    assert_statuses(&events, &["draft", "in-review", "twilio-approved"]);
    let [first, second, third] = &events[..] else { panic!("{events:#?}") };
    for late in [first, second] {
        assert!(received_ms(late) < reconnected - LIMIT_MS, "the event keeps its time of receipt");
        assert!(late.timestamp_ms > received_ms(late), "the record has its time of publication: {late:?}");
    }
    assert_eq!(third.timestamp_ms, received_ms(third));
    let last = bridge.wait_for_lines("callback", 3).pop().unwrap();
    assert_eq!(last["outcome"], "published", "{last}");
}

#[test]
fn spool_drain_publishes_records_that_are_too_old_in_order() {
    let proxy = one_broker().take_fault_proxy();
    let mut bridge = with_records_too_old(&proxy);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    proxy.set(Fault::None);
    let output = bridge.command(&["spool", "drain", "--timeout-secs", "120"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_statuses(&events(&bridge, 2), &["draft", "in-review"]);
}

#[test]
fn clock_far_behind_is_an_outage_that_is_reported_and_ends_with_it() {
    is_an_outage_while_the_clock_is_wrong(-HOUR);
}

#[test]
fn clock_far_ahead_is_an_outage_that_is_reported_and_ends_with_it() {
    is_an_outage_while_the_clock_is_wrong(HOUR);
}

/// The broker rejects the present time as well, so no record is at fault. Kafka was unreachable before: the log and the
/// metrics have to name the present cause.
fn is_an_outage_while_the_clock_is_wrong(offset: i64) {
    let (machine, proxy) = (Machine::new(), one_broker().take_fault_proxy());
    let topic = topic_with_limit(WIDE_LIMIT_MS);
    let bridge =
        publishing_to(&proxy.bootstrap(), &[&[("KAFKA_TOPIC", &topic[..])], &machine.variables()[..]].concat());
    machine.set_clock(offset);
    cut(&proxy, &bridge);
    for status in ["draft", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    proxy.set(Fault::None);
    wait_for("a record is rejected for its timestamp", || (failures(&bridge) > 0.0).then_some(()));
    wait_for("a line that names the present cause", || {
        bridge.log().into_iter().find(|line| line.contains("invalid_timestamp"))
    });
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    assert_eq!(bridge.metric("trusthub_spool_events"), 3.0, "it is an outage");
    assert_eq!(bridge.metric("trusthub_spool_parked"), 0.0);
    machine.set_clock(0);
    drains(&bridge);
    assert_statuses(&events(&bridge, 3), &["draft", "in-review", "twilio-approved"]);
}

/// A program whose network to Kafka is cut, with two callbacks spooled for longer than the topic allows.
fn with_records_too_old(proxy: &FaultProxy) -> Bridge {
    let topic = topic_with_limit(LIMIT_MS);
    let bridge = publishing_to(&proxy.bootstrap(), &[("KAFKA_TOPIC", &topic), PATIENT]);
    cut(proxy, &bridge);
    for status in ["draft", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    let sent = Instant::now();
    let too_old = Duration::from_millis(LIMIT_MS.unsigned_abs()) + Duration::from_secs(1);
    wait_for("the records are too old", || (sent.elapsed() > too_old).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_events"), 2.0);
    bridge
}

/// Cuts the network and waits until that has taken effect: records in transit may still reach their topic.
fn cut(proxy: &FaultProxy, bridge: &Bridge) {
    proxy.set(Fault::Cut);
    bridge.wait_until_kafka_is_down();
}

fn topic_with_limit(limit_ms: i64) -> String {
    let topic = unique_topic("limited");
    one_broker().direct().create_topic(&topic, 1);
    set_limit(&topic, limit_ms);
    topic
}

fn set_limit(topic: &str, limit_ms: i64) {
    let limit = limit_ms.to_string();
    let settings = [("message.timestamp.before.max.ms", &limit[..]), ("message.timestamp.after.max.ms", &limit[..])];
    one_broker().direct().alter_topic(topic, &settings);
}

fn drains(bridge: &Bridge) {
    wait_for("the spool is empty", || (bridge.metric("trusthub_spool_events") == 0.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_parked"), 0.0);
}

/// How often Kafka has rejected a record for its timestamp.
fn failures(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_kafka_publish_failures_total{reason="invalid_timestamp"}"#)
}

/// The first occurrence of each event, in order, once there are at least this many; none is a dead letter.
fn events(bridge: &Bridge, at_least: usize) -> Vec<Record> {
    let records = one_broker().direct().wait_for_events(&bridge.topic, at_least);
    for record in &records {
        assert_eq!(record.header("ce_time").unwrap(), value(record)["received_at"], "{record:?}");
    }
    let dead_letters = one_broker().direct().wait_for_records(&bridge.dead_letter_topic, 0, TIMEOUT);
    assert!(dead_letters.is_empty(), "{dead_letters:#?}");
    records
}

fn assert_statuses(events: &[Record], statuses: &[&str]) {
    let found: Vec<_> = events.iter().map(|event| value(event)["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, statuses);
}

fn value(event: &Record) -> Value {
    serde_json::from_slice(event.payload.as_ref().unwrap()).unwrap()
}

/// The time of receipt of its callback.
fn received_ms(event: &Record) -> i64 {
    let time = OffsetDateTime::parse(event.header("ce_time").unwrap(), &Rfc3339).unwrap();
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}
