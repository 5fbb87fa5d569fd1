//! Name look-ups hang, as they do while a cluster's name server is restarted. librdkafka makes them on the threads of its
//! brokers, and a purge waits for these threads.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{SOME, brokers, one_broker, publishing_to, recover, spooled};
use crate::support::{
    Bridge, Load, Request,
    kafka::{Broker, broker},
    machine::Machine,
    names::NameServer,
    proxy::Fault,
};

/// How long a look-up hangs; longer than each test lets it.
const HANG: Duration = Duration::from_secs(30);
/// How long callbacks are answered meanwhile: several times as long as the program waits for Kafka.
const MEANWHILE: Duration = Duration::from_secs(6);
/// The second for which the program waits for Kafka, one in which it gives up, and as much again for a busy machine.
const LONGEST: Duration = Duration::from_secs(4);
/// What needs no Kafka, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn silent_name_server_at_the_start_delays_no_callback() {
    let names = NameServer::silent(broker().bootstrap());
    let bootstrap = names.bootstrap();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch_by(&names.wrapper(), &settings);
    names.wait_for_question();
    let load = Load::light_on(bridge.public);
    let outage = serves_in_outage(&bridge, &load);
    names.answer();
    settles(load, &bridge, broker(), outage);
}

#[test]
fn hanging_lookups_at_the_start_delay_no_callback() {
    let (machine, door) = (Machine::new(), one_broker().take_door());
    machine.hang_lookups(HANG);
    let bootstrap = door.bootstrap();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
    machine.wait_for_hanging_lookup();
    let load = Load::light_on(bridge.public);
    let outage = serves_in_outage(&bridge, &load);
    machine.hang_lookups(Duration::ZERO);
    settles(load, &bridge, one_broker().direct(), outage);
}

#[test]
fn broker_that_dies_while_lookups_hang_delays_no_callback() {
    let (machine, door) = (Machine::new(), one_broker().take_door());
    let bridge = publishing_to(&door.bootstrap(), &machine.variables());
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    machine.hang_lookups(HANG);
    door.set(Fault::Cut);
    machine.wait_for_hanging_lookup();
    let outage = serves_in_outage(&bridge, &load);
    door.set(Fault::None);
    machine.hang_lookups(Duration::ZERO);
    settles(load, &bridge, one_broker().direct(), outage);
}

/// The others still take records. What is taken back from the one must not be overtaken by what they take.
#[test]
fn one_of_three_brokers_whose_lookups_hang_delays_no_callback() {
    let kafka = brokers::kafka();
    let (machine, door) = (Machine::new(), kafka.take_door());
    let replicated = [("KAFKA_TOPIC_REPLICATION", "3")];
    let bridge = publishing_to(&door.bootstrap(), &[&replicated[..], &machine.variables()].concat());
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    let leader = kafka.leader(&bridge.topic);
    machine.hang_lookups_of(door.port(leader), HANG);
    door.set_one(leader, Fault::Cut);
    machine.wait_for_hanging_lookup();
    let outage = serves_in_outage(&bridge, &load);
    door.set(Fault::None);
    machine.hang_lookups(Duration::ZERO);
    settles(load, &bridge, kafka.direct(), outage);
}

/// For a while callbacks are answered, forged ones are refused at once, and probes succeed. Returns the time from when the
/// program knew that Kafka takes nothing.
fn serves_in_outage(bridge: &Bridge, load: &Load) -> Range<Instant> {
    let end = Instant::now() + MEANWHILE;
    let mut known = None;
    while Instant::now() < end {
        refuses_at_once(bridge);
        for probe in ["/readyz", "/livez"] {
            assert_eq!(bridge.ask_admin(probe).status, 200, "{probe}");
        }
        load.answers_within(LONGEST, 1);
        if spooled(bridge) > 0.0 {
            known.get_or_insert_with(Instant::now);
        }
    }
    known.expect("callbacks are spooled")..Instant::now()
}

fn refuses_at_once(bridge: &Bridge) {
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "a=b")).status, 403);
    let took = began.elapsed();
    assert!(took < AT_ONCE, "a forged callback waited for {took:?}");
}

fn slow_kafka_calls(bridge: &Bridge) -> f64 {
    let slow = bridge.series("trusthub_slow_operations_total");
    slow.iter().filter(|(series, _)| series.contains(r#"operation="kafka_"#)).map(|(_, count)| count).sum()
}

/// Look-ups are answered again: everything that was answered 204 is in its topic, in order. A metric has named the calls
/// that hung.
fn settles(load: Load, bridge: &Bridge, kafka: &Broker, outage: Range<Instant>) {
    recover(&load, bridge);
    let ledger = load.settle(bridge, kafka);
    assert_eq!(ledger.answers(), [Some(204)].into());
    let slowest = ledger.slowest_in(..);
    assert!(slowest < LONGEST, "a callback waited for {slowest:?}");
    let slowest = ledger.slowest_in(outage);
    assert!(slowest < AT_ONCE, "a callback waited for {slowest:?} for a Kafka that was known not to answer");
    assert!(slow_kafka_calls(bridge) > 0.0, "no metric names the call that hung");
}
