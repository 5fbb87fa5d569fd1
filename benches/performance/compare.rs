//! Compares the service with its floor and with common frameworks, interleaved, with the same broker.

use std::{collections::BTreeMap, time::Duration};

use test_support::kafka::Broker;

use crate::{
    callbacks::Shape,
    contender::{Contender, Kind},
    load::{Answers, Clients},
    report::{Cell, Report, Spread},
    setting,
};

const KINDS: [Kind; 6] = [Kind::HttpFloor, Kind::Floor, Kind::Bridge, Kind::QuietBridge, Kind::FastApi, Kind::Express];
/// The servers that are also measured near their maximum rate.
const FAST: [Kind; 3] = [Kind::Floor, Kind::Bridge, Kind::QuietBridge];
const CONNECTIONS: usize = 512;
/// Callbacks per second that all servers can handle, so that none profits from larger batches.
const EQUAL_RATE: f64 = 500.0;
/// Callbacks are prepared for the rate of a short trial times this factor.
const HEADROOM: f64 = 1.5;
/// The maximum total size of prepared bodies.
const MOST_BYTES: usize = 512 << 20;

pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

impl Settings {
    pub(crate) fn read() -> Self {
        Self { rounds: setting("BENCH_ROUNDS", 5), time: Duration::from_secs_f64(setting("BENCH_SECONDS", 10.0)) }
    }
}

/// The measurements of one server in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) cpu_micros: f64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Measured {
    pub(crate) fn of((answers, cpu_seconds): (Answers, f64)) -> Self {
        Self {
            cpu_micros: cpu_seconds * 1e6 / answers.count() as f64,
            per_second: answers.per_second(),
            p50: answers.milliseconds(0.5),
            p99: answers.milliseconds(0.99),
        }
    }
}

/// The rounds of each server.
pub(crate) type Rounds = Vec<Vec<Measured>>;

/// One figure over the rounds of one server.
pub(crate) fn spread(rounds: &[Measured], figure: fn(&Measured) -> f64) -> Spread {
    rounds.iter().map(figure).collect()
}

/// One figure as a ratio to another server in the same round.
pub(crate) fn ratio(rounds: &[Measured], to: &[Measured], figure: fn(&Measured) -> f64) -> Spread {
    rounds.iter().zip(to).map(|(this, that)| figure(this) / figure(that)).collect()
}

pub(crate) fn run() {
    let settings = Settings::read();
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("compare");
    let contenders: Vec<_> = KINDS.iter().map(|kind| Contender::start(*kind, &kafka)).collect();

    let full = interleaved(settings.rounds, &contenders, |contender| full_load(contender, settings.time));
    report_full(&mut report, &full);

    let equal = interleaved(settings.rounds, &contenders, |contender| paced_load(contender, EQUAL_RATE, settings.time));
    report_paced(&mut report, &format!("{EQUAL_RATE} callbacks a second"), &KINDS, &equal);

    let fast: Vec<_> = contenders.into_iter().zip(KINDS).filter(|(_, kind)| FAST.contains(kind)).map(|c| c.0).collect();
    let mut at_half_of = |kind, name| {
        let rate = spread(&full[position(kind)], |round| round.per_second).median / 2.0;
        let paced = interleaved(settings.rounds, &fast, |contender| paced_load(contender, rate, settings.time));
        let title = format!("{rate:.0} callbacks a second, half of what {name} can do");
        report_paced(&mut report, &title, &FAST, &paced);
        paced
    };
    let paced = at_half_of(Kind::Floor, "the floor");
    at_half_of(Kind::Bridge, "the service");
    report_goals(&mut report, &full, &paced);
    report.finish();
}

fn position(kind: Kind) -> usize {
    KINDS.iter().position(|other| *other == kind).unwrap()
}

/// Each round begins with another server, so that the load of the broker affects all of them equally.
pub(crate) fn interleaved<C>(rounds: usize, contenders: &[C], measure: impl Fn(&C) -> Measured) -> Rounds {
    let mut measured: BTreeMap<usize, Vec<Measured>> = BTreeMap::new();
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let number = (round + turn) % contenders.len();
            measured.entry(number).or_default().push(measure(&contenders[number]));
        }
    }
    measured.into_values().collect()
}

