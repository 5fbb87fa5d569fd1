//! Behavior that needs two brokers: one connection is idle while the other is busy, and topics may be durable.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use test_support::{Bridge, OUTAGE, Request, kafka::Cluster, proxy::Fault, wait_for};

/// The idle time after which the network forgets a connection. Longer than the interval of the probes, which keep one
/// connection busy.
const FORGOTTEN: Duration = Duration::from_secs(7);

/// One cluster for all tests of this module, with a fault proxy for each.
static KAFKA: LazyLock<Cluster> = LazyLock::new(|| Cluster::start("two", 2, 3));

/// Changes of enough profiles for every partition to have some. Returns the longest time until an answer.
fn send_changes(bridge: &Bridge, status: &str) -> Duration {
    let times = (0..30).map(|number| {
        let change = Request::change_of(&format!("BU{number:032x}"), status);
        let began = Instant::now();
        assert_eq!(bridge.send(&change).status, 204);
        began.elapsed()
    });
    times.max().unwrap()
}

#[test]
fn idle_connection_forgotten_by_the_network_costs_no_failover() {
    let proxy = KAFKA.take_fault_proxy();
    proxy.set(Fault::Forget(FORGOTTEN));
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", &proxy.bootstrap()),
        ("KAFKA_PROPERTIES", "connections.max.idle.ms=3000"),
        // What a forgotten connection would cost; far longer than a busy machine needs.
        ("KAFKA_ACK_TIMEOUT_MS", "12000"),
        // Its consumer always has a request in progress.
        ("KAFKA_PROFILES_TOPIC", ""),
    ]);
    bridge.wait_until_publishing();
    let failovers = || bridge.series("trusthub_spool_failovers_total").values().sum::<f64>();
    let before = failovers();
    send_changes(&bridge, "draft");
    wait_for("a broker has no connection, or a forgotten one", || proxy.has_idle_broker(FORGOTTEN).then_some(()));
    let slowest = send_changes(&bridge, "in-review");
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#), 60.0);
    assert_eq!(failovers(), before);
    let outages = bridge.outages();
    assert!(outages.is_empty(), "a connection closed because it was idle is not an outage: {outages:?}");
}

#[test]
fn topics_with_two_required_replicas_are_durable() {
    let proxy = KAFKA.take_fault_proxy();
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &proxy.bootstrap())]);
    wait_for("the durability is known", || (bridge.metric("trusthub_topic_durability_known") == 1.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_topic_durable"), 1.0);
    let outages = bridge.lines(OUTAGE);
    assert!(outages.is_empty(), "a topic that one broker does not know yet is not an outage: {outages:?}");
}

#[test]
fn unreported_topic_setting_is_unknown_and_not_an_alert() {
    let proxy = KAFKA.take_fault_proxy();
    proxy.set(Fault::Garble("min.insync.replicas"));
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &proxy.bootstrap())]);
    let line = wait_for("the topic was checked", || {
        let mut lines = bridge.log().into_iter();
        lines.find(|line| line.contains("the loss of one broker can lose acknowledged events"))
    });
    assert!(line.contains("it is unknown whether") && line.contains(r#""level":"INFO""#), "{line}");
    assert_eq!(bridge.metric("trusthub_topic_durability_known"), 0.0);
    bridge.wait_until_kafka_is_up();
}
