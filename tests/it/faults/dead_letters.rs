//! The dead-letter topic is missing, and the service may not create it. Events have a separate topic and must not be
//! affected.

use serde_json::Value;

use test_support::{
    ACCOUNT, Bridge, PROFILE, Request, TIMEOUT,
    kafka::{Record, broker, unique_topic},
    wait_for,
};

/// The number of events; a dead letter follows every fourth of them.
const EVENTS: usize = 20;
const PER_DEAD_LETTER: usize = 4;
/// The size limit of the topic that rejects an event.
const MAX_MESSAGE_BYTES: usize = 4096;

#[test]
fn missing_dead_letter_topic_sends_no_event_through_the_spool() {
    let topic = unique_topic("events");
    broker().create_topic(&topic, 3);
    let mut bridge = without_dead_letter_topic(&topic);
    for number in 0..EVENTS {
        assert_eq!(bridge.send(&event(number, 1)).status, 204, "{number}");
        if number % PER_DEAD_LETTER == 0 {
            assert_eq!(bridge.send(&dead_letter(number)).status, 204, "{number}");
        }
    }
    assert_eq!(outcomes(&bridge, "published"), EVENTS as f64);
    assert_eq!(outcomes(&bridge, "spooled"), (EVENTS / PER_DEAD_LETTER) as f64, "the dead letters");
    assert_eq!(numbers(&bridge.events(EVENTS)), (0..EVENTS).collect::<Vec<_>>());
    let dead_letters = dead_letters_after_restart(&mut bridge, EVENTS / PER_DEAD_LETTER);
    assert_eq!(dead_letters.len(), EVENTS / PER_DEAD_LETTER);
}

/// The dead letter that replaces a rejected event has no topic either.
#[test]
fn rejected_event_without_dead_letter_topic_blocks_no_other_event() {
    const REJECTED: usize = 2;
    let topic = unique_topic("narrow");
    broker().create_narrow_topic(&topic, MAX_MESSAGE_BYTES);
    let mut bridge = without_dead_letter_topic(&topic);
    for number in 0..EVENTS {
        let size = if number == REJECTED { 2 * MAX_MESSAGE_BYTES } else { 1 };
        assert_eq!(bridge.send(&event(number, size)).status, 204, "{number}");
    }
    let others: Vec<_> = (0..EVENTS).filter(|number| *number != REJECTED).collect();
    assert_eq!(numbers(&broker().wait_for_records(&topic, others.len(), TIMEOUT)), others);
    let mut later = EVENTS..;
    wait_for("an event is published directly again", || {
        let before = outcomes(&bridge, "published");
        assert_eq!(bridge.send(&event(later.next()?, 1)).status, 204);
        (outcomes(&bridge, "published") > before).then_some(())
    });
    let kept = bridge.metric("trusthub_spool_parked") + bridge.metric("trusthub_spool_events");
    assert_eq!(kept, 1.0, "the rejected event is kept");
    let dead_letters = dead_letters_after_restart(&mut bridge, 1);
    let [dead_letter] = &dead_letters[..] else { panic!("{dead_letters:#?}") };
    assert_eq!(dead_letter.header("reason"), Some("refused_by_topic"));
}

/// A program whose event topic exists, and that has found its dead-letter topic missing.
fn without_dead_letter_topic(topic: &str) -> Bridge {
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
        ("KAFKA_TOPIC", topic),
        ("KAFKA_CREATE_TOPICS", "false"),
        // No test is about a slow broker, and on a busy machine every broker is.
        ("KAFKA_ACK_TIMEOUT_MS", "8000"),
    ]);
    bridge.wait_for_log("does not exist; create it, or set KAFKA_CREATE_TOPICS=true");
    bridge
}

/// Creates the topic and restarts the program, which retries the parked records at the latest then.
fn dead_letters_after_restart(bridge: &mut Bridge, at_least: usize) -> Vec<Record> {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    // Not before: a stop in the middle of a retry publishes its records again.
    broker().create_topic(&bridge.dead_letter_topic, 1);
    bridge.restart(&[]);
    bridge.wait_until_publishing();
    wait_for("no record is parked", || (bridge.metric("trusthub_spool_parked") == 0.0).then_some(()));
    broker().wait_for_records(&bridge.dead_letter_topic, at_least, TIMEOUT)
}

fn event(number: usize, size: usize) -> Request {
    let padding = "x".repeat(size);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft&Number={number}&Padding={padding}");
    Request::form("/callbacks/customer-profiles", &body).signed()
}

/// Signed, but without the fields of an event.
fn dead_letter(number: usize) -> Request {
    Request::form("/callbacks/customer-profiles", &format!("Number={number}")).signed()
}

fn numbers(events: &[Record]) -> Vec<usize> {
    let number = |event: &Record| {
        let event: Value = serde_json::from_slice(event.payload.as_ref().unwrap()).unwrap();
        event["extra"]["Number"][0].as_str().unwrap().parse().unwrap()
    };
    events.iter().map(number).collect()
}

fn outcomes(bridge: &Bridge, outcome: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_outcome_total{{outcome="{outcome}"}}"#))
}