fn full_load(contender: &Contender, time: Duration) -> Measured {
    measure_full(contender, Shape::USUAL, CONNECTIONS, time)
}

/// Measures full load, with as many callbacks as it may need.
pub(crate) fn measure_full(contender: &Contender, shape: Shape, connections: usize, time: Duration) -> Measured {
    let clients = Clients::connect(contender.address, connections);
    let trial = clients.full(shape.prepare(4 * connections as u64), time);
    let wanted = (trial.per_second() * time.as_secs_f64() * HEADROOM) as usize;
    let callbacks = shape.prepare(wanted.min(MOST_BYTES / shape.body) as u64);
    Measured::of(contender.at_work(|| clients.full(callbacks, time)))
}

fn paced_load(contender: &Contender, rate: f64, time: Duration) -> Measured {
    let callbacks = Shape::USUAL.prepare((rate * time.as_secs_f64()) as u64);
    let clients = Clients::connect(contender.address, CONNECTIONS);
    Measured::of(contender.at_work(|| clients.paced(callbacks, rate)))
}

fn report_full(report: &mut Report, full: &Rounds) {
    let floor = &full[position(Kind::Floor)];
    let rows = KINDS.iter().zip(full).map(|(kind, rounds)| {
        [
            Cell::text(kind.name()),
            Cell::Spread(spread(rounds, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(rounds, floor, |round| round.cpu_micros), 2),
            Cell::Spread(spread(rounds, |round| round.per_second), 0),
            Cell::Spread(spread(rounds, |round| round.p50), 1),
            Cell::Spread(spread(rounds, |round| round.p99), 1),
        ]
    });
    let title = format!("Full load on {CONNECTIONS} connections: median (least–most) of the rounds");
    let columns = ["Server", "CPU µs per callback", "of the floor's", "Answers/s", "p50 ms", "p99 ms"];
    report.table(&title, columns, rows.collect());
}

fn report_paced(report: &mut Report, rate: &str, kinds: &[Kind], paced: &Rounds) {
    let floor = &paced[kinds.iter().position(|kind| *kind == Kind::Floor).unwrap()];
    let rows = kinds.iter().zip(paced).map(|(kind, rounds)| {
        [
            Cell::text(kind.name()),
            Cell::Spread(spread(rounds, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(rounds, floor, |round| round.cpu_micros), 2),
            Cell::Spread(spread(rounds, |round| round.p50), 2),
            Cell::Spread(spread(rounds, |round| round.p99), 2),
            Cell::Spread(ratio(rounds, floor, |round| round.p99), 2),
        ]
    });
    let title = format!("{rate}, on {CONNECTIONS} connections");
    let columns = ["Server", "CPU µs per callback", "of the floor's", "p50 ms", "p99 ms", "p99 of the floor's"];
    report.table(&title, columns, rows.collect());
}

fn report_goals(report: &mut Report, full: &Rounds, paced: &Rounds) {
    let [floor, bridge, fastapi, express] =
        [Kind::Floor, Kind::Bridge, Kind::FastApi, Kind::Express].map(|kind| &full[position(kind)]);
    let cpu = |of: &[Measured], to: &[Measured]| ratio(of, to, |round| round.cpu_micros);
    let goals = [
        ("CPU per callback, of the floor's", cpu(bridge, floor), "at most", 1.25),
        ("answers per second, of the floor's", ratio(bridge, floor, |round| round.per_second), "at least", 0.85),
        (
            "p99 at half of the floor's throughput, of the floor's",
            ratio(&paced[1], &paced[0], |r| r.p99),
            "at most",
            1.3,
        ),
        ("FastAPI's CPU per callback, of the service's", cpu(fastapi, bridge), "at least", 10.0),
        ("Express's CPU per callback, of the service's", cpu(express, bridge), "at least", 5.0),
    ];
    let rows = goals.map(|(what, found, relation, goal)| {
        let is_met = if relation == "at most" { found.median <= goal } else { found.median >= goal };
        [
            Cell::text(what),
            Cell::Spread(found, 2),
            Cell::text(format!("{relation} {goal}")),
            Cell::text(if is_met { "yes" } else { "no" }),
        ]
    });
    report.table(
        "Goals, for the service with its default configuration",
        ["Ratio", "Found", "Goal", "Met"],
        rows.into(),
    );
}
