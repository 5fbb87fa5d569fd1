//! Network faults between the program and its broker, of every kind that a proxy can imitate.

use std::time::Duration;

use test_support::{Load, kafka::FaultProxy, proxy::Fault};

use super::{SOME, one_broker, publishing_to, recover, spooled};

/// Long enough for every timeout of the client to expire.
const FAULT: Duration = Duration::from_secs(4);

#[test]
fn cut_connections_cost_no_callback_and_no_order() {
    under_lasting(Fault::Cut);
}

#[test]
fn latency_of_two_seconds_costs_no_callback_and_no_order() {
    under_lasting(Fault::Delay(Duration::from_secs(2)));
}

#[test]
fn bandwidth_of_one_kilobyte_per_second_costs_no_callback_and_no_order() {
    under_lasting(Fault::Throttle(1000));
}

#[test]
fn requests_reset_half_way_cost_no_callback_and_no_order() {
    under_lasting(Fault::Reset);
}

#[test]
fn packets_that_vanish_for_seconds_cost_no_callback_and_no_order() {
    under_lasting(Fault::Swallow);
}

#[test]
fn network_that_flaps_every_second_costs_no_callback_and_no_order() {
    under(|proxy, load| {
        for fault in [Fault::Cut, Fault::Swallow, Fault::Reset, Fault::Cut, Fault::Swallow] {
            proxy.set(fault);
            load.run_for(Duration::from_secs(1));
            proxy.set(Fault::None);
            load.run_for(Duration::from_secs(1));
        }
    });
}

/// Holds this fault for a while.
fn under_lasting(fault: Fault) {
    under(|proxy, load| {
        proxy.set(fault);
        load.run_for(FAULT);
    });
}

/// All callbacks are answered 204 during the fault, some of them through the spool, and reach the topic.
fn under(network: impl FnOnce(&FaultProxy, &Load)) {
    let proxy = one_broker().take_fault_proxy();
    let bridge = publishing_to(&proxy.bootstrap(), &[]);
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    network(&proxy, &load);
    // A fault that lasts has an effect.
    load.run_while(|| spooled(&bridge) == 0.0);
    proxy.set(Fault::None);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, one_broker().direct()).answers(), [Some(204)].into());
}
