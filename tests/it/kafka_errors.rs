//! Errors returned by a broker, injected into librdkafka's in-process cluster: each is classified correctly.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use test_support::{Bridge, Connection, MockCluster, Request, mock_cluster, wait_for};

/// A service and its cluster, which can inject errors. The service gives up after five seconds.
fn bridge_and_cluster() -> (Bridge, MockCluster) {
    bridge_and_cluster_with(&[])
}

fn bridge_and_cluster_with(changes: &[(&'static str, &str)]) -> (Bridge, MockCluster) {
    let (cluster, variables) = mock_cluster();
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let bridge = Bridge::launch(&variables.chain(changes.iter().copied()).collect::<Vec<_>>());
    bridge.wait_until_publishing();
    (bridge, cluster)
}

fn failures(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_kafka_publish_failures_total{{reason="{reason}"}}"#))
}

fn failovers(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_spool_failovers_total{{reason="{reason}"}}"#))
}

/// Waits until the outage is over.
fn wait_until_direct(bridge: &Bridge) {
    bridge.wait_for_log("Kafka accepts records again, and the spool is empty");
    bridge.wait_until_publishing();
}

/// Waits until this is the last outcome in the log, which is written asynchronously.
fn wait_for_outcome(bridge: &Bridge, outcome: &str) {
    wait_for(&format!("{outcome:?} in the log"), || {
        let line = bridge.lines("callback").pop()?;
        let last = format!("{} {}", line["outcome"].as_str()?, line["reason"].as_str().unwrap_or("-"));
        (last == outcome).then_some(())
    });
}

#[test]
fn leader_that_moved_is_found_within_the_time_of_a_callback() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn broker_that_only_times_out_is_an_outage() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 100]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    wait_for_outcome(&bridge, "spooled -");
    wait_for("the failure is counted", || (failures(&bridge, "timed_out") >= 1.0).then_some(()));
    assert_eq!(failovers(&bridge, "timed_out"), 1.0);
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    wait_until_direct(&bridge);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204, "the producer is usable");
    wait_for_outcome(&bridge, "published -");
    assert_eq!(bridge.metric(r#"trusthub_events_published_total{topic="events"}"#), 2.0);
}

#[test]
fn oversized_event_is_dead_lettered_and_the_next_one_is_published() {
    let (bridge, cluster) = bridge_and_cluster();
    // Only the second rejection is attributed to the record, because the record was then sent alone.
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    wait_for_outcome(&bridge, "dead_lettered refused_by_topic");
    assert_eq!(failures(&bridge, "too_large"), 2.0);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for_outcome(&bridge, "published -");
}

#[test]
fn missing_write_permission_is_an_outage_and_not_a_dead_letter() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    wait_for_outcome(&bridge, "spooled -");
    assert_eq!(failovers(&bridge, "authorization"), 1.0);
    bridge.wait_for_log("is not authorized to WRITE on topic events");
    wait_until_direct(&bridge);
    assert_eq!(
        bridge.metric(r#"trusthub_topic_permission_missing{operation="write",topic="events"}"#),
        0.0,
        "granted again"
    );
    assert_eq!(bridge.metric(r#"trusthub_events_published_total{topic="events"}"#), 1.0);
    assert_eq!(bridge.metric(r#"trusthub_events_published_total{topic="dead-letters"}"#), 0.0);
}

#[test]
fn missing_topic_is_an_outage() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 100]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    wait_for_outcome(&bridge, "spooled -");
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    wait_until_direct(&bridge);
    assert_eq!(bridge.metric(r#"trusthub_events_published_total{topic="events"}"#), 1.0);
}

#[test]
fn fenced_producer_is_replaced_and_its_records_are_published() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.wait_for_log("replaced the producer after a fatal error");
    wait_until_direct(&bridge);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for_outcome(&bridge, "published -");
    assert_eq!(bridge.metric(r#"trusthub_events_published_total{topic="events"}"#), 2.0);
}

#[test]
fn full_producer_queue_is_spooled_at_once() {
    let queue_of_one = [("KAFKA_PROPERTIES", "queue.buffering.max.messages=1"), ("KAFKA_ACK_TIMEOUT_MS", "14000")];
    let (bridge, cluster) = bridge_and_cluster_with(&queue_of_one);
    cluster.broker_round_trip_time(1, Duration::from_secs(600)).unwrap();
    let began = Instant::now();
    thread::scope(|scope| {
        for status in ["draft", "in-review"] {
            let bridge = &bridge;
            scope.spawn(move || assert_eq!(bridge.send(&Request::change(status)).status, 204));
        }
    });
    assert!(began.elapsed() < Duration::from_secs(10), "the callbacks waited for the acknowledgement timeout");
    assert_eq!(failovers(&bridge, "queue_full"), 1.0);
    assert_eq!(bridge.metric("trusthub_spool_events"), 2.0);
}

/// The reset drops the handler at an arbitrary point.
#[test]
fn callback_is_made_durable_when_its_caller_resets_the_connection() {
    let (bridge, cluster) = bridge_and_cluster();
    let mut connection = Connection::to(bridge.public);
    connection.write(Request::change("draft").bytes());
    wait_for_outcome(&bridge, "published -");
    cluster.broker_round_trip_time(1, Duration::from_secs(600)).unwrap();
    connection.write(Request::change("in-review").bytes());
    let verified = || bridge.series("trusthub_signatures_verified_total").values().sum::<f64>();
    wait_for("the callback is verified", || (verified() == 2.0).then_some(()));
    // The response to the first callback was not read, so closing sends a reset.
    drop(connection);
    wait_for_outcome(&bridge, "spooled -");
    assert_eq!(bridge.metric("trusthub_spool_events"), 1.0);
}
