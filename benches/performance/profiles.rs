//! Measures the states of profiles: how fast the events become states, how much memory the states take, how long the service
//! takes to start with many of them, how fast the commands answer from them, and what they cost callbacks.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use test_support::{
    histories::{EVENTS_OF_PROFILE, Histories},
    kafka::{Broker, unique_topic},
    program,
};

use crate::{
    callbacks::Shape,
    compare::{Measured, Settings, interleaved, ratio, spread},
    contender::{Contender, Kind, PARTITIONS},
    load::Clients,
    process::{peak_mib, peak_mib_until_exit, resident_mib},
    report::{Cell, Report},
    setting,
    state_size::bytes_of_state,
};

/// The largest number of profiles; the others are a tenth of it.
const MOST_PROFILES: usize = 1_000_000;
/// The events that wait for a service that starts, for profiles in all partitions.
const WAITING: usize = 100;
/// Far more than the slowest step takes.
const LIMIT: Duration = Duration::from_secs(3_600);
/// Callbacks per second, and their connections.
const RATES: [f64; 2] = [500.0, 5_000.0];
const CONNECTIONS: usize = 64;

/// The measurements with one number of profiles.
struct Size {
    per_second: f64,
    state_bytes: f64,
    start_seconds: f64,
    memory: f64,
    peak: f64,
    /// Of `ls` and of `show`, if there are profiles.
    commands: Option<[CommandCost; 2]>,
}

/// What a command takes that reads the states.
struct CommandCost {
    seconds: f64,
    peak: f64,
}

impl CommandCost {
    fn of(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.arg("profiles").args(arguments).envs(variables.iter().copied());
        let began = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let peak = peak_mib_until_exit(&mut child);
        let seconds = began.elapsed().as_secs_f64();
        assert!(child.wait().unwrap().success());
        Self { seconds, peak }
    }
}

pub(crate) fn run() {
    let most = setting("BENCH_PROFILES", MOST_PROFILES);
    let sizes = [(most / 10, 1), (most / 10, PARTITIONS), (most, PARTITIONS)];
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("profiles");
    let empty = measure(&kafka, 0, PARTITIONS).memory;
    let rows = sizes.map(|(profiles, partitions)| {
        let size = measure(&kafka, profiles, partitions);
        let [ls, show] = size.commands.expect("there are profiles");
        [
            Cell::Number(profiles as f64, 0),
            Cell::Number(f64::from(partitions), 0),
            Cell::Number(size.per_second, 0),
            Cell::Number(size.start_seconds, 1),
            Cell::Number(size.memory, 0),
            Cell::Number((size.memory - empty) * f64::from(1 << 20) / profiles as f64, 0),
            Cell::Number(size.peak, 0),
            Cell::Number(size.state_bytes, 0),
            Cell::Number(ls.seconds, 1),
            Cell::Number(ls.peak, 0),
            Cell::Number(show.seconds, 1),
        ]
    });
    let columns = [
        "Profiles",
        "Partitions",
        "Events/s",
        "Start s",
        "Memory MiB",
        "Bytes of memory per profile",
        "Peak MiB",
        "Bytes of a state in the topic",
        "`profiles ls` s",
        "`profiles ls` peak MiB",
        "`profiles show` s",
    ];
    let title = format!("{EVENTS_OF_PROFILE} events for each profile; without profiles {empty:.1} MiB");
    report.table(&title, columns, rows.into());
    compare_callbacks(&kafka, &mut report);
    report.finish();
}

/// Publishes the events, lets one service catch up with them, and starts another one with the states.
fn measure(kafka: &Broker, profiles: usize, partitions: i32) -> Size {
    let [events, states] = ["bench", "bench-states"].map(unique_topic);
    kafka.create_topic(&events, partitions);
    let histories = Histories { kafka, topic: &events, profiles };
    histories.publish();
    let variables =
        [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_TOPIC", &events), ("KAFKA_PROFILES_TOPIC", &states)];
    let start = || Contender::launch_cold("states", Kind::StatefulBridge, &variables);

    let server = start();
    let (before, began) = wait_for_states(&server, 1.min(profiles * EVENTS_OF_PROFILE));
    let (after, ended) = wait_for_states(&server, profiles * EVENTS_OF_PROFILE);
    let per_second = (after - before) as f64 / (ended - began).as_secs_f64();
    // It commits what it has applied, and leaves the group.
    server.terminate();

    histories.publish_more(WAITING);
    let began = Instant::now();
    let server = start();
    let (_, applied) = wait_for_states(&server, WAITING);
    Size {
        per_second,
        state_bytes: bytes_of_state(kafka, &states),
        start_seconds: (applied - began).as_secs_f64(),
        memory: resident_mib(server.process()),
        peak: peak_mib(server.process()),
        commands: (profiles > 0).then(|| {
            let last = format!("BU{:032x}", profiles - 1);
            [&["ls"][..], &["show", &last]].map(|arguments| CommandCost::of(arguments, &variables))
        }),
    }
}

/// Waits until this many events were applied; returns their number, and when it was read.
fn wait_for_states(server: &Contender, events: usize) -> (usize, Instant) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let page = server.ask_admin("/metrics");
        let series = r#"trusthub_profiles_events_total{outcome="applied"} "#;
        let applied =
            page.lines().find_map(|line| line.strip_prefix(series)).expect("the series exists").parse().unwrap();
        if applied >= events {
            return (applied, Instant::now());
        }
        assert!(Instant::now() < deadline, "{applied} events were applied");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Compares a service with the states of profiles with one that has turned them off.
fn compare_callbacks(kafka: &Broker, report: &mut Report) {
    let settings = Settings::read();
    let off = Contender::start_with("without states", Kind::Bridge, kafka, &[]);
    let on = Contender::start_with("with states", Kind::StatefulBridge, kafka, &[]);
    let contenders = [off, on];
    for rate in RATES {
        let rounds = interleaved(settings.rounds, &contenders, |contender| {
            let callbacks = Shape::USUAL.prepare((rate * settings.time.as_secs_f64()) as u64);
            let clients = Clients::connect(contender.address, CONNECTIONS);
            Measured::of(contender.at_work(|| clients.paced(callbacks, rate)))
        });
        let without = &rounds[0];
        let rows = contenders.iter().zip(&rounds).map(|(contender, rounds)| {
            [
                Cell::text(&contender.name),
                Cell::Spread(spread(rounds, |round| round.cpu_micros), 1),
                Cell::Spread(ratio(rounds, without, |round| round.cpu_micros), 2),
                Cell::Spread(spread(rounds, |round| round.p50), 2),
                Cell::Spread(spread(rounds, |round| round.p99), 2),
                Cell::Spread(ratio(rounds, without, |round| round.p99), 2),
            ]
        });
        let columns = ["Service", "CPU µs per callback", "of that without", "p50 ms", "p99 ms", "p99 of that without"];
        let title = format!("{rate} callbacks a second on {CONNECTIONS} connections");
        report.table(&title, columns, rows.collect());
    }
}
