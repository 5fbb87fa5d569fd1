//! Faults of the network, of brokers, of the machine and of its clock: what was answered 204 is in Kafka in the end, in
//! the order of receipt. Each test puts a load on the program, makes a fault, and reads the whole topic back.

mod brokers;
mod dead_letters;
mod machine;
mod network;
mod resolver;
mod timestamps;

use std::sync::LazyLock;

use crate::support::{Bridge, Load, kafka::Cluster};

/// Enough callbacks for every caller to have had several answers.
const SOME: usize = 100;

/// One broker for all tests that break only the way to it, with proxies of its own for each.
pub(crate) fn one_broker() -> &'static Cluster {
    static KAFKA: LazyLock<Cluster> = LazyLock::new(|| Cluster::start("network", 1, 14));
    &KAFKA
}

/// A program that gives up on this Kafka after a second, publishing, with these variables besides.
fn publishing_to(bootstrap: &str, variables: &[(&str, &str)]) -> Bridge {
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings, variables].concat());
    bridge.wait_until_publishing();
    bridge
}

/// Lets the load go on until Kafka has everything again, and a little longer.
fn recover(load: &Load, bridge: &Bridge) {
    let away = || bridge.metric("trusthub_kafka_up") == 0.0 || bridge.metric("trusthub_spool_events") > 0.0;
    load.goes_on_while(away);
    load.wait_for_answers(SOME);
}

/// How many callbacks went to the spool.
fn spooled(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="spooled"}"#)
}
