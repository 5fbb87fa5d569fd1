//! Measures the memory of the service: at rest, and with a thousand connections and a full dedup window. The floor, which has
//! no window, shows how much of that the HTTP server and librdkafka use.

use std::{thread, time::Duration};

use test_support::kafka::{Broker, unique_topic};

use crate::{
    callbacks::Shape,
    contender::{Contender, Kind, PARTITIONS},
    load::Clients,
    process::{peak_mib, resident_mib},
    report::{Cell, Report},
};

const REST: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 1_024;
/// More callbacks than the dedup window holds.
const CALLBACKS: u64 = 120_000;
/// Normal load after the full load, in callbacks per second and in seconds, because allocators return memory only while they
/// are in use.
const AFTERWARDS: (u64, u64) = (500, 10);
/// The length of the dedup window.
const WINDOW: Duration = Duration::from_secs(600);

/// The resident memory of one server, in MiB.
struct Resident {
    at_rest: f64,
    full: f64,
    peak: f64,
}

/// The name of a measurement, the server, and more of its variables.
type Variant = (&'static str, Kind, &'static [(&'static str, &'static str)]);

/// What the service is measured with.
const VARIANTS: [Variant; 3] = [
    ("trusthub-bridge without states of profiles and console", Kind::Bridge, &[]),
    ("with states of profiles", Kind::StatefulBridge, &[]),
    ("with a console", Kind::Bridge, &[("CONSOLE_BIND", "127.0.0.1:0")]),
];

pub(crate) fn run() {
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("memory");
    let floor = measure("floor", Kind::Floor, &kafka, &[]);
    let variants = VARIANTS.map(|(name, kind, variables)| (name, measure(name, kind, &kafka, variables)));
    let base = &variants[0].1;
    let goals = [
        ("10 s after the start, Kafka up, no callback yet", base.at_rest, floor.at_rest, "at most 14"),
        (
            "1,024 connections open, 100,000 callbacks remembered, 500 more a second",
            base.full,
            floor.full,
            "at most 44",
        ),
        ("the most at any time, under full load on them", base.peak, floor.peak, ""),
    ];
    let rows = goals.map(|(when, bridge, floor, goal)| {
        [Cell::text(when), Cell::Number(bridge, 1), Cell::text(goal), Cell::Number(floor, 1)]
    });
    report.table(
        "Resident memory without states of profiles and console",
        ["When", "MiB", "Goal", "the floor's"],
        rows.into(),
    );
    let rows = variants.iter().map(|(name, resident)| {
        [
            Cell::text(*name),
            Cell::Number(resident.at_rest, 1),
            Cell::Number(resident.full, 1),
            Cell::Number(resident.peak, 1),
        ]
    });
    report.table("What each part adds, in MiB", ["Service", "At rest", "With callbacks", "The most"], rows.collect());
    report.finish();
}

fn measure(name: &str, kind: Kind, kafka: &Broker, more: &[(&str, &str)]) -> Resident {
    let topic = unique_topic("bench");
    kafka.create_topic(&topic, PARTITIONS);
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_TOPIC", &topic)];
    let server = Contender::launch_cold(name, kind, &[&variables, more].concat());
    thread::sleep(REST);
    let at_rest = resident_mib(server.process());
    let clients = Clients::connect(server.address, CONNECTIONS);
    let answers = clients.full(Shape::USUAL.prepare(CALLBACKS), WINDOW);
    assert_eq!(answers.count() as u64, CALLBACKS, "too slow to fill the window");
    let (rate, seconds) = AFTERWARDS;
    clients.paced(Shape::USUAL.prepare(rate * seconds), rate as f64);
    Resident { at_rest, full: resident_mib(server.process()), peak: peak_mib(server.process()) }
}
