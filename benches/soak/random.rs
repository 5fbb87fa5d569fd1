//! Random faults for as long as one likes.

use std::time::{Duration, Instant};

use crate::{
    say,
    stage::{Stage, kill, stop, stop_in_time},
    support::{machine::DiskError, proxy::Fault},
    variable,
};

const AN_HOUR: u64 = 3600;
const MINUTE: Duration = Duration::from_secs(60);

type NamedFault = (&'static str, fn(&mut Stage));

/// What there is to choose from.
const FAULTS: &[NamedFault] = &[
    ("a broker is killed", |stage| {
        let broker = any_broker(stage);
        stage.kafka.kill(broker);
    }),
    ("a broker is stopped", |stage| {
        let broker = any_broker(stage);
        stage.kafka.stop(broker);
    }),
    ("all brokers are killed", |stage| (0..stage.kafka.size()).for_each(|broker| stage.kafka.kill(broker))),
    ("the network fails", |stage| {
        let fault = any_network(stage);
        stage.door.set(fault);
    }),
    ("the network to a broker fails", |stage| {
        let (broker, fault) = (any_broker(stage), any_network(stage));
        stage.door.set_one(broker, fault);
    }),
    ("the program is killed", |stage| stage.restart(kill, &[])),
    ("the program is told to end", |stage| stage.restart(stop, &[])),
    ("Kafka and the program are killed", |stage| {
        stage.door.set(Fault::Cut);
        stage.pass(Duration::from_millis(500));
        stage.restart(kill, &[]);
    }),
    ("the program is stopped", |stage| {
        let time = stage.random.below(10_000);
        stage.bridge.signal("STOP");
        std::thread::sleep(Duration::from_millis(time));
        stage.bridge.signal("CONT");
    }),
    ("the disk is full and Kafka away", |stage| {
        stage.door.set(Fault::Cut);
        stage.machine.fail_writes(Some(DiskError::Full));
    }),
    ("syncs fail and Kafka is away", |stage| {
        stage.door.set(Fault::Cut);
        stage.machine.fail_syncs(Some(DiskError::Io));
    }),
    ("the disk is slow and Kafka away", |stage| {
        stage.door.set(Fault::Cut);
        stage.machine.delay_syncs(Duration::from_millis(200));
    }),
    ("the spool is small and Kafka away", |stage| {
        stage.door.set(Fault::Cut);
        stage.restart(kill, &[("SPOOL_MAX_BYTES", "1000000")]);
        let time = stage.random.below(12_000);
        stage.pass(Duration::from_millis(time));
        stage.restart(kill, &[("SPOOL_MAX_BYTES", "1000000000")]);
    }),
    ("look-ups hang and Kafka is away", |stage| {
        let time = any_lookup(stage);
        stage.machine.hang_lookups(time);
        stage.door.set(Fault::Cut);
    }),
    ("look-ups of a broker hang, and it is away", |stage| {
        let (broker, time) = (any_broker(stage), any_lookup(stage));
        stage.machine.hang_lookups_of(stage.door.port(broker), time);
        stage.door.set_one(broker, Fault::Cut);
    }),
    ("look-ups hang, and the program is told to end", |stage| {
        let time = any_lookup(stage);
        stage.machine.hang_lookups(time);
        stage.door.set(Fault::Cut);
        stage.pass(Duration::from_millis(500));
        stage.restart(stop_in_time, &[]);
    }),
    ("the log is not read", |stage| {
        let time = stage.random.below(12_000);
        stage.leave_log_unread(1000, Duration::from_millis(time));
    }),
    ("records grow too old for their topic", |stage| {
        stage.door.set(Fault::Cut);
        stage.limit_age(Some(Duration::from_secs(1)));
        let time = 1000 + stage.random.below(5000);
        stage.pass(Duration::from_millis(time));
        stage.recover();
    }),
    ("the clock jumps", |stage| {
        let minutes = i64::try_from(stage.random.below(1440)).unwrap();
        stage.machine.set_clock(60 * (30 - minutes));
    }),
];

fn any_broker(stage: &mut Stage) -> usize {
    stage.random.below(stage.kafka.size() as u64) as usize
}

fn any_lookup(stage: &mut Stage) -> Duration {
    Duration::from_millis(500 + stage.random.below(20_000))
}

fn any_network(stage: &mut Stage) -> Fault {
    let delay = Duration::from_millis(stage.random.below(3000));
    let rate = 1000 + stage.random.below(100_000);
    stage.random.pick(&[Fault::Cut, Fault::Delay(delay), Fault::Throttle(rate), Fault::Reset, Fault::Swallow])
}

/// One fault after the other, with time to recover between them.
pub(crate) fn play(stage: &mut Stage) {
    let (began, length) = (Instant::now(), Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(AN_HOUR)));
    let mut told = began;
    say(&figures(stage, began));
    while began.elapsed() < length {
        let (name, fault) = stage.random.pick(FAULTS);
        stage.tell(name);
        fault(stage);
        let time = stage.random.below(12_000);
        stage.pass(Duration::from_millis(time));
        heal(stage);
        let time = stage.random.below(10_000);
        stage.pass(Duration::from_millis(time));
        if told.elapsed() >= MINUTE {
            told = Instant::now();
            say(&figures(stage, began));
        }
    }
    stage.recover();
    say(&figures(stage, began));
}

fn heal(stage: &mut Stage) {
    stage.machine.fail_writes(None);
    stage.machine.fail_syncs(None);
    stage.machine.delay_syncs(Duration::ZERO);
    stage.machine.set_clock(0);
    stage.machine.hang_lookups(Duration::ZERO);
    stage.recover();
    stage.limit_age(None);
    stage.tell("all is well");
}

/// What must not grow.
fn figures(stage: &Stage, began: Instant) -> String {
    let page = stage.bridge.ask_admin("/metrics").body;
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    let [memory, descriptors, threads] =
        ["process_resident_memory_bytes", "process_open_fds", "process_threads"].map(|name| stage.bridge.metric(name));
    format!(
        "<!-- {:.0} min: {:.1} MiB, {descriptors} descriptors, {threads} threads, {series} series -->",
        began.elapsed().as_secs_f64() / 60.0,
        memory / f64::from(1 << 20)
    )
}
