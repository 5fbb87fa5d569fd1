//! Durability: what was answered 204 is in Kafka in the end, in the order of receipt, whatever happens to Kafka or to the
//! program. Each test puts a load on the program, does something to one of them, and reads the whole topic back.

mod commands;
mod damage;
mod deaths;
mod limits;
mod outages;
mod sizes;
mod slow_disk;

use crate::support::{Bridge, Load, kafka::Broker};

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// Enough callbacks for every caller to have had several answers.
const SOME: usize = 100;

/// Settings of a program that gives up on Kafka sooner than usual, so that the tests are shorter.
fn settings(bootstrap: &str) -> [(&str, &str); 2] {
    [("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "1000")]
}

/// The program in front of this Kafka, publishing.
fn publishing_to(kafka: &Broker) -> Bridge {
    let bridge = Bridge::launch(&settings(kafka.bootstrap()));
    bridge.wait_until_publishing();
    bridge
}

/// The program without Kafka, taking callbacks.
fn without_kafka(variables: &[(&str, &str)]) -> Bridge {
    let bridge = Bridge::launch(&[&settings(NOWHERE), variables].concat());
    bridge.wait_until_ready();
    bridge
}

fn spooled(bridge: &Bridge) -> f64 {
    bridge.metric("trusthub_spool_events")
}

/// Settles a load of which nothing but 204 may have been answered.
fn settle_with_204_only(load: Load, bridge: &Bridge, kafka: &Broker) {
    assert_eq!(load.settle(bridge, kafka).answers(), [Some(204)].into());
}

/// The same, when the program ended under load: some callbacks had no answer, but none a bad one.
fn settle_with_204_or_nothing(load: Load, bridge: &Bridge, kafka: &Broker) {
    let answers = load.settle(bridge, kafka).answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
}
