//! Memory of the service: at rest, and with a thousand connections and as many callbacks to remember as it ever does. The
//! floor, which has nothing to remember, shows how much of that is the HTTP server's and librdkafka's.

use std::{thread, time::Duration};

use crate::{
    callbacks::Shape,
    contender::{Contender, Kind, PARTITIONS},
    load::Crowd,
    process::{peak_mib, resident_mib},
    report::{Cell, Report},
    support::kafka::{Broker, unique_topic},
};

const REST: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 1_024;
/// More than the window of duplicates remembers.
const CALLBACKS: u64 = 120_000;
/// Usual operation after the rush, in callbacks a second and in seconds: allocators give memory back when they are asked
/// for some.
const AFTERWARDS: (u64, u64) = (500, 10);
/// As long as that window is.
const WINDOW: Duration = Duration::from_secs(600);

/// What is resident of one server, in MiB.
struct Resident {
    at_rest: f64,
    full: f64,
    peak: f64,
}

pub(crate) fn run() {
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("memory");
    let [bridge, floor] = [Kind::Bridge, Kind::Floor].map(|kind| measure(kind, &kafka));
    let rows = [
        ("10 s after the start, Kafka up, no callback yet", bridge.at_rest, floor.at_rest, "at most 20"),
        (
            "1,024 connections open, 100,000 callbacks remembered, 500 more a second",
            bridge.full,
            floor.full,
            "at most 48",
        ),
        ("the most at any time, under full load on them", bridge.peak, floor.peak, ""),
    ];
    let rows = rows.map(|(when, bridge, floor, goal)| {
        [Cell::text(when), Cell::Number(bridge, 1), Cell::text(goal), Cell::Number(floor, 1)]
    });
    report.table("Resident memory", ["When", "MiB", "Goal", "the floor's"], rows.into());
    report.finish();
}

fn measure(kind: Kind, kafka: &Broker) -> Resident {
    let topic = unique_topic("bench");
    kafka.create_topic(&topic, PARTITIONS);
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_TOPIC", &topic)];
    let server = Contender::launch_cold(kind.name(), kind, &variables);
    thread::sleep(REST);
    let at_rest = resident_mib(server.process());
    let crowd = Crowd::arrive(server.address, CONNECTIONS);
    let answers = crowd.full(Shape::USUAL.prepare(CALLBACKS), WINDOW);
    assert_eq!(answers.count() as u64, CALLBACKS, "too slow to fill the window");
    let (rate, seconds) = AFTERWARDS;
    crowd.paced(Shape::USUAL.prepare(rate * seconds), rate as f64);
    Resident { at_rest, full: resident_mib(server.process()), peak: peak_mib(server.process()) }
}
