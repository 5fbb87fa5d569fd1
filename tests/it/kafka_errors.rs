//! Errors that a broker answers, injected into librdkafka's in-process cluster: each lands in its class.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::support::{Bridge, MockCluster, Request, mock_cluster, wait_for};

/// A service in front of a cluster that can be made to answer errors. It gives up after a second.
fn bridge_and_cluster() -> (Bridge, MockCluster) {
    let (cluster, variables) = mock_cluster();
    let bridge = Bridge::launch(&variables.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
    bridge.wait_until_ready();
    (bridge, cluster)
}

fn failures(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_kafka_publish_failures_total{{reason="{reason}"}}"#))
}

/// Waits until this is the last outcome in the log, which comes on its own way.
fn wait_for_outcome(bridge: &Bridge, outcome: &str) {
    wait_for(&format!("{outcome:?} in the log"), || {
        let line = bridge.lines("callback").pop()?;
        let last = format!("{} {}", line["outcome"].as_str()?, line["reason"].as_str().unwrap_or("-"));
        (last == outcome).then_some(())
    });
}

#[test]
fn a_leader_that_moved_is_found_again_within_the_time_of_a_callback() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn a_broker_that_only_times_out_is_an_outage() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 100]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 503);
    wait_for_outcome(&bridge, "unavailable timed_out");
    assert_eq!(failures(&bridge, "timed_out"), 1.0);
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204, "the producer goes on");
}

#[test]
fn an_event_that_is_too_large_is_dead_lettered_and_the_next_one_is_published() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    wait_for_outcome(&bridge, "dead_lettered refused_by_topic");
    assert_eq!(failures(&bridge, "too_large"), 1.0);
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    wait_for_outcome(&bridge, "published -");
}

#[test]
fn a_missing_right_to_write_is_an_outage_and_never_a_dead_letter() {
    let (bridge, cluster) = bridge_and_cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 503);
    wait_for_outcome(&bridge, "unavailable authorization");
    assert_eq!(failures(&bridge, "authorization"), 1.0);
    assert_eq!(bridge.metric(r#"trusthub_topic_right_missing{right="write",topic="events"}"#), 1.0);
    bridge.wait_for_log("lacks the right WRITE on topic events");
    assert_eq!(bridge.ask_admin("/readyz").status, 503, "Kafka answers, but takes no records");
    // The client remembers the refusal until it asks for the topic again, which the probe does.
    wait_for("published", || (bridge.send(&Request::change("in-review")).status == 204).then_some(()));
    assert_eq!(bridge.metric(r#"trusthub_topic_right_missing{right="write",topic="events"}"#), 0.0, "granted again");
}
