//! Repeated callbacks: answered like the first one, published once.

use std::thread;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use test_support::{Bridge, Request, mock_cluster};

/// Less space than any event needs.
const NO_SPACE_FOR_AN_EVENT: (&str, &str) = ("SPOOL_MAX_BYTES", "1024");

const TOKEN_HEADER: &str = "I-Twilio-Idempotency-Token";

fn outcome(bridge: &Bridge, outcome: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_outcome_total{{outcome="{outcome}"}}"#))
}

fn changes(bridge: &Bridge) -> f64 {
    bridge.series("trusthub_profile_status_changes_total").values().sum()
}

#[test]
fn callback_with_the_same_idempotency_token_is_published_once() {
    let bridge = Bridge::start();
    let first = Request::change("in-review").with(TOKEN_HEADER, "one");
    for _ in 0..3 {
        assert_eq!(bridge.send(&first).status, 204);
    }
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate"), changes(&bridge)), (1.0, 2.0, 1.0));
    for other in [
        Request::change("in-review").with(TOKEN_HEADER, "two"),
        Request::change("twilio-approved").with(TOKEN_HEADER, "one"),
        Request::change_of("BU00000000000000000000000000000009", "in-review").with(TOKEN_HEADER, "one"),
    ] {
        assert_eq!(bridge.send(&other).status, 204);
    }
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate")), (4.0, 2.0));
    assert_eq!(bridge.events(4).len(), 4);
}

#[test]
fn identical_body_without_a_token_is_a_repeat() {
    let bridge = Bridge::start();
    for _ in 0..2 {
        assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    }
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate")), (1.0, 1.0));
}

#[test]
fn repeats_without_a_dedup_window_are_published_with_the_same_id() {
    let bridge = Bridge::start_with(&[("DEDUP_WINDOW_SECS", "0")]);
    let change = Request::change("in-review").with(TOKEN_HEADER, "one");
    for _ in 0..2 {
        assert_eq!(bridge.send(&change).status, 204);
    }
    let ids = bridge
        .events(2)
        .into_iter()
        .map(|record| record.headers.into_iter().find(|(name, _)| name == "ce_id").unwrap().1);
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn concurrent_repeats_wait_for_the_first_and_share_its_outcome() {
    let bridge = Bridge::start();
    let change = Request::change("in-review").with(TOKEN_HEADER, "one");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(bridge.send(&change).status, 204));
        }
    });
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate")), (1.0, 15.0));
    assert_eq!(bridge.events(1).len(), 1);
}

#[test]
fn failed_callbacks_are_not_remembered() {
    let (cluster, variables) = mock_cluster();
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    // Without a spool, a pause of the machine must not take the time for Kafka.
    let variables = variables.chain([NO_SPACE_FOR_AN_EVENT, ("KAFKA_ACK_TIMEOUT_MS", "10000")]);
    let bridge = Bridge::launch(&variables.collect::<Vec<_>>());
    let change = Request::change("in-review").with(TOKEN_HEADER, "one");
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 100]);
    assert_eq!(bridge.send(&change).status, 503);
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    bridge.wait_for_log("Kafka accepts records again, and the spool is empty");
    assert_eq!(bridge.send(&change).status, 204);
    assert_eq!((outcome(&bridge, "unavailable"), outcome(&bridge, "published")), (1.0, 1.0));
}

#[test]
fn forged_callback_does_not_make_a_genuine_one_a_repeat() {
    let bridge = Bridge::start();
    let genuine = Request::change("in-review").with(TOKEN_HEADER, "one");
    let mut forged = genuine.clone();
    forged.headers.retain(|(name, _)| name != "X-Twilio-Signature");
    assert_eq!(bridge.send(&forged.signed_with("another-token", test_support::PUBLIC_URL)).status, 403);
    assert_eq!(bridge.send(&genuine).status, 204);
    assert_eq!(outcome(&bridge, "published"), 1.0);
}
