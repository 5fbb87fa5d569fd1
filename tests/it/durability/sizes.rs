//! An event that is too large for its topic, among others that are not.

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::{
    ACCOUNT, Bridge, PATIENT, PROFILE, Request,
    kafka::{Record, broker, unique_topic},
};

use super::without_kafka;

/// Large enough for an event of the usual size, but not for ten of them in one batch.
const MAX_MESSAGE_BYTES: usize = 4096;

/// The number of callbacks of one profile, one of which is too large.
const COUNT: usize = 20;
const LARGE: usize = 8;

#[test]
fn oversized_event_is_dead_lettered_and_the_others_are_published() {
    let topic = narrow_topic();
    let bridge = Bridge::start_with(&[("KAFKA_TOPIC", &topic)]);
    send_all(&bridge);
    assert_only_the_large_one_is_dead_lettered(&bridge);
    assert_eq!(outcomes(&bridge, "spooled"), 0.0, "one rejected record is not an outage");
}

#[test]
fn oversized_event_does_not_block_the_spool() {
    let topic = narrow_topic();
    let mut bridge = without_kafka(&[("KAFKA_TOPIC", &topic)]);
    send_all(&bridge);
    assert_eq!(outcomes(&bridge, "spooled"), COUNT as f64);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    // Before the drain: it would park the dead letter until the topic exists.
    broker().create_topic(&bridge.dead_letter_topic, 1);
    bridge.restart(&[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), PATIENT]);
    bridge.wait_until_drained();
    assert_only_the_large_one_is_dead_lettered(&bridge);
}

fn narrow_topic() -> String {
    let topic = unique_topic("narrow");
    broker().create_narrow_topic(&topic, MAX_MESSAGE_BYTES);
    topic
}

fn send_all(bridge: &Bridge) {
    for number in 0..COUNT {
        let size = if number == LARGE { 2 * MAX_MESSAGE_BYTES } else { 1 };
        assert_eq!(bridge.send(&callback(number, size)).status, 204, "{number}");
    }
}

fn callback(number: usize, size: usize) -> Request {
    let padding = "x".repeat(size);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft&Number={number}&Padding={padding}");
    Request::form("/callbacks/customer-profiles", &body).signed()
}

fn assert_only_the_large_one_is_dead_lettered(bridge: &Bridge) {
    let mut published: Vec<_> = bridge.events(0).iter().map(number).collect();
    let mut seen = BTreeSet::new();
    published.retain(|number| seen.insert(*number));
    let small: Vec<_> = (0..COUNT).filter(|number| *number != LARGE).collect();
    assert_eq!(published, small, "first occurrences");
    let dead_letters = bridge.dead_letters(1);
    let [dead_letter] = &dead_letters[..] else { panic!("{dead_letters:#?}") };
    assert!(dead_letter.headers.contains(&("reason".to_owned(), b"refused_by_topic".to_vec())), "{dead_letter:?}");
}

fn number(event: &Record) -> usize {
    let event: Value = serde_json::from_slice(event.payload.as_ref().unwrap()).unwrap();
    event["extra"]["Number"][0].as_str().unwrap().parse().unwrap()
}

fn outcomes(bridge: &Bridge, outcome: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_outcome_total{{outcome="{outcome}"}}"#))
}
