//! Name lookups hang, as they do while a cluster's name server restarts. librdkafka makes them on its broker threads,
//! and a purge waits for these threads.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use test_support::{
    Bridge, Load, Request, TIMEOUT,
    kafka::{Broker, broker},
    machine::Machine,
    name_server::NameServer,
    proxy::Fault,
};

use super::{SOME, brokers, one_broker, publishing_to, recover, spooled};

/// How long a lookup hangs; longer than each test runs with the fault.
const HANG: Duration = Duration::from_secs(60);
/// How long callbacks are answered during the fault: several times the acknowledgement timeout.
const FAULT: Duration = Duration::from_secs(6);
/// The acknowledgement timeout of one second, one second to fail over, and several times as much for a busy machine. Far
/// shorter than a lookup that hangs.
const WITH_FAILOVER: Duration = Duration::from_secs(12);
/// The longest wait for an answer that does not need Kafka, on a busy machine.
const WITHOUT_KAFKA: Duration = Duration::from_secs(8);

#[test]
fn silent_name_server_at_the_start_delays_no_callback() {
    let names = NameServer::silent(broker().bootstrap());
    let bootstrap = names.bootstrap();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch_by(&names.wrapper(), &settings);
    names.wait_for_question();
    let load = Load::start_light(bridge.public);
    let outage = assert_serves_in_outage(&bridge, &load);
    names.answer();
    assert_settled(load, &bridge, broker(), outage);
}

#[test]
fn hanging_lookups_at_the_start_delay_no_callback() {
    let (machine, proxy) = (Machine::new(), one_broker().take_fault_proxy());
    machine.hang_lookups(HANG);
    let bootstrap = proxy.bootstrap();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
    machine.wait_for_hanging_lookup();
    let load = Load::start_light(bridge.public);
    let outage = assert_serves_in_outage(&bridge, &load);
    machine.hang_lookups(Duration::ZERO);
    assert_settled(load, &bridge, one_broker().direct(), outage);
}

#[test]
fn broker_crash_while_lookups_hang_delays_no_callback() {
    let (machine, proxy) = (Machine::new(), one_broker().take_fault_proxy());
    let bridge = publishing_to(&proxy.bootstrap(), &machine.variables());
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    machine.hang_lookups(HANG);
    proxy.set(Fault::Cut);
    machine.wait_for_hanging_lookup();
    let outage = assert_serves_in_outage(&bridge, &load);
    proxy.set(Fault::None);
    machine.hang_lookups(Duration::ZERO);
    assert_settled(load, &bridge, one_broker().direct(), outage);
}

/// The other brokers still accept records. These must not overtake the records that the purge returns from the first.
#[test]
fn hanging_lookups_of_one_of_three_brokers_delay_no_callback() {
    let kafka = brokers::kafka();
    let (machine, proxy) = (Machine::new(), kafka.take_fault_proxy());
    let replicated = [("KAFKA_TOPIC_REPLICATION", "3")];
    let bridge = publishing_to(&proxy.bootstrap(), &[&replicated[..], &machine.variables()].concat());
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    let leader = kafka.leader(&bridge.topic);
    machine.hang_lookups_of(proxy.port(leader), HANG);
    proxy.set_one(leader, Fault::Cut);
    machine.wait_for_hanging_lookup();
    let outage = assert_serves_in_outage(&bridge, &load);
    proxy.set(Fault::None);
    machine.hang_lookups(Duration::ZERO);
    assert_settled(load, &bridge, kafka.direct(), outage);
}

/// For a while callbacks are answered, forged ones are rejected immediately, and probes succeed. Returns the period from
/// when the program knew that Kafka is unreachable.
fn assert_serves_in_outage(bridge: &Bridge, load: &Load) -> Range<Instant> {
    let (end, deadline) = (Instant::now() + FAULT, Instant::now() + TIMEOUT);
    let mut known = None;
    while Instant::now() < end || known.is_none() {
        assert!(Instant::now() < deadline, "no callback is spooled");
        rejects_at_once(bridge);
        for probe in ["/readyz", "/livez"] {
            assert_eq!(bridge.ask_admin(probe).status, 200, "{probe}");
        }
        load.wait_for_answers_within(WITH_FAILOVER, 1);
        if spooled(bridge) > 0.0 {
            known.get_or_insert_with(Instant::now);
        }
    }
    known.expect("it is known that Kafka is unreachable")..Instant::now()
}

fn rejects_at_once(bridge: &Bridge) {
    let began = Instant::now();
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "a=b")).status, 403);
    let took = began.elapsed();
    assert!(took < WITHOUT_KAFKA, "a forged callback waited for {took:?}");
}

fn slow_kafka_calls(bridge: &Bridge) -> f64 {
    let slow = bridge.series("trusthub_slow_operations_total");
    slow.iter().filter(|(series, _)| series.contains(r#"operation="kafka_"#)).map(|(_, count)| count).sum()
}

/// Lookups are answered again: every callback that was answered 204 is in its topic, in order. A metric has counted
/// the calls that hung.
fn assert_settled(load: Load, bridge: &Bridge, kafka: &Broker, outage: Range<Instant>) {
    recover(&load, bridge);
    let ledger = load.settle(bridge, kafka);
    assert_eq!(ledger.answers(), [Some(204)].into());
    let slowest = ledger.slowest_in(..);
    assert!(slowest < WITH_FAILOVER, "a callback waited for {slowest:?}");
    let slowest = ledger.slowest_in(outage);
    assert!(slowest < WITHOUT_KAFKA, "a callback waited for {slowest:?} for a Kafka known to be unreachable");
    assert!(slow_kafka_calls(bridge) > 0.0, "no metric counts the hanging call");
}
