//! A constant load for ten minutes, to detect growth over time.

use std::{thread, time::Duration};

use test_support::kafka::Broker;

use crate::{
    callbacks::Shape,
    contender::{Contender, Kind},
    load::Clients,
    process::{descriptors, resident_mib, threads},
    report::{Cell, Report, Spread},
    setting,
};

const CONNECTIONS: usize = 64;
/// Each slice opens new connections.
const SLICE: Duration = Duration::from_secs(10);
/// The number of slices in a row of the table.
const SLICES_IN_ROW: usize = 6;

/// Measurements of the service in the middle of a slice.
#[derive(Debug, Clone, Copy)]
struct Sample {
    memory: f64,
    descriptors: f64,
    threads: f64,
    series: f64,
    p99: f64,
    cpu_micros: f64,
}

pub(crate) fn run() {
    let rate = setting("BENCH_STEADY_RATE", 1_000.0);
    let slices = setting("BENCH_STEADY_SECONDS", 600) / SLICE.as_secs() as usize;
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("steady");
    let bridge = Contender::start(Kind::StatefulBridge, &kafka);
    let samples: Vec<_> = (0..slices).map(|_| sample(&bridge, rate)).collect();
    let rows = samples.chunks(SLICES_IN_ROW).enumerate().map(|(row, samples)| {
        let of = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect::<Spread>();
        let seconds = (row + 1) * SLICES_IN_ROW * SLICE.as_secs() as usize;
        [
            Cell::Number(seconds as f64, 0),
            Cell::Spread(of(|sample| sample.memory), 1),
            Cell::Spread(of(|sample| sample.descriptors), 0),
            Cell::Spread(of(|sample| sample.threads), 0),
            Cell::Spread(of(|sample| sample.series), 0),
            Cell::Spread(of(|sample| sample.p99), 1),
            Cell::Spread(of(|sample| sample.cpu_micros), 1),
        ]
    });
    let columns = ["Seconds", "Memory MiB", "Descriptors", "Threads", "Series", "p99 ms", "CPU µs per callback"];
    report.table(&format!("{rate} callbacks a second on {CONNECTIONS} connections"), columns, rows.collect());
    report.finish();
}

fn sample(bridge: &Contender, rate: f64) -> Sample {
    let callbacks = Shape::USUAL.prepare((rate * SLICE.as_secs_f64()) as u64);
    let clients = Clients::connect(bridge.address, CONNECTIONS);
    let process = bridge.process();
    thread::scope(|scope| {
        let middle = scope.spawn(|| {
            thread::sleep(SLICE / 2);
            (resident_mib(process), descriptors(process), threads(process), series(bridge))
        });
        let (answers, cpu_seconds) = bridge.at_work(|| clients.paced(callbacks, rate));
        let (memory, descriptors, threads, series) = middle.join().unwrap();
        let cpu_micros = cpu_seconds * 1e6 / answers.count() as f64;
        Sample { memory, descriptors, threads, series, p99: answers.milliseconds(0.99), cpu_micros }
    })
}

/// How many series the metrics page has.
fn series(bridge: &Contender) -> f64 {
    bridge.ask_admin("/metrics").lines().filter(|line| !line.starts_with('#')).count() as f64
}
