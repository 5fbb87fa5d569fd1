//! The cases, each a fault or several of a kind.

use std::time::Duration;

use crate::{
    crowd::{self, Crowd},
    random,
    stage::{COMPRESSION, Stage, kill, stop, stop_in_time},
    support::{Bridge, machine::DiskError, proxy::Fault},
};

/// The case that is played when none is named.
pub(crate) const RANDOM: &str = "random";

/// A fault, or several of a kind.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Only played when its whole name is given.
    pub(crate) is_long: bool,
    pub(crate) play: fn(&mut Stage),
}

const fn case(name: &'static str, play: fn(&mut Stage)) -> Case {
    Case { name, is_long: false, play }
}

pub(crate) const CASES: &[Case] = &[
    case("outages: all three brokers killed for 1 s", |stage| all_away_for(stage, 1)),
    case("outages: all three brokers killed for 10 s", |stage| all_away_for(stage, 10)),
    case("outages: all three brokers killed for 60 s", |stage| all_away_for(stage, 60)),
    Case { name: "ten-minutes", is_long: true, play: |stage| all_away_for(stage, 600) },
    case("outages: one of three killed for 10 s, each in turn", |stage| {
        in_turn(stage, |stage, broker| stage.kafka.kill(broker))
    }),
    case("outages: rolling restart, twice", rolling_restart),
    case("deaths: 25 kill -9 while publishing", |stage| deaths(stage, 25, kill, |_, _| {})),
    case("deaths: 25 kill -9 while Kafka is away", |stage| {
        deaths(stage, 25, kill, |stage, _| stage.door.set(Fault::Cut))
    }),
    case("deaths: 25 kill -9 while Kafka flaps", |stage| deaths(stage, 25, kill, flap)),
    case("deaths: 25 kill -9 while it drains", |stage| draining_deaths(stage, 25, kill)),
    case("deaths: 20 SIGTERM while publishing", |stage| deaths(stage, 20, stop, |_, _| {})),
    case("deaths: 15 SIGTERM while Kafka flaps", |stage| deaths(stage, 15, stop, flap)),
    case("deaths: 15 SIGTERM while it drains", |stage| draining_deaths(stage, 15, stop)),
    case("proxy: cut for 20 s", |stage| network(stage, Fault::Cut, 20)),
    case("proxy: 2 s latency each way for 30 s", |stage| network(stage, Fault::Delay(Duration::from_secs(2)), 30)),
    case("proxy: 1 kB/s for 30 s", |stage| network(stage, Fault::Throttle(1000), 30)),
    case("proxy: requests reset half way for 30 s", |stage| network(stage, Fault::Reset, 30)),
    case("proxy: half-open for 30 s", |stage| network(stage, Fault::Swallow, 30)),
    case("proxy: flapping every second for 5 min", flapping),
    case("machine: SIGSTOP for 20 s", stopped),
    case("machine: disk full and freed, twice", |stage| disk(stage, DiskError::Full)),
    case("machine: read-only and back, twice", |stage| disk(stage, DiskError::ReadOnly)),
    case("machine: writes fail, twice", |stage| disk(stage, DiskError::Io)),
    case("machine: syncs fail, twice", failing_syncs),
    case("machine: 500 ms for each sync, Kafka away for 20 s", slow_disk),
    case("machine: clock back a day, ahead half an hour", clock),
    case("names: look-ups hang for 60 s, all three brokers killed", hanging_lookups),
    case("names: look-ups of one broker hang, 2 s each, for 60 s", hanging_lookups_of_one),
    case("names: look-ups hang, 10 SIGTERM", stops_while_lookups_hang),
    case("log: not read for 20 s, 2,000 forged callbacks", unread_log),
    case("limits: records grow too old for their topic, five times", too_old),
    case("crowds: 512 callers more, none of whom rests, for 60 s", |stage| {
        stage.flood(512, Duration::ZERO, seconds(60));
        normal_again(stage);
    }),
    case("crowds: 4 times as much as may be worked on, for 60 s", four_times),
    case("crowds: idle connections, 60 s", |stage| among(stage, crowd::idle)),
    case("crowds: slow bodies, 60 s", |stage| among(stage, crowd::slow_body)),
    case("crowds: huge heads, 60 s", |stage| among(stage, crowd::huge_head)),
    case("crowds: endless chunks, resets, half-closed, smuggling, 60 s", |stage| among(stage, crowd::hostile)),
    case(RANDOM, random::play),
];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Killed, because without a majority a broker waits for minutes before it ends in good order.
fn all_away_for(stage: &mut Stage, time: u64) {
    (0..stage.kafka.size()).for_each(|broker| stage.kafka.kill(broker));
    stage.pass(seconds(time));
}

fn in_turn(stage: &mut Stage, end: fn(&mut Stage, usize)) {
    for broker in 0..stage.kafka.size() {
        end(stage, broker);
        stage.pass(seconds(10));
        stage.recover();
        stage.kafka.wait_until_in_sync(&stage.bridge.topic);
    }
}

fn rolling_restart(stage: &mut Stage) {
    for _ in 0..2 {
        in_turn(stage, |stage, broker| stage.kafka.stop(broker));
    }
}

/// The program ends again and again, each time at a random moment after this was done.
fn deaths(stage: &mut Stage, times: usize, end: fn(&mut Bridge), before: fn(&mut Stage, usize)) {
    for time in 0..times {
        before(stage, time);
        let moment = stage.random.below(1500);
        stage.pass(Duration::from_millis(moment));
        stage.restart(end, &[]);
    }
}

