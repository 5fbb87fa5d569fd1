//! Three brokers with three replicas, two of which must acknowledge a record: they crash, restart and change leaders.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use test_support::{
    Bridge, Load,
    kafka::{Cluster, FaultProxy},
    proxy::Fault,
};

use super::{SOME, publishing_to, recover, spooled};

const A_WHILE: Duration = Duration::from_secs(2);

/// One cluster for all tests of this module, which use it one at a time.
pub(super) fn kafka() -> MutexGuard<'static, Cluster> {
    static KAFKA: LazyLock<Mutex<Cluster>> = LazyLock::new(|| Mutex::new(Cluster::start("three", 3, 6)));
    let mut kafka = KAFKA.lock().unwrap_or_else(PoisonError::into_inner);
    // A failed test may have left some stopped.
    kafka.start_stopped();
    kafka
}

#[test]
fn kill_of_one_of_three_brokers_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        kafka.kill(kafka.leader(&bridge.topic));
        load.run_for(A_WHILE);
        recover(load, bridge);
        kafka.start_stopped();
    });
}

#[test]
fn kill_of_all_brokers_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        (0..kafka.size()).for_each(|broker| kafka.kill(broker));
        load.run_for(A_WHILE);
        load.run_while(|| spooled(bridge) == 0.0);
        kafka.start_stopped();
    });
}

#[test]
fn rolling_restart_of_brokers_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        for broker in 0..kafka.size() {
            kafka.stop(broker);
            load.wait_for_answers(SOME);
            kafka.start_stopped();
            kafka.wait_until_in_sync(&bridge.topic);
        }
    });
}

#[test]
fn leader_that_moves_away_and_back_costs_no_callback_and_no_order() {
    under(|kafka, _, bridge, load| {
        let leader = kafka.leader(&bridge.topic);
        kafka.stop(leader);
        load.run_while(|| kafka.leader(&bridge.topic) == leader);
        kafka.start_stopped();
        load.run_while(|| kafka.leader(&bridge.topic) != leader);
    });
}

#[test]
fn leader_unreachable_for_the_program_costs_no_callback_and_no_order() {
    under(|kafka, proxy, bridge, load| {
        let leader = kafka.leader(&bridge.topic);
        for fault in [Fault::Cut, Fault::Swallow] {
            proxy.set_one(leader, fault);
            load.run_for(A_WHILE);
            load.run_while(|| spooled(bridge) == 0.0);
            proxy.set(Fault::None);
        }
    });
}

/// All callbacks are answered 204 during the fault and reach the topic.
fn under(fault: impl FnOnce(&mut Cluster, &FaultProxy, &Bridge, &Load)) {
    let mut kafka = kafka();
    let proxy = kafka.take_fault_proxy();
    let bridge = publishing_to(&proxy.bootstrap(), &[("KAFKA_TOPIC_REPLICATION", "3")]);
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    fault(&mut kafka, &proxy, &bridge, &load);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, kafka.direct()).answers(), [Some(204)].into());
}
