//! The machine of the program fails it: its disk, its clock, its time on the processor.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use super::{SOME, publishing_to, recover, spooled};
use crate::support::{
    Bridge, Load, PATIENCE,
    kafka::broker,
    machine::{Machine, RejectReason},
    wait_for,
};

const HOUR: i64 = 3600;
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn a_program_that_is_stopped_for_some_seconds_and_goes_on_loses_nothing() {
    let bridge = publishing_to(broker().bootstrap(), &[]);
    let load = Load::on(bridge.public);
    for _ in 0..2 {
        load.wait_for_answers(SOME);
        bridge.signal("STOP");
        // Longer than it waits for Kafka. Nothing can be observed meanwhile.
        thread::sleep(Duration::from_secs(3));
        bridge.signal("CONT");
    }
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, broker()).answers(), [Some(204)].into());
}

#[test]
fn a_disk_that_is_full_is_answered_503_and_nothing_is_lost_when_it_is_freed() {
    a_disk_fails_and_recovers(|machine, fails| machine.refuse_writes(fails.then_some(RejectReason::Full)));
}

#[test]
fn a_disk_that_is_read_only_for_a_while_is_answered_503_and_nothing_is_lost() {
    a_disk_fails_and_recovers(|machine, fails| machine.refuse_writes(fails.then_some(RejectReason::ReadOnly)));
}

#[test]
fn a_disk_that_cannot_write_for_a_while_is_answered_503_and_nothing_is_lost() {
    a_disk_fails_and_recovers(|machine, fails| machine.refuse_writes(fails.then_some(RejectReason::Broken)));
}

#[test]
fn a_disk_that_cannot_sync_for_a_while_is_answered_503_and_nothing_is_lost() {
    a_disk_fails_and_recovers(|machine, fails| machine.refuse_syncs(fails.then_some(RejectReason::Broken)));
}

/// While Kafka is away, and without a restart; only then does Kafka come.
fn a_disk_fails_and_recovers(set: impl Fn(&Machine, bool)) {
    let machine = Machine::new();
    let mut bridge = without_kafka(&machine);
    let load = Load::on(bridge.public);
    for _ in 0..2 {
        load.wait_for_answers(SOME);
        set(&machine, true);
        let refused = || bridge.metric(r#"trusthub_callbacks_rejected_total{reason="unavailable"}"#);
        let before = refused();
        load.goes_on_while(|| refused() == before);
        load.wait_for_answers(SOME);
        set(&machine, false);
        let kept = spooled(&bridge);
        load.goes_on_while(|| spooled(&bridge) < kept + SOME as f64);
    }
    let recovered = Instant::now();
    load.wait_for_answers(SOME);
    kafka_comes(&mut bridge, &load);
    let ledger = load.settle(&bridge, broker());
    assert!(ledger.answers().is_superset(&[Some(204), Some(503)].into()), "{:?}", ledger.answers());
    assert!(!ledger.since(recovered).answers().contains(&Some(503)));
}

#[test]
fn a_disk_that_takes_half_a_second_for_each_sync_costs_no_callback() {
    let machine = Machine::new();
    machine.delay_syncs(Duration::from_millis(500));
    let mut bridge = without_kafka(&machine);
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    kafka_comes(&mut bridge, &load);
    let answers = load.settle(&bridge, broker()).answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
}

#[test]
fn a_clock_that_is_set_back_and_forth_costs_no_callback_and_no_order() {
    let machine = Machine::new();
    let mut bridge = without_kafka(&machine);
    let load = Load::on(bridge.public);
    let jumps = [-24 * HOUR, 0, HOUR / 2, -HOUR];
    for offset in jumps {
        machine.set_clock(offset);
        load.wait_for_answers(SOME);
    }
    kafka_comes(&mut bridge, &load);
    for offset in jumps {
        machine.set_clock(offset);
        load.wait_for_answers(SOME);
    }
    load.settle(&bridge, broker());
    let records = broker().wait_for_records(&bridge.topic, 0, PATIENCE);
    let hours: BTreeSet<_> = records.iter().map(|record| record.timestamp_ms / 1000 / HOUR).collect();
    assert!(hours.len() > 2, "the clock did not move");
}

/// The program on this machine, taking callbacks into the spool.
fn without_kafka(machine: &Machine) -> Bridge {
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", NOWHERE), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
    bridge.wait_until_ready();
    bridge
}

/// The program starts anew, with Kafka.
fn kafka_comes(bridge: &mut Bridge, load: &Load) {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(&[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())]);
    load.aim_at(bridge.public);
    wait_for("Kafka is up", || (bridge.metric("trusthub_kafka_up") == 1.0).then_some(()));
    load.wait_for_answers(SOME);
}

/// Brokers refuse what is dated more than an hour ahead of their own clock.
#[test]
fn a_clock_that_runs_hours_ahead_costs_no_callback_and_makes_no_dead_letter() {
    let machine = Machine::new();
    let bridge = publishing_to(broker().bootstrap(), &machine.variables());
    let load = Load::on(bridge.public);
    load.wait_for_answers(SOME);
    machine.set_clock(3 * HOUR);
    load.wait_for_answers(SOME);
    machine.set_clock(0);
    recover(&load, &bridge);
    assert_eq!(load.settle(&bridge, broker()).answers(), [Some(204)].into());
}
