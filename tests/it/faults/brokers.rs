//! Three brokers with three copies of everything, of which two must have a record: they die, restart and pass the lead on.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{SOME, publishing_to, recover, spooled};
use crate::support::{
    Bridge, Load,
    kafka::{Cluster, Door},
    proxy::Fault,
};

const A_WHILE: Duration = Duration::from_secs(2);

/// One cluster for all tests here, one after the other.
pub(super) fn kafka() -> MutexGuard<'static, Cluster> {
    static KAFKA: LazyLock<Mutex<Cluster>> = LazyLock::new(|| Mutex::new(Cluster::start("three", 3, 6)));
    let mut kafka = KAFKA.lock().unwrap_or_else(PoisonError::into_inner);
    // After a failed test some may be away.
    kafka.bring_back();
    kafka
}

#[test]
fn one_of_three_brokers_that_is_killed_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        kafka.kill(kafka.leader(&bridge.topic));
        load.goes_on_for(A_WHILE);
        recover(load, bridge);
        kafka.bring_back();
    });
}

#[test]
fn all_brokers_killed_at_once_cost_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        (0..kafka.size()).for_each(|broker| kafka.kill(broker));
        load.goes_on_for(A_WHILE);
        assert!(spooled(bridge) > 0.0);
        kafka.bring_back();
    });
}

#[test]
fn brokers_that_restart_one_after_the_other_cost_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        for broker in 0..kafka.size() {
            kafka.stop(broker);
            load.wait_for_answers(SOME);
            kafka.bring_back();
            kafka.wait_until_in_sync(&bridge.topic);
        }
    });
}

#[test]
fn a_lead_that_moves_away_and_back_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        let leader = kafka.leader(&bridge.topic);
        kafka.stop(leader);
        load.goes_on_while(|| kafka.leader(&bridge.topic) == leader);
        kafka.bring_back();
        load.goes_on_while(|| kafka.leader(&bridge.topic) != leader);
    });
}

#[test]
fn a_leader_that_the_program_alone_cannot_reach_costs_no_callback_and_no_order() {
    under(|kafka, door, bridge, load| {
        let leader = kafka.leader(&bridge.topic);
        for fault in [Fault::Cut, Fault::Swallow] {
            door.set_one(leader, fault);
            load.goes_on_for(A_WHILE);
            assert!(spooled(bridge) > 0.0);
            door.set(Fault::None);
        }
    });
}

/// Everything is answered 204 meanwhile, and comes to the topic.
fn under(fault: impl FnOnce(&mut Cluster, &Door, &Bridge, &Load)) {
    let mut kafka = kafka();
    let door = kafka.take_door();
    let bridge = publishing_to(&door.bootstrap(), &[("KAFKA_TOPIC_REPLICATION", "3")]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    fault(&mut kafka, &door, &bridge, &load);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, kafka.direct()).answers(), [Some(204)].into());
}
