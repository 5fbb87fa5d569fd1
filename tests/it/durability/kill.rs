//! The program ends under load, by a kill or a regular stop, and the next process continues its work.

use std::thread;

use test_support::{
    Bridge, Load,
    kafka::{Broker, broker},
    wait_for,
};

use super::{
    SOME,
    commands::{HEADINGS, succeeded},
    publishing_to, settings, settle_with_204_or_nothing, spooled, without_kafka,
};

const KILLS: usize = 5;

/// Enough events to catch the program while it drains them, when librdkafka takes only a few at a time.
const MANY: usize = 2000;
const FEW_AT_A_TIME: (&str, &str) = ("KAFKA_PROPERTIES", "queue.buffering.max.messages=10;linger.ms=50");
const DEFAULT_QUEUE: (&str, &str) = ("KAFKA_PROPERTIES", "");

#[test]
fn five_kills_while_publishing_lose_nothing() {
    let mut bridge = publishing_to(broker());
    let load = Load::start(bridge.public);
    for _ in 0..KILLS {
        load.wait_for_answers(SOME);
        restart(&mut bridge, &load, Bridge::kill, &[]);
        bridge.wait_until_publishing();
    }
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn five_kills_while_kafka_is_unreachable_lose_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::start(bridge.public);
    for _ in 0..KILLS {
        load.wait_for_answers(SOME);
        restart(&mut bridge, &load, Bridge::kill, &[]);
    }
    load.wait_for_answers(SOME);
    restart(&mut bridge, &load, Bridge::kill, &with_kafka());
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn kills_while_kafka_restarts_repeatedly_lose_nothing() {
    let mut kafka = Broker::start("flapping", &[]);
    let mut bridge = publishing_to(&kafka);
    let load = Load::start(bridge.public);
    thread::scope(|scope| {
        let flapping = scope.spawn(|| {
            for _ in 0..3 {
                kafka.stop();
                kafka.start_again();
            }
        });
        let mut kills = 0;
        while kills < KILLS || !flapping.is_finished() {
            load.wait_for_answers(2 * SOME);
            restart(&mut bridge, &load, Bridge::kill, &[]);
            kills += 1;
        }
    });
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, &kafka);
}

#[test]
fn five_kills_while_draining_lose_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::start(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, Bridge::kill, &draining());
    for _ in 0..KILLS {
        wait_until_draining(&bridge);
        restart(&mut bridge, &load, kill_amid_the_drain, &[]);
    }
    restart(&mut bridge, &load, Bridge::kill, &with_kafka());
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn callbacks_are_answered_while_the_spool_drains() {
    let mut bridge = without_kafka(&[]);
    let load = Load::start(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, stop, &draining());
    wait_until_draining(&bridge);
    load.wait_for_answers(SOME);
    assert!(spooled(&bridge) > 0.0, "the answers arrived after the drain");
    restart(&mut bridge, &load, stop, &with_kafka());
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn regular_stops_in_every_delivery_state_lose_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::start(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, stop, &draining());
    wait_until_draining(&bridge);
    restart(&mut bridge, &load, stop_amid_the_drain, &with_kafka());
    bridge.wait_until_publishing();
    load.wait_for_answers(SOME);
    restart(&mut bridge, &load, stop, &[]);
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

/// Ends the program in this way, starts the next one with these variables changed, and redirects the load to it.
fn restart(bridge: &mut Bridge, load: &Load, end: fn(&mut Bridge), variables: &[(&str, &str)]) {
    end(bridge);
    bridge.restart(variables);
    load.set_address(bridge.public);
}

fn stop(bridge: &mut Bridge) {
    bridge.signal("TERM");
    let status = bridge.wait();
    assert!(status.success(), "{status}");
}

fn kill_amid_the_drain(bridge: &mut Bridge) {
    bridge.kill();
    assert_something_is_left(bridge);
}

fn stop_amid_the_drain(bridge: &mut Bridge) {
    stop(bridge);
    assert_something_is_left(bridge);
}

/// Fails when the program ended after the drain was complete.
fn assert_something_is_left(bridge: &Bridge) {
    let rows = succeeded(&bridge.command(&["spool", "ls"])).lines().count() - HEADINGS;
    assert!(rows > 0, "the spool was drained before the program ended");
}

/// The variables of a program with the shared Kafka.
fn with_kafka() -> Vec<(&'static str, &'static str)> {
    [&settings(broker().bootstrap())[..], &[DEFAULT_QUEUE]].concat()
}

/// The same with a slow drain.
fn draining() -> Vec<(&'static str, &'static str)> {
    [&settings(broker().bootstrap())[..], &[FEW_AT_A_TIME]].concat()
}

fn wait_until_draining(bridge: &Bridge) {
    wait_for("the spool is draining", || (bridge.metric("trusthub_spool_drained_total") > 0.0).then_some(()));
}
