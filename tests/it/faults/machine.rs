//! Faults of the program's machine: its disk, its clock, its CPU time.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use test_support::{
    Bridge, Load, TIMEOUT,
    kafka::broker,
    machine::{DiskError, Machine},
};

use super::{SOME, publishing_to, recover, spooled};

const HOUR: i64 = 3600;
/// No process listens on this address.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn program_that_is_suspended_for_seconds_loses_nothing() {
    let bridge = publishing_to(broker().bootstrap(), &[]);
    let load = Load::start(bridge.public);
    for _ in 0..2 {
        load.wait_for_answers(SOME);
        bridge.signal("STOP");
        // Longer than the acknowledgement timeout. Nothing can be observed meanwhile.
        thread::sleep(Duration::from_secs(3));
        bridge.signal("CONT");
    }
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, broker()).answers(), [Some(204)].into());
}

#[test]
fn full_disk_is_answered_503_and_loses_nothing() {
    loses_nothing_while_the_disk_fails(|machine, fails| machine.fail_writes(fails.then_some(DiskError::Full)));
}

#[test]
fn read_only_disk_is_answered_503_and_loses_nothing() {
    loses_nothing_while_the_disk_fails(|machine, fails| machine.fail_writes(fails.then_some(DiskError::ReadOnly)));
}

#[test]
fn disk_with_failing_writes_is_answered_503_and_loses_nothing() {
    loses_nothing_while_the_disk_fails(|machine, fails| machine.fail_writes(fails.then_some(DiskError::Io)));
}

#[test]
fn disk_with_failing_syncs_is_answered_503_and_loses_nothing() {
    loses_nothing_while_the_disk_fails(|machine, fails| machine.fail_syncs(fails.then_some(DiskError::Io)));
}

/// The disk fails and recovers while Kafka is unreachable and without a restart; Kafka becomes reachable only after
/// that.
fn loses_nothing_while_the_disk_fails(set: impl Fn(&Machine, bool)) {
    let machine = Machine::new();
    let mut bridge = without_kafka(&machine);
    let load = Load::start(bridge.public);
    for _ in 0..2 {
        load.wait_for_answers(SOME);
        set(&machine, true);
        let rejected = || bridge.metric(r#"trusthub_callbacks_rejected_total{reason="unavailable"}"#);
        let before = rejected();
        load.run_while(|| rejected() == before);
        load.wait_for_answers(SOME);
        set(&machine, false);
        let kept = spooled(&bridge);
        load.run_while(|| spooled(&bridge) < kept + SOME as f64);
    }
    let recovered = Instant::now();
    load.wait_for_answers(SOME);
    restart_with_kafka(&mut bridge, &load);
    let ledger = load.settle(&bridge, broker());
    assert!(ledger.answers().is_superset(&[Some(204), Some(503)].into()), "{:?}", ledger.answers());
    assert!(!ledger.since(recovered).answers().contains(&Some(503)));
}

#[test]
fn disk_with_syncs_of_half_a_second_costs_no_callback() {
    let machine = Machine::new();
    machine.delay_syncs(Duration::from_millis(500));
    let mut bridge = without_kafka(&machine);
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    restart_with_kafka(&mut bridge, &load);
    let answers = load.settle(&bridge, broker()).answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
}

#[test]
fn clock_that_jumps_back_and_forth_costs_no_callback_and_no_order() {
    let machine = Machine::new();
    let mut bridge = without_kafka(&machine);
    let jumps = [-24 * HOUR, 0, HOUR / 2, -HOUR];
    // Before the first event, because the time of events does not go back.
    machine.set_clock(jumps[0]);
    let load = Load::start(bridge.public);
    for offset in jumps {
        machine.set_clock(offset);
        load.wait_for_answers(SOME);
    }
    restart_with_kafka(&mut bridge, &load);
    for offset in jumps {
        machine.set_clock(offset);
        load.wait_for_answers(SOME);
    }
    load.settle(&bridge, broker());
    let records = broker().wait_for_records(&bridge.topic, 0, TIMEOUT);
    let hours: BTreeSet<_> = records.iter().map(|record| record.timestamp_ms / 1000 / HOUR).collect();
    assert!(hours.len() > 2, "the clock did not move");
}

/// Starts the program on this machine without Kafka, so that it spools callbacks.
fn without_kafka(machine: &Machine) -> Bridge {
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", NOWHERE), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
    bridge.wait_until_ready();
    bridge
}

/// Restarts the program with Kafka.
fn restart_with_kafka(bridge: &mut Bridge, load: &Load) {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(&[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())]);
    load.set_address(bridge.public);
    bridge.wait_until_kafka_is_up();
    load.wait_for_answers(SOME);
}

/// Brokers reject records dated more than an hour ahead of their own clock.
#[test]
fn clock_hours_ahead_costs_no_callback_and_makes_no_dead_letter() {
    let machine = Machine::new();
    let bridge = publishing_to(broker().bootstrap(), &machine.variables());
    let load = Load::start(bridge.public);
    load.wait_for_answers(SOME);
    machine.set_clock(3 * HOUR);
    load.wait_for_answers(SOME);
    machine.set_clock(0);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, broker()).answers(), [Some(204)].into());
}
