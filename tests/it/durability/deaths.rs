//! The program ends under load, killed or told to stop, and the next one goes on where it was.

use std::thread;

use super::{SOME, publishing_to, settings, settle_with_204_or_nothing, spooled, without_kafka};
use crate::support::{
    Bridge, Load,
    kafka::{Broker, broker},
    wait_for,
};

const KILLS: usize = 5;

/// So many that the program can be caught five times while it drains them, one by one.
const MANY: usize = 2000;
const ONE_BY_ONE: (&str, &str) = ("KAFKA_PROPERTIES", "batch.num.messages=1");

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
    restart(&mut bridge, &load, Bridge::kill, &settings(broker().bootstrap()));
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
    for _ in 0..KILLS {
        restart(&mut bridge, &load, Bridge::kill, &draining());
        wait_until_it_drains(&bridge);
    }
    restart(&mut bridge, &load, Bridge::kill, &settings(broker().bootstrap()));
    load.wait_for_answers(SOME);
    settle_with_204_or_nothing(load, &bridge, broker());
}

#[test]
fn told_to_stop_without_kafka_while_it_drains_and_while_it_publishes_it_ends_well_and_loses_nothing() {
    let mut bridge = without_kafka(&[]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(MANY);
    restart(&mut bridge, &load, stop, &draining());
    wait_until_it_drains(&bridge);
    restart(&mut bridge, &load, stop, &settings(broker().bootstrap()));
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

/// The variables of a program with the shared Kafka that takes its time to drain.
fn draining() -> Vec<(&'static str, &'static str)> {
    [&settings(broker().bootstrap())[..], &[ONE_BY_ONE]].concat()
}

fn wait_until_it_drains(bridge: &Bridge) {
    wait_for("it drains", || (bridge.metric("trusthub_spool_drained_total") > 0.0).then_some(()));
    assert!(spooled(bridge) > 0.0, "drained too fast to be caught");
}
