//! Random faults for a configurable time.

use std::time::{Duration, Instant};

use test_support::{machine::DiskError, proxy::Fault};

use crate::{
    fixture::{SoakFixture, kill, stop, stop_in_time},
    print_line, variable,
};

const AN_HOUR: u64 = 3600;
const MINUTE: Duration = Duration::from_secs(60);

type NamedFault = (&'static str, fn(&mut SoakFixture));

/// The faults to choose from.
const FAULTS: &[NamedFault] = &[
    ("a broker is killed", |soak| {
        let broker = any_broker(soak);
        soak.kafka.kill(broker);
    }),
    ("a broker is stopped", |soak| {
        let broker = any_broker(soak);
        soak.kafka.stop(broker);
    }),
    ("all brokers are killed", |soak| (0..soak.kafka.size()).for_each(|broker| soak.kafka.kill(broker))),
    ("the network fails", |soak| {
        let fault = any_network(soak);
        soak.proxy.set(fault);
    }),
    ("the network to a broker fails", |soak| {
        let (broker, fault) = (any_broker(soak), any_network(soak));
        soak.proxy.set_one(broker, fault);
    }),
    ("the program is killed", |soak| soak.restart(kill, &[])),
    ("the program is stopped with SIGTERM", |soak| soak.restart(stop, &[])),
    ("Kafka and the program are killed", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.wait(Duration::from_millis(500));
        soak.restart(kill, &[]);
    }),
    ("the program is suspended", |soak| {
        let time = soak.random.below(10_000);
        soak.bridge.signal("STOP");
        std::thread::sleep(Duration::from_millis(time));
        soak.bridge.signal("CONT");
    }),
    ("the disk is full and Kafka is unreachable", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.machine.fail_writes(Some(DiskError::Full));
    }),
    ("syncs fail and Kafka is unreachable", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.machine.fail_syncs(Some(DiskError::Io));
    }),
    ("the disk is slow and Kafka is unreachable", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.machine.delay_syncs(Duration::from_millis(200));
    }),
    ("the spool is small and Kafka is unreachable", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.restart(kill, &[("SPOOL_MAX_BYTES", "1000000")]);
        let time = soak.random.below(12_000);
        soak.wait(Duration::from_millis(time));
        soak.restart(kill, &[("SPOOL_MAX_BYTES", "1000000000")]);
    }),
    ("lookups hang and Kafka is unreachable", |soak| {
        let time = any_lookup(soak);
        soak.machine.hang_lookups(time);
        soak.proxy.set(Fault::Cut);
    }),
    ("lookups of an unreachable broker hang", |soak| {
        let (broker, time) = (any_broker(soak), any_lookup(soak));
        soak.machine.hang_lookups_of(soak.proxy.port(broker), time);
        soak.proxy.set_one(broker, Fault::Cut);
    }),
    ("lookups hang, and the program is stopped", |soak| {
        let time = any_lookup(soak);
        soak.machine.hang_lookups(time);
        soak.proxy.set(Fault::Cut);
        soak.wait(Duration::from_millis(500));
        soak.restart(stop_in_time, &[]);
    }),
    ("the log is not read", |soak| {
        let time = soak.random.below(12_000);
        soak.hold_log_unread(1000, Duration::from_millis(time));
    }),
    ("records grow too old for their topic", |soak| {
        soak.proxy.set(Fault::Cut);
        soak.limit_age(Some(Duration::from_secs(1)));
        let time = 1000 + soak.random.below(5000);
        soak.wait(Duration::from_millis(time));
        soak.recover();
    }),
    ("the clock jumps", |soak| {
        let minutes = i64::try_from(soak.random.below(1440)).unwrap();
        soak.machine.set_clock(60 * (30 - minutes));
    }),
];

fn any_broker(soak: &mut SoakFixture) -> usize {
    soak.random.below(soak.kafka.size() as u64) as usize
}

fn any_lookup(soak: &mut SoakFixture) -> Duration {
    Duration::from_millis(500 + soak.random.below(20_000))
}

fn any_network(soak: &mut SoakFixture) -> Fault {
    let delay = Duration::from_millis(soak.random.below(3000));
    let rate = 1000 + soak.random.below(100_000);
    soak.random.pick(&[Fault::Cut, Fault::Delay(delay), Fault::Throttle(rate), Fault::Reset, Fault::Swallow])
}

/// Injects one fault after another, with time to recover between them.
pub(crate) fn play(soak: &mut SoakFixture) {
    let (began, length) = (Instant::now(), Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(AN_HOUR)));
    let mut last_report = began;
    print_line(&figures(soak, began));
    while began.elapsed() < length {
        let (name, fault) = soak.random.pick(FAULTS);
        soak.log_event(name);
        fault(soak);
        let time = soak.random.below(12_000);
        soak.wait(Duration::from_millis(time));
        remove_faults(soak);
        let time = soak.random.below(10_000);
        soak.wait(Duration::from_millis(time));
        if last_report.elapsed() >= MINUTE {
            last_report = Instant::now();
            print_line(&figures(soak, began));
        }
    }
    soak.recover();
    print_line(&figures(soak, began));
}

fn remove_faults(soak: &mut SoakFixture) {
    soak.machine.fail_writes(None);
    soak.machine.fail_syncs(None);
    soak.machine.delay_syncs(Duration::ZERO);
    soak.machine.set_clock(0);
    soak.machine.hang_lookups(Duration::ZERO);
    soak.recover();
    soak.limit_age(None);
    soak.log_event("all faults removed");
}

/// Figures that must not grow.
fn figures(soak: &SoakFixture, began: Instant) -> String {
    let page = soak.bridge.ask_admin("/metrics").body;
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    let [memory, descriptors, threads] =
        ["process_resident_memory_bytes", "process_open_fds", "process_threads"].map(|name| soak.bridge.metric(name));
    format!(
        "<!-- {:.0} min: {:.1} MiB, {descriptors} descriptors, {threads} threads, {series} series -->",
        began.elapsed().as_secs_f64() / 60.0,
        memory / f64::from(1 << 20)
    )
}
