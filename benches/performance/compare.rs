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

const KINDS: [Kind; 9] = [
    Kind::HttpFloor,
    Kind::Floor,
    Kind::Minimal,
    Kind::Bridge,
    Kind::QuietBridge,
    Kind::StatefulBridge,
    Kind::FastApi,
    Kind::Express,
    Kind::Go,
];
/// The servers that are also measured near their maximum rate.
const FAST: [Kind; 4] = [Kind::Floor, Kind::Minimal, Kind::Bridge, Kind::QuietBridge];
const FLOORS: &str = "of the floor's";
const MINIMALS: &str = "of the minimal service's";
const AT_MOST: &str = "at most";
const AT_LEAST: &str = "at least";
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
    contenders.iter().zip(KINDS).for_each(|(contender, kind)| contender.check(kind));

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
    at_half_of(Kind::Floor, "the floor");
    let own = at_half_of(Kind::Bridge, "the service");
    report_goals(&mut report, &full, &equal, &own);
    report.finish();
}

fn position(kind: Kind) -> usize {
    position_in(&KINDS, kind)
}

fn position_in(kinds: &[Kind], kind: Kind) -> usize {
    kinds.iter().position(|other| *other == kind).unwrap()
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
    let [floor, minimal] = [Kind::Floor, Kind::Minimal].map(|kind| &full[position(kind)]);
    let rows = KINDS.iter().zip(full).map(|(kind, rounds)| {
        [
            Cell::text(kind.name()),
            Cell::Spread(spread(rounds, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(rounds, floor, |round| round.cpu_micros), 2),
            Cell::Spread(ratio(rounds, minimal, |round| round.cpu_micros), 2),
            Cell::Spread(spread(rounds, |round| round.per_second), 0),
            Cell::Spread(spread(rounds, |round| round.p50), 1),
            Cell::Spread(spread(rounds, |round| round.p99), 1),
        ]
    });
    let title = format!("Full load on {CONNECTIONS} connections: median (least–most) of the rounds");
    let columns = ["Server", "CPU µs per callback", FLOORS, MINIMALS, "Answers/s", "p50 ms", "p99 ms"];
    report.table(&title, columns, rows.collect());
}

fn report_paced(report: &mut Report, rate: &str, kinds: &[Kind], paced: &Rounds) {
    let [floor, minimal] = [Kind::Floor, Kind::Minimal].map(|kind| &paced[position_in(kinds, kind)]);
    let rows = kinds.iter().zip(paced).map(|(kind, rounds)| {
        [
            Cell::text(kind.name()),
            Cell::Spread(spread(rounds, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(rounds, floor, |round| round.cpu_micros), 2),
            Cell::Spread(ratio(rounds, minimal, |round| round.cpu_micros), 2),
            Cell::Spread(spread(rounds, |round| round.p50), 2),
            Cell::Spread(spread(rounds, |round| round.p99), 2),
            Cell::Spread(ratio(rounds, floor, |round| round.p99), 2),
        ]
    });
    let title = format!("{rate}, on {CONNECTIONS} connections");
    let columns = ["Server", "CPU µs per callback", FLOORS, MINIMALS, "p50 ms", "p99 ms", "p99 of the floor's"];
    report.table(&title, columns, rows.collect());
}

/// The measurements are those under full load, at the equal rate, and at half of what the service can do.
fn report_goals(report: &mut Report, full: &Rounds, equal: &Rounds, own: &Rounds) {
    let cpu = |rounds: &Rounds, of: Kind, to: Kind| {
        ratio(&rounds[position(of)], &rounds[position(to)], |round| round.cpu_micros)
    };
    let at_half = |kind| &own[position_in(&FAST, kind)];
    let throughput = ratio(&full[position(Kind::Bridge)], &full[position(Kind::Floor)], |round| round.per_second);
    let goals = [
        (
            "CPU per callback under full load, of the minimal service's",
            cpu(full, Kind::Bridge, Kind::Minimal),
            AT_MOST,
            1.25,
        ),
        (
            "CPU per callback at 500 a second, of the minimal service's",
            cpu(equal, Kind::Bridge, Kind::Minimal),
            AT_MOST,
            1.1,
        ),
        ("CPU per callback under full load, of the floor's", cpu(full, Kind::Bridge, Kind::Floor), AT_MOST, 2.0),
        ("answers per second, of the floor's", throughput, AT_LEAST, 0.6),
        (
            "p99 at half of the service's throughput, of the floor's",
            ratio(at_half(Kind::Bridge), at_half(Kind::Floor), |round| round.p99),
            AT_MOST,
            1.5,
        ),
        ("FastAPI's CPU per callback, of the service's", cpu(full, Kind::FastApi, Kind::Bridge), AT_LEAST, 15.0),
        ("Express's CPU per callback, of the service's", cpu(full, Kind::Express, Kind::Bridge), AT_LEAST, 20.0),
        ("the Go service's CPU per callback, of the service's", cpu(full, Kind::Go, Kind::Bridge), AT_LEAST, 2.0),
    ];
    let rows = goals.map(|(what, found, relation, goal)| {
        let is_met = if relation == AT_MOST { found.median <= goal } else { found.median >= goal };
        [
            Cell::text(what),
            Cell::Spread(found, 2),
            Cell::text(format!("{relation} {goal}")),
            Cell::text(if is_met { "yes" } else { "no" }),
        ]
    });
    report.table(
        "Goals, for the service without the states of profiles",
        ["Ratio", "Found", "Goal", "Met"],
        rows.into(),
    );
}
