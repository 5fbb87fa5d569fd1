//! Faults of the network, of brokers, of the machine and of its clock: every callback that was answered 204 reaches
//! Kafka, in the order of receipt. Each test puts a load on the program, injects a fault, and reads the whole topic
//! back.

mod brokers;
mod dead_letters;
mod in_flight;
mod machine;
mod network;
mod resolver;
mod timestamps;

use std::sync::LazyLock;

use test_support::{Bridge, Load, kafka::Cluster};

/// Enough callbacks for every caller to have several answers.
const SOME: usize = 100;

/// One broker for all tests that break only the network to it, with a fault proxy for each.
pub(crate) fn one_broker() -> &'static Cluster {
    static KAFKA: LazyLock<Cluster> = LazyLock::new(|| Cluster::start("network", 1, 23));
    &KAFKA
}

/// Starts a program that gives up on this Kafka after a second, with these variables, and waits until it publishes.
fn publishing_to(bootstrap: &str, variables: &[(&str, &str)]) -> Bridge {
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings, variables].concat());
    bridge.wait_until_publishing();
    bridge
}

/// Waits under load until Kafka has all spooled records, and for some more callbacks.
fn recover(load: &Load, bridge: &Bridge) {
    let failing = || bridge.metric("trusthub_kafka_up") == 0.0 || bridge.metric("trusthub_spool_events") > 0.0;
    load.run_while(failing);
    load.wait_for_answers(SOME);
}

/// The number of callbacks that were spooled.
fn spooled(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="spooled"}"#)
}