fn flap(stage: &mut Stage, time: usize) {
    stage.door.set(if time.is_multiple_of(2) { Fault::Cut } else { Fault::None });
}

/// Each time there is something to drain first.
fn draining_deaths(stage: &mut Stage, times: usize, end: fn(&mut Bridge)) {
    let one_by_one = [("KAFKA_PROPERTIES", "compression.type=lz4;batch.num.messages=1")];
    for _ in 0..times {
        stage.door.set(Fault::Cut);
        stage.pass(seconds(3));
        stage.door.set(Fault::None);
        stage.restart(end, &one_by_one);
        let moment = stage.random.below(1500);
        stage.pass(Duration::from_millis(moment));
        stage.restart(end, &one_by_one);
    }
    stage.restart(end, &[("KAFKA_PROPERTIES", COMPRESSION)]);
}

fn network(stage: &mut Stage, fault: Fault, time: u64) {
    stage.door.set(fault);
    stage.pass(seconds(time));
}

fn flapping(stage: &mut Stage) {
    for _ in 0..150 {
        let fault = stage.random.pick(&[Fault::Cut, Fault::Reset, Fault::Swallow]);
        stage.door.set(fault);
        stage.pass(seconds(1));
        stage.door.set(Fault::None);
        stage.pass(seconds(1));
    }
}

fn stopped(stage: &mut Stage) {
    stage.patience += seconds(20);
    stage.bridge.signal("STOP");
    std::thread::sleep(seconds(20));
    stage.bridge.signal("CONT");
}

fn disk(stage: &mut Stage, refusal: DiskError) {
    stage.door.set(Fault::Cut);
    for _ in 0..2 {
        stage.pass(seconds(5));
        stage.machine.fail_writes(Some(refusal));
        stage.pass(seconds(5));
        stage.machine.fail_writes(None);
    }
    stage.pass(seconds(5));
}

fn failing_syncs(stage: &mut Stage) {
    stage.door.set(Fault::Cut);
    for _ in 0..2 {
        stage.pass(seconds(5));
        stage.machine.fail_syncs(Some(DiskError::Io));
        stage.pass(seconds(5));
        stage.machine.fail_syncs(None);
    }
    stage.pass(seconds(5));
}

fn slow_disk(stage: &mut Stage) {
    stage.machine.delay_syncs(Duration::from_millis(500));
    stage.door.set(Fault::Cut);
    stage.pass(seconds(20));
    stage.recover();
    stage.machine.delay_syncs(Duration::ZERO);
}

fn clock(stage: &mut Stage) {
    for hours in [-48, 1, -2, 0] {
        stage.machine.set_clock(hours * 1800);
        stage.pass(seconds(5));
        stage.door.set(Fault::Cut);
        stage.pass(seconds(5));
        stage.door.set(Fault::None);
        stage.pass(seconds(5));
    }
}

fn hanging_lookups(stage: &mut Stage) {
    stage.machine.hang_lookups(seconds(30));
    all_away_for(stage, 60);
    stage.recover_names();
}

/// Each look-up fails in the end, so purges return and the next attempts begin, again and again.
fn hanging_lookups_of_one(stage: &mut Stage) {
    let broker = stage.kafka.leader(&stage.bridge.topic);
    stage.machine.hang_lookups_of(stage.door.port(broker), seconds(2));
    stage.door.set_one(broker, Fault::Cut);
    stage.pass(seconds(60));
    stage.recover_names();
}

fn stops_while_lookups_hang(stage: &mut Stage) {
    stage.machine.hang_lookups(seconds(30));
    stage.door.set(Fault::Cut);
    deaths(stage, 10, stop_in_time, |_, _| {});
    stage.recover_names();
}

fn unread_log(stage: &mut Stage) {
    stage.leave_log_unread(2000, seconds(20));
}

/// They are published with the time at which they are published, and behind each other.
fn too_old(stage: &mut Stage) {
    stage.limit_age(Some(seconds(2)));
    for _ in 0..5 {
        stage.door.set(Fault::Cut);
        stage.pass(seconds(5));
        stage.recover();
    }
    stage.limit_age(None);
}

/// With 32 at once and 50 ms until Kafka has answered, 640 each second are all that can be accepted; the flood offers four
/// times as many.
fn four_times(stage: &mut Stage) {
    stage.restart(stop, &[("HTTP_MAX_CONNECTIONS", "32")]);
    stage.door.set(Fault::Delay(Duration::from_millis(25)));
    stage.flood(256, Duration::from_millis(100), seconds(60));
    stage.door.set(Fault::None);
    stage.restart(stop, &[("HTTP_MAX_CONNECTIONS", "4096")]);
    normal_again(stage);
}

/// A second later nobody is refused any more.
fn normal_again(stage: &mut Stage) {
    let refused = |stage: &Stage| stage.bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#);
    stage.pass(seconds(1));
    let before = refused(stage);
    stage.pass(seconds(10));
    assert_eq!(refused(stage), before);
}

fn among(stage: &mut Stage, opening: crowd::Opening) {
    let crowd = Crowd::around(stage.bridge.public, opening);
    stage.pass(seconds(60));
    stage.tell(&crowd.disperse());
}
