//! What shows only with two brokers: one connection is idle while the other is busy, and topics may be durable.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use crate::support::{Bridge, Request, kafka::Cluster, proxy::Fault, wait_for};

/// What the network forgets. Longer than the pause between two probes, which keep one connection busy.
const FORGOTTEN: Duration = Duration::from_secs(7);

/// One cluster for all tests here, with a door for each.
static KAFKA: LazyLock<Cluster> = LazyLock::new(|| Cluster::start("two", 2, 3));

/// Changes of so many profiles that every partition has some.
fn send_changes(bridge: &Bridge, status: &str) {
    for number in 0..30 {
        let change = Request::change_of(&format!("BU{number:032x}"), status);
        assert_eq!(bridge.send(&change).status, 204);
    }
}

#[test]
fn idle_connection_that_the_network_forgot_costs_no_failover() {
    let door = KAFKA.take_door();
    door.set(Fault::Forget(FORGOTTEN));
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", &door.bootstrap()),
        ("KAFKA_PROPERTIES", "connections.max.idle.ms=3000"),
    ]);
    bridge.wait_until_publishing();
    send_changes(&bridge, "draft");
    wait_for("a broker has no connection, or a forgotten one", || door.has_idle_broker(FORGOTTEN).then_some(()));
    let began = Instant::now();
    send_changes(&bridge, "in-review");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#), 60.0);
    assert_eq!(bridge.series("trusthub_spool_failovers_total").values().sum::<f64>(), 0.0);
    let outages = bridge.lines("Kafka does not accept records; they are spooled");
    assert!(outages.is_empty(), "a connection that is closed for idleness is no outage: {outages:?}");
}

#[test]
fn topics_with_two_replicas_that_must_have_a_record_are_durable() {
    let door = KAFKA.take_door();
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &door.bootstrap())]);
    wait_for("it is known", || (bridge.metric("trusthub_topic_durability_known") == 1.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_topic_durable"), 1.0);
    let outages = bridge.lines("Kafka does not accept records; they are spooled");
    assert!(outages.is_empty(), "a topic that one broker does not know yet is no outage: {outages:?}");
}

#[test]
fn setting_that_kafka_does_not_report_is_unknown_and_no_alarm() {
    let door = KAFKA.take_door();
    door.set(Fault::Garble("min.insync.replicas"));
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &door.bootstrap())]);
    let line = wait_for("it was looked at", || {
        let mut lines = bridge.log().into_iter();
        lines.find(|line| line.contains("the loss of one broker can lose acknowledged events"))
    });
    assert!(line.contains("it is not known whether") && line.contains(r#""level":"INFO""#), "{line}");
    assert_eq!(bridge.metric("trusthub_topic_durability_known"), 0.0);
    assert_eq!(bridge.metric("trusthub_kafka_up"), 1.0);
}
