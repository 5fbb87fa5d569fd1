//! Kafka unreachable: the service stays ready, spools callbacks in time, and recovers without a restart.

use test_support::{Bridge, OUTAGE, PATIENT, Request, kafka::Broker, wait_for};

/// An address on which no process listens.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn service_without_kafka_is_ready_and_spools_callbacks() {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", NOWHERE), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    assert_eq!(bridge.ask_admin("/livez").status, 200);
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let dead_letter = Request::form("/callbacks/customer-profiles", "a=b").signed();
    assert_eq!(bridge.send(&dead_letter).status, 204);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="spooled"}"#), 2.0);
    assert_eq!(bridge.metric("trusthub_spool_events"), 2.0);
    assert!(bridge.metric("trusthub_spool_bytes") > 500.0);
    wait_for("the records age", || (bridge.metric("trusthub_spool_oldest_seconds") > 0.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_kafka_up"), 0.0);
    let status = r#"trusthub_profile_status_changes_total{resource="customer-profile",status="draft"}"#;
    assert_eq!(bridge.metric(status), 1.0, "counted when it is durable, not when it is published");
    let failovers: f64 = bridge.series("trusthub_spool_failovers_total").values().sum();
    assert_eq!(failovers, 1.0);
    let outages = bridge.wait_for_lines(OUTAGE, 1);
    assert_eq!(outages.len(), 1, "one line per outage");
}

#[test]
fn forged_callbacks_are_rejected_with_and_without_kafka() {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", NOWHERE)]);
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "a=b")).status, 403);
}

#[test]
fn events_are_published_in_order_after_an_outage_of_kafka() {
    let mut kafka = Broker::start("outage", &[]);
    let bootstrap = kafka.bootstrap().to_owned();
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &bootstrap), PATIENT]);
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    // The end of the connection is noticed at once.
    kafka.stop();
    for status in ["pending-review", "in-review"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    kafka.start_again();
    wait_for("the end of this outage is in the log", || {
        let ends = bridge.lines("Kafka accepts records again, and the spool is empty");
        ends.iter().any(|end| end["drained"] == 2).then_some(())
    });
    assert_eq!(bridge.send(&Request::change("twilio-approved")).status, 204);
    let read = kafka.wait_for_events(&bridge.topic, 4);
    let statuses = read.iter().map(|record| {
        let value: serde_json::Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        value["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(statuses.collect::<Vec<_>>(), ["draft", "pending-review", "in-review", "twilio-approved"]);
    let outcomes: Vec<_> =
        bridge.wait_for_lines("callback", 4).iter().map(|line| line["outcome"].to_string()).collect();
    assert_eq!(outcomes, [r#""published""#, r#""spooled""#, r#""spooled""#, r#""published""#]);
}
