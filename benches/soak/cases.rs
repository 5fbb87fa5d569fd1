//! The soak cases. Each injects one fault, or several of a kind.

use std::time::Duration;

use test_support::{Bridge, machine::DiskError, proxy::Fault};

use crate::{
    fixture::{COMPRESSION, SoakFixture, kill, stop, stop_in_time},
    hostile_clients::{self, HostileClients},
    random,
};

/// The case that runs when none is named.
pub(crate) const RANDOM: &str = "random";

/// A named case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Whether the case runs only when its full name is given.
    pub(crate) is_long: bool,
    pub(crate) play: fn(&mut SoakFixture),
}

const fn case(name: &'static str, play: fn(&mut SoakFixture)) -> Case {
    Case { name, is_long: false, play }
}

pub(crate) const CASES: &[Case] = &[
    case("outages: all three brokers killed for 1 s", |soak| kill_all_brokers_for(soak, 1)),
    case("outages: all three brokers killed for 10 s", |soak| kill_all_brokers_for(soak, 10)),
    case("outages: all three brokers killed for 60 s", |soak| kill_all_brokers_for(soak, 60)),
    Case { name: "ten-minutes", is_long: true, play: |soak| kill_all_brokers_for(soak, 600) },
    case("outages: one of three killed for 10 s, each in turn", |soak| {
        one_broker_after_the_other(soak, |soak, broker| soak.kafka.kill(broker))
    }),
    case("outages: rolling restart, twice", rolling_restart),
    case("kills: 25 kill -9 while publishing", |soak| restarts(soak, 25, kill, |_, _| {})),
    case("kills: 25 kill -9 while Kafka is unreachable", |soak| {
        restarts(soak, 25, kill, |soak, _| soak.proxy.set(Fault::Cut))
    }),
    case("kills: 25 kill -9 while Kafka flaps", |soak| restarts(soak, 25, kill, flap)),
    case("kills: 25 kill -9 while the spool drains", |soak| restarts_while_draining(soak, 25, kill)),
    case("kills: 20 SIGTERM while publishing", |soak| restarts(soak, 20, stop, |_, _| {})),
    case("kills: 15 SIGTERM while Kafka flaps", |soak| restarts(soak, 15, stop, flap)),
    case("kills: 15 SIGTERM while the spool drains", |soak| restarts_while_draining(soak, 15, stop)),
    case("network: cut for 20 s", |soak| network(soak, Fault::Cut, 20)),
    case("network: 2 s latency each way for 30 s", |soak| network(soak, Fault::Delay(Duration::from_secs(2)), 30)),
    case("network: 1 kB/s for 30 s", |soak| network(soak, Fault::Throttle(1000), 30)),
    case("network: requests reset halfway for 30 s", |soak| network(soak, Fault::Reset, 30)),
    case("network: half-open for 30 s", |soak| network(soak, Fault::Swallow, 30)),
    case("network: flapping every second for 5 min", flapping),
    case("suspension: SIGSTOP for 20 s", suspended),
    case("disk: full and freed, twice", |soak| disk(soak, DiskError::Full)),
    case("disk: read-only and back, twice", |soak| disk(soak, DiskError::ReadOnly)),
    case("disk: writes fail, twice", |soak| disk(soak, DiskError::Io)),
    case("disk: syncs fail, twice", failing_syncs),
    case("disk: 500 ms for each sync, Kafka unreachable for 20 s", slow_disk),
    case("clock: back a day, ahead half an hour", clock),
    case("lookups: all hang for 60 s, all three brokers killed", hanging_lookups),
    case("lookups: those of one broker hang, 2 s each, for 60 s", hanging_lookups_of_one),
    case("lookups: all hang, 10 SIGTERM", stops_while_lookups_hang),
    case("log: not read for 20 s, 2,000 forged callbacks", unread_log),
    case("limits: records grow too old for their topic, five times", records_too_old),
    case("floods: 512 more callers that never pause, for 60 s", |soak| {
        soak.flood(512, Duration::ZERO, seconds(60));
        assert_back_to_normal(soak);
    }),
    case("floods: 4 times the capacity, for 60 s", four_times_the_capacity),
    case("floods: idle connections, 60 s", |soak| with_hostile_clients(soak, hostile_clients::idle)),
    case("floods: slow bodies, 60 s", |soak| with_hostile_clients(soak, hostile_clients::slow_body)),
    case("floods: huge heads, 60 s", |soak| with_hostile_clients(soak, hostile_clients::huge_head)),
    case("floods: endless chunks, resets, half-closed, smuggling, 60 s", |soak| {
        with_hostile_clients(soak, hostile_clients::hostile)
    }),
    case(RANDOM, random::play),
];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Kills the brokers, because without a quorum a broker waits for minutes before it shuts down cleanly.
fn kill_all_brokers_for(soak: &mut SoakFixture, time: u64) {
    (0..soak.kafka.size()).for_each(|broker| soak.kafka.kill(broker));
    soak.wait(seconds(time));
}

fn one_broker_after_the_other(soak: &mut SoakFixture, end: fn(&mut SoakFixture, usize)) {
    for broker in 0..soak.kafka.size() {
        end(soak, broker);
        soak.wait(seconds(10));
        soak.recover();
        soak.kafka.wait_until_in_sync(&soak.bridge.topic);
    }
}

fn rolling_restart(soak: &mut SoakFixture) {
    for _ in 0..2 {
        one_broker_after_the_other(soak, |soak, broker| soak.kafka.stop(broker));
    }
}

/// Ends and restarts the program repeatedly, each time at a random moment after `before`.
fn restarts(soak: &mut SoakFixture, times: usize, end: fn(&mut Bridge), before: fn(&mut SoakFixture, usize)) {
    for time in 0..times {
        before(soak, time);
        let moment = soak.random.below(1500);
        soak.wait(Duration::from_millis(moment));
        soak.restart(end, &[]);
    }
}

