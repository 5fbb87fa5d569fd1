//! Kafka stops and starts again, and no caller notices.

use std::time::{Duration, Instant};

use test_support::{
    Bridge, Load, TIMEOUT,
    kafka::{Broker, SHORT_SESSION, broker},
};

use super::{SOME, publishing_to, settings, settle_with_204_only, spooled};

/// A short one, and one long enough for every timeout of the client to expire.
const OUTAGES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

#[test]
fn kafka_shutdowns_of_1_and_10_seconds_cost_no_callback_and_no_order() {
    survives_outages(Broker::start("stopped", &[]), Broker::stop, Broker::start_again);
}

#[test]
fn kafka_kills_of_1_and_10_seconds_cost_no_callback_and_no_order() {
    survives_outages(Broker::start("killed", &SHORT_SESSION), Broker::kill, Broker::start_again);
}

/// After the pause the broker writes the records that it had received, although they are spooled by then: repeats.
#[test]
fn kafka_pauses_of_1_and_10_seconds_cost_no_callback_and_no_order() {
    survives_outages(Broker::start("hanging", &[]), Broker::pause, Broker::resume);
}

/// The second outage begins while the program still drains the records of the first.
fn survives_outages(mut kafka: Broker, begin: fn(&mut Broker), end: fn(&mut Broker)) {
    let bridge = publishing_to(&kafka);
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    for outage in OUTAGES {
        let drained = bridge.metric("trusthub_spool_drained_total");
        begin(&mut kafka);
        load.run_for(outage);
        load.run_while(|| spooled(&bridge) == 0.0);
        end(&mut kafka);
        load.run_while(|| bridge.metric("trusthub_spool_drained_total") == drained);
    }
    load.wait_for_answers(SOME);
    settle_with_204_only(load, &bridge, &kafka);
}

#[test]
fn kafka_that_starts_late_gets_every_event() {
    let mut kafka = Broker::not_started("late");
    let bridge = Bridge::launch(&settings(kafka.bootstrap()));
    bridge.wait_until_ready();
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    kafka.start_again();
    load.run_while(|| bridge.metric("trusthub_kafka_up") == 0.0);
    load.wait_for_answers(SOME);
    settle_with_204_only(load, &bridge, &kafka);
}

/// The records in the topic are lost with it. But no callback that is sent after the deletion is missing, although the
/// topic does not exist at first.
#[test]
fn deleted_topic_is_created_again_and_gets_every_later_event() {
    let kafka = broker();
    let bridge = publishing_to(kafka);
    bridge.wait_for_log("reached Kafka");
    let created = bridge.creations_of(&bridge.topic);
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    kafka.delete_topic(&bridge.topic);
    bridge.wait_until_deleted(&bridge.topic, created);
    let deleted = Instant::now();
    load.run_while(|| !kafka.has_topic(&bridge.topic));
    load.wait_for_answers(SOME);
    let ledger = load.stop();
    assert_eq!(ledger.answers(), [Some(204)].into());
    bridge.wait_until_drained();
    ledger.since(deleted).check(&kafka.wait_for_records(&bridge.topic, 0, TIMEOUT));
    assert!(bridge.dead_letters(0).is_empty());
}
