//! Kafka goes and comes back, and nobody who calls notices.

use std::time::{Duration, Instant};

use super::{SOME, publishing_to, settings, settle_with_204_only, spooled};
use crate::support::{
    Bridge, Load, PATIENCE,
    kafka::{Broker, SHORT_SESSION, broker},
    wait_for,
};

/// A moment, and long enough for every time-out of the client to fire.
const OUTAGES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

#[test]
fn a_kafka_that_is_shut_down_for_one_second_and_for_ten_costs_no_callback_and_no_order() {
    kafka_goes_and_comes_back(Broker::start("stopped", &[]), Broker::stop, Broker::start_again);
}

#[test]
fn a_kafka_that_is_killed_for_one_second_and_for_ten_costs_no_callback_and_no_order() {
    kafka_goes_and_comes_back(Broker::start("killed", &SHORT_SESSION), Broker::kill, Broker::start_again);
}

/// What it had received before it writes afterwards, although it is in the spool by then: repeats.
#[test]
fn a_kafka_that_hangs_for_one_second_and_for_ten_costs_no_callback_and_no_order() {
    kafka_goes_and_comes_back(Broker::start("hanging", &[]), Broker::pause, Broker::resume);
}

/// The second outage begins while the program still drains what it kept in the first.
fn kafka_goes_and_comes_back(mut kafka: Broker, go: fn(&mut Broker), come_back: fn(&mut Broker)) {
    let bridge = publishing_to(&kafka);
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    for outage in OUTAGES {
        let drained = bridge.metric("trusthub_spool_drained_total");
        go(&mut kafka);
        load.goes_on_for(outage);
        assert!(spooled(&bridge) > 0.0);
        come_back(&mut kafka);
        load.goes_on_while(|| bridge.metric("trusthub_spool_drained_total") == drained);
    }
    load.wait_for_answers(SOME);
    settle_with_204_only(load, &bridge, &kafka);
}

#[test]
fn a_kafka_that_was_never_there_gets_everything_when_it_comes() {
    let mut kafka = Broker::not_started("late");
    let bridge = Bridge::launch(&settings(kafka.bootstrap()));
    bridge.wait_until_ready();
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    kafka.start_again();
    load.goes_on_while(|| bridge.metric("trusthub_kafka_up") == 0.0);
    load.wait_for_answers(SOME);
    settle_with_204_only(load, &bridge, &kafka);
}

/// What was in the topic is gone with it. But of what is sent after the deletion nothing is missing, although there is no
/// topic at first.
#[test]
fn a_topic_that_is_deleted_is_made_again_and_gets_everything_that_comes_after() {
    let (kafka, topics) = (broker(), 2);
    let bridge = publishing_to(kafka);
    assert_eq!(bridge.lines("created the topic").len(), topics);
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    kafka.delete_topic(&bridge.topic);
    wait_for("the deletion is done", || {
        (!kafka.has_topic(&bridge.topic) || bridge.lines("created the topic").len() > topics).then_some(())
    });
    let deleted = Instant::now();
    load.goes_on_while(|| bridge.lines("created the topic").len() == topics);
    load.wait_for_answers(SOME);
    let ledger = load.stop();
    assert_eq!(ledger.answers(), [Some(204)].into());
    bridge.wait_until_drained();
    ledger.since(deleted).check(&kafka.wait_for_records(&bridge.topic, 0, PATIENCE));
    assert!(bridge.dead_letters(0).is_empty());
}
