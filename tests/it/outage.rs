//! Kafka away: not ready, 503 in time, and back by itself.

use std::net::TcpListener;

use crate::support::{Bridge, PATIENCE, Request, kafka::Broker, wait_for};

/// An address on which nobody listens.
fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn unavailable(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#)
}

#[test]
fn without_kafka_the_service_lives_but_is_not_ready_and_promises_nothing() {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &nowhere()), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    assert_eq!(bridge.ask_admin("/livez").status, 200);
    assert_eq!(bridge.ask_admin("/readyz").status, 503);
    let answer = bridge.send(&Request::change("draft"));
    assert_eq!((answer.status, answer.body.as_str()), (503, "Service Unavailable"));
    assert_eq!(
        bridge.send(&Request::form("/callbacks/customer-profiles", "a=b").signed()).status,
        503,
        "a dead letter"
    );
    assert_eq!(unavailable(&bridge), 2.0);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_rejected_total{reason="unavailable"}"#), 2.0);
    assert_eq!(bridge.metric("trusthub_kafka_up"), 0.0);
    bridge.wait_for_log("Kafka is not available");
    assert_eq!(bridge.lines("Kafka is not available; callbacks are answered 503").len(), 1, "an outage is one line");
}

#[test]
fn forged_callbacks_are_refused_whether_kafka_is_there_or_not() {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &nowhere())]);
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "a=b")).status, 403);
}

#[test]
fn kafka_may_go_and_come_back_and_what_was_answered_503_does_not_appear_later() {
    let mut kafka = Broker::start("outage", &[]);
    let bootstrap = kafka.bootstrap().to_owned();
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "1000")]);
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    kafka.stop();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 503);
    wait_for("not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
    kafka.start_again();
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    let read = kafka.wait_for_records(&bridge.topic, 2, PATIENCE);
    let statuses = read.iter().map(|record| {
        let value: serde_json::Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        value["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(statuses.collect::<Vec<_>>(), ["draft", "twilio-approved"]);
    assert!(bridge.wait_for_log("Kafka is available again").contains("down_seconds"));
}
