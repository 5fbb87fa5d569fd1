//! The program ends under load, killed or told to stop, and the next one goes on where it was.

use std::thread;

use super::{
    SOME,
    commands::{HEADINGS, succeeded},
    publishing_to, settings, settle_with_204_or_nothing, spooled, without_kafka,
};
use crate::support::{
    Bridge, Load,
    kafka::{Broker, broker},
    wait_for,
};

const KILLS: usize = 5;

/// So many that the program can be caught while it drains them, if Kafka is given only a few at a time.
const MANY: usize = 2000;
const FEW_AT_A_TIME: (&str, &str) = ("KAFKA_PROPERTIES", "queue.buffering.max.messages=10");
const AS_MANY_AS_USUAL: (&str, &str) = ("KAFKA_PROPERTIES", "");

#[test]
fn killed_five_times_while_it_publishes_it_loses_nothing() {
    let mut bridge = publishing_to(broker());
    let load = Load::on(bridge.public);
    for _ in 0..KILLS {
        load.wait_for_answers(SOME);
        restart(&mut bridge, &load, Bridge::kill, &[]);
        bridge.wait_until_publishing();
    }
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn killed_five_times_while_kafka_is_away_it_loses_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::on(bridge.public);
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
fn killed_at_least_five_times_while_kafka_goes_and_comes_it_loses_nothing() {
    let mut kafka = Broker::start("flapping", &[]);
    let mut bridge = publishing_to(&kafka);
    let load = Load::on(bridge.public);
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
fn killed_five_times_while_it_drains_it_loses_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, Bridge::kill, &draining());
    for _ in 0..KILLS {
        wait_until_it_drains(&bridge);
        restart(&mut bridge, &load, kill_amid_the_drain, &[]);
    }
    restart(&mut bridge, &load, Bridge::kill, &with_kafka());
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn while_it_drains_it_goes_on_answering() {
    let mut bridge = without_kafka(&[]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, stop, &draining());
    wait_until_it_drains(&bridge);
    load.wait_for_answers(SOME);
    assert!(spooled(&bridge) > 0.0, "the answers came after the drain");
    restart(&mut bridge, &load, stop, &with_kafka());
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn told_to_stop_without_kafka_while_it_drains_and_while_it_publishes_it_ends_well_and_loses_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, stop, &draining());
    wait_until_it_drains(&bridge);
    restart(&mut bridge, &load, stop_amid_the_drain, &with_kafka());
    bridge.wait_until_publishing();
    load.wait_for_answers(SOME);
    restart(&mut bridge, &load, stop, &[]);
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

/// Ends the program in this way, starts the next one with these variables changed, and leads the load there.
fn restart(bridge: &mut Bridge, load: &Load, end: fn(&mut Bridge), variables: &[(&str, &str)]) {
    end(bridge);
    bridge.restart(variables);
    load.aim_at(bridge.public);
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

/// Otherwise the end came after the drain.
fn assert_something_is_left(bridge: &Bridge) {
    let rows = succeeded(&bridge.command(&["spool", "ls"])).lines().count() - HEADINGS;
    assert!(rows > 0, "nothing is left");
}

/// The variables of a program with the shared Kafka.
fn with_kafka() -> Vec<(&'static str, &'static str)> {
    [&settings(broker().bootstrap())[..], &[AS_MANY_AS_USUAL]].concat()
}

/// The same, when it is to take its time to drain.
fn draining() -> Vec<(&'static str, &'static str)> {
    [&settings(broker().bootstrap())[..], &[FEW_AT_A_TIME]].concat()
}

fn wait_until_it_drains(bridge: &Bridge) {
    wait_for("it drains", || (bridge.metric("trusthub_spool_drained_total") > 0.0).then_some(()));
}