fn flap(soak: &mut SoakFixture, time: usize) {
    soak.proxy.set(if time.is_multiple_of(2) { Fault::Cut } else { Fault::None });
}

/// Ends the program while it drains: each time, an outage fills the spool first.
fn restarts_while_draining(soak: &mut SoakFixture, times: usize, end: fn(&mut Bridge)) {
    let one_by_one = [("KAFKA_PROPERTIES", "compression.type=lz4;batch.num.messages=1")];
    for _ in 0..times {
        soak.proxy.set(Fault::Cut);
        soak.wait(seconds(3));
        soak.proxy.set(Fault::None);
        soak.restart(end, &one_by_one);
        let moment = soak.random.below(1500);
        soak.wait(Duration::from_millis(moment));
        soak.restart(end, &one_by_one);
    }
    soak.restart(end, &[("KAFKA_PROPERTIES", COMPRESSION)]);
}

fn network(soak: &mut SoakFixture, fault: Fault, time: u64) {
    soak.proxy.set(fault);
    soak.wait(seconds(time));
}

fn flapping(soak: &mut SoakFixture) {
    for _ in 0..150 {
        let fault = soak.random.pick(&[Fault::Cut, Fault::Reset, Fault::Swallow]);
        soak.proxy.set(fault);
        soak.wait(seconds(1));
        soak.proxy.set(Fault::None);
        soak.wait(seconds(1));
    }
}

fn suspended(soak: &mut SoakFixture) {
    soak.patience += seconds(20);
    soak.bridge.signal("STOP");
    std::thread::sleep(seconds(20));
    soak.bridge.signal("CONT");
}

fn disk(soak: &mut SoakFixture, refusal: DiskError) {
    soak.proxy.set(Fault::Cut);
    for _ in 0..2 {
        soak.wait(seconds(5));
        soak.machine.fail_writes(Some(refusal));
        soak.wait(seconds(5));
        soak.machine.fail_writes(None);
    }
    soak.wait(seconds(5));
}

fn failing_syncs(soak: &mut SoakFixture) {
    soak.proxy.set(Fault::Cut);
    for _ in 0..2 {
        soak.wait(seconds(5));
        soak.machine.fail_syncs(Some(DiskError::Io));
        soak.wait(seconds(5));
        soak.machine.fail_syncs(None);
    }
    soak.wait(seconds(5));
}

fn slow_disk(soak: &mut SoakFixture) {
    soak.machine.delay_syncs(Duration::from_millis(500));
    soak.proxy.set(Fault::Cut);
    soak.wait(seconds(20));
    soak.recover();
    soak.machine.delay_syncs(Duration::ZERO);
}

fn clock(soak: &mut SoakFixture) {
    for hours in [-48, 1, -2, 0] {
        soak.machine.set_clock(hours * 1800);
        soak.wait(seconds(5));
        soak.proxy.set(Fault::Cut);
        soak.wait(seconds(5));
        soak.proxy.set(Fault::None);
        soak.wait(seconds(5));
    }
}

fn hanging_lookups(soak: &mut SoakFixture) {
    soak.machine.hang_lookups(seconds(30));
    kill_all_brokers_for(soak, 60);
    soak.recover_lookups();
}

/// Each lookup eventually fails, so purges return and new connection attempts begin, repeatedly.
fn hanging_lookups_of_one(soak: &mut SoakFixture) {
    let broker = soak.kafka.leader(&soak.bridge.topic);
    soak.machine.hang_lookups_of(soak.proxy.port(broker), seconds(2));
    soak.proxy.set_one(broker, Fault::Cut);
    soak.wait(seconds(60));
    soak.recover_lookups();
}

fn stops_while_lookups_hang(soak: &mut SoakFixture) {
    soak.machine.hang_lookups(seconds(30));
    soak.proxy.set(Fault::Cut);
    restarts(soak, 10, stop_in_time, |_, _| {});
    soak.recover_lookups();
}

fn unread_log(soak: &mut SoakFixture) {
    soak.hold_log_unread(2000, seconds(20));
}

/// Such records are published in order, with the time of publishing as their timestamp.
fn records_too_old(soak: &mut SoakFixture) {
    soak.limit_age(Some(seconds(2)));
    for _ in 0..5 {
        soak.proxy.set(Fault::Cut);
        soak.wait(seconds(5));
        soak.recover();
    }
    soak.limit_age(None);
}

/// With 32 callbacks in flight and 50 ms for an acknowledgement, the service can accept 640 per second. The flood sends four
/// times as many.
fn four_times_the_capacity(soak: &mut SoakFixture) {
    soak.restart(stop, &[("HTTP_MAX_IN_FLIGHT", "32")]);
    soak.proxy.set(Fault::Delay(Duration::from_millis(25)));
    soak.flood(256, Duration::from_millis(100), seconds(60));
    soak.proxy.set(Fault::None);
    soak.restart(stop, &[("HTTP_MAX_IN_FLIGHT", "4096")]);
    assert_back_to_normal(soak);
}

/// Asserts that a second later no callback is answered 503.
fn assert_back_to_normal(soak: &mut SoakFixture) {
    let refused = |soak: &SoakFixture| soak.bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#);
    soak.wait(seconds(1));
    let before = refused(soak);
    soak.wait(seconds(10));
    assert_eq!(refused(soak), before);
}

fn with_hostile_clients(soak: &mut SoakFixture, opening: hostile_clients::Opening) {
    let clients = HostileClients::start(soak.bridge.public, opening);
    soak.wait(seconds(60));
    soak.log_event(&clients.close());
}
