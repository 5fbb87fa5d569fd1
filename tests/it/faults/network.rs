//! The network between the program and its broker breaks in every way that a proxy can imitate.

use std::time::Duration;

use super::{SOME, one_broker, publishing_to, recover, spooled};
use crate::support::{Load, kafka::Door, proxy::Fault};

/// Long enough for every time-out of the client to fire.
const FAULT: Duration = Duration::from_secs(4);

#[test]
fn connections_that_are_cut_cost_no_callback_and_no_order() {
    under_lasting(Fault::Cut);
}

#[test]
fn a_latency_of_two_seconds_costs_no_callback_and_no_order() {
    under_lasting(Fault::Delay(Duration::from_secs(2)));
}

#[test]
fn a_line_of_one_kilobyte_a_second_costs_no_callback_and_no_order() {
    under_lasting(Fault::Throttle(1000));
}

#[test]
fn requests_that_are_reset_half_way_cost_no_callback_and_no_order() {
    under_lasting(Fault::Reset);
}

#[test]
fn packets_that_vanish_for_some_seconds_cost_no_callback_and_no_order() {
    under_lasting(Fault::Swallow);
}

#[test]
fn a_network_that_flaps_every_second_costs_no_callback_and_no_order() {
    under(|door, load| {
        for fault in [Fault::Cut, Fault::Swallow, Fault::Reset, Fault::Cut, Fault::Swallow] {
            door.set(fault);
            load.goes_on_for(Duration::from_secs(1));
            door.set(Fault::None);
            load.goes_on_for(Duration::from_secs(1));
        }
    });
}

/// The network breaks so and stays so for a while.
fn under_lasting(fault: Fault) {
    under(|door, load| {
        door.set(fault);
        load.goes_on_for(FAULT);
    });
}

/// Everything is answered 204 while the network does this, some of it thanks to the spool, and comes to the topic.
fn under(network: impl FnOnce(&Door, &Load)) {
    let door = one_broker().take_door();
    let bridge = publishing_to(&door.bootstrap(), &[]);
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    network(&door, &load);
    assert!(spooled(&bridge) > 0.0, "nobody noticed");
    door.set(Fault::None);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, one_broker().direct()).answers(), [Some(204)].into());
}
