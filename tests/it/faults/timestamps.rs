//! Topics that refuse records for their time: those that are older or newer than their brokers allow.

use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{one_broker, publishing_to};
use crate::support::{
    Bridge, PATIENCE, Request,
    kafka::{Door, Record, unique_topic},
    machine::Machine,
    proxy::Fault,
    wait_for, wait_within,
};

/// How old a record may be when it comes to the topic.
const LIMIT_MS: i64 = 3000;
/// The same, when only a clock that is wrong by far is to be outside of it.
const WIDE_LIMIT_MS: i64 = 60_000;
const HOUR: i64 = 3600;
/// Much longer than a drain takes whose first record is refused at first.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

#[test]
fn records_that_grew_too_old_in_the_spool_are_published_in_order() {
    let door = one_broker().take_door();
    let bridge = with_records_too_old(&door);
    let reconnected = now_ms();
    door.set(Fault::None);
    drains(&bridge);
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    let events = events(&bridge, 3);
    assert_statuses(&events, &["draft", "in-review", "twilio-approved"]);
    let [first, second, third] = &events[..] else { panic!("{events:#?}") };
    for late in [first, second] {
        assert!(received_ms(late) < reconnected - LIMIT_MS, "the event keeps the time of its receipt");
        assert!(late.timestamp_ms > received_ms(late), "the record has the time at which it was published: {late:?}");
    }
    assert_eq!(third.timestamp_ms, received_ms(third));
    let last = bridge.lines("callback").pop().unwrap();
    assert_eq!(last["outcome"], "published", "{last}");
}

#[test]
fn spool_drain_publishes_records_that_grew_too_old_in_order() {
    let door = one_broker().take_door();
    let mut bridge = with_records_too_old(&door);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    door.set(Fault::None);
    let output = bridge.command(&["spool", "drain", "--timeout-secs", "10"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_statuses(&events(&bridge, 2), &["draft", "in-review"]);
}

#[test]
fn clock_far_behind_is_an_outage_that_says_so_and_ends_with_it() {
    a_wrong_clock_is_an_outage(-HOUR);
}

#[test]
fn clock_far_ahead_is_an_outage_that_says_so_and_ends_with_it() {
    a_wrong_clock_is_an_outage(HOUR);
}

/// The present time is refused as well, so no record is at fault. Kafka was unreachable before: the log and the metrics
/// have to name what is wrong now.
fn a_wrong_clock_is_an_outage(offset: i64) {
    let (machine, door) = (Machine::new(), one_broker().take_door());
    let topic = topic_with_limit(WIDE_LIMIT_MS);
    let bridge = publishing_to(&door.bootstrap(), &[&[("KAFKA_TOPIC", &topic[..])], &machine.variables()[..]].concat());
    machine.set_clock(offset);
    cut(&door, &bridge);
    for status in ["draft", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    door.set(Fault::None);
    wait_within(LONG_ENOUGH, "a record is refused for its time", || (failures(&bridge) > 0.0).then_some(()));
    wait_within(LONG_ENOUGH, "a line that names the present cause", || {
        bridge.log().into_iter().find(|line| line.contains("invalid_timestamp"))
    });
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    assert_eq!(bridge.metric("trusthub_spool_events"), 3.0, "it is an outage");
    assert_eq!(bridge.metric("trusthub_spool_parked"), 0.0);
    machine.set_clock(0);
    drains(&bridge);
    assert_statuses(&events(&bridge, 3), &["draft", "in-review", "twilio-approved"]);
}

/// The way to Kafka is cut, and two callbacks are in the spool for longer than the topic allows.
fn with_records_too_old(door: &Door) -> Bridge {
    let topic = topic_with_limit(LIMIT_MS);
    let bridge = publishing_to(&door.bootstrap(), &[("KAFKA_TOPIC", &topic)]);
    cut(door, &bridge);
    for status in ["draft", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    let too_old = (LIMIT_MS / 1000 + 1) as f64;
    wait_for("the records are too old", || (bridge.metric("trusthub_spool_oldest_seconds") > too_old).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_events"), 2.0);
    bridge
}

/// Nothing comes through any more: what was on its way when a connection is cut may still come to its topic.
fn cut(door: &Door, bridge: &Bridge) {
    door.set(Fault::Cut);
    wait_for("Kafka is unreachable", || (bridge.metric("trusthub_kafka_up") == 0.0).then_some(()));
}

fn topic_with_limit(limit_ms: i64) -> String {
    let (topic, limit) = (unique_topic("limited"), limit_ms.to_string());
    let settings = [("message.timestamp.before.max.ms", &limit[..]), ("message.timestamp.after.max.ms", &limit[..])];
    one_broker().direct().create_topic(&topic, 1);
    one_broker().direct().alter_topic(&topic, &settings);
    topic
}

fn drains(bridge: &Bridge) {
    wait_within(LONG_ENOUGH, "the spool is empty", || (bridge.metric("trusthub_spool_events") == 0.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_parked"), 0.0);
}

/// How often Kafka has refused a record for its time.
fn failures(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_kafka_publish_failures_total{reason="invalid_timestamp"}"#)
}

/// The first occurrence of each event, in their order, once there are so many records; none is a dead letter.
fn events(bridge: &Bridge, at_least: usize) -> Vec<Record> {
    let mut records = one_broker().direct().wait_for_records(&bridge.topic, at_least, LONG_ENOUGH);
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert(record.header("ce_id").unwrap().to_owned()));
    for record in &records {
        assert_eq!(record.header("ce_time").unwrap(), value(record)["received_at"], "{record:?}");
    }
    let dead_letters = one_broker().direct().wait_for_records(&bridge.dead_letter_topic, 0, PATIENCE);
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

/// When its callback was received.
fn received_ms(event: &Record) -> i64 {
    let time = OffsetDateTime::parse(event.header("ce_time").unwrap(), &Rfc3339).unwrap();
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}
