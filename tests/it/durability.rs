//! Durability: every callback that was answered 204 reaches Kafka, in the order of receipt, whatever happens to Kafka
//! or to the program. Each test puts a load on the program, disturbs one of them, and reads the whole topic back.

mod commands;
mod damage;
mod kill;
mod limits;
mod outages;
mod sizes;
mod slow_disk;

use test_support::{Bridge, Load, kafka::Broker};

/// No process listens on this address.
const NOWHERE: &str = "127.0.0.1:1";

/// Enough callbacks for every caller to have several answers.
const SOME: usize = 100;

/// Settings with a shorter acknowledgement timeout than usual, to shorten the tests.
fn settings(bootstrap: &str) -> [(&str, &str); 2] {
    [("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "1000")]
}

/// Starts the program against this Kafka and waits until it publishes.
fn publishing_to(kafka: &Broker) -> Bridge {
    let bridge = Bridge::launch(&settings(kafka.bootstrap()));
    bridge.wait_until_publishing();
    bridge
}

/// Starts the program without Kafka and waits until it accepts callbacks.
fn without_kafka(variables: &[(&str, &str)]) -> Bridge {
    let bridge = Bridge::launch(&[&settings(NOWHERE), variables].concat());
    bridge.wait_until_ready();
    bridge
}

fn spooled(bridge: &Bridge) -> f64 {
    bridge.metric("trusthub_spool_events")
}

/// Settles a load whose answers must all be 204.
fn settle_with_204_only(load: Load, bridge: &Bridge, kafka: &Broker) {
    assert_eq!(load.settle(bridge, kafka).answers(), [Some(204)].into());
}

/// The same when the program ended under load: some callbacks may have no answer, but none another status.
fn settle_with_204_or_nothing(load: Load, bridge: &Bridge, kafka: &Broker) {
    let answers = load.settle(bridge, kafka).answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
}
