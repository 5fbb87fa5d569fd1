//! Measures whether the cost grows with accounts, the size of callbacks, connections and the spool.

use std::{
    fs,
    path::{Path, PathBuf},
};

use test_support::kafka::{Broker, unique_topic};

use crate::{
    callbacks::{Shape, sid, token},
    compare::{Rounds, Settings, interleaved, measure_full, ratio, spread},
    contender::{Contender, Kind},
    process::resident_mib,
    report::{Cell, Report},
    spools,
};

const ACCOUNTS: [u64; 3] = [1, 100, 25_000];
/// Up to the default of `HTTP_MAX_BODY_BYTES`.
const BODIES: [usize; 4] = [200, 2_000, 16_000, 65_536];
const CONNECTIONS: [usize; 3] = [16, 256, 4_096];
/// Enough connections to keep the service busy.
const SOME: usize = 64;

pub(crate) fn run() {
    let settings = Settings::read();
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("growth");
    accounts(&kafka, &settings, &mut report);
    bodies(&kafka, &settings, &mut report);
    connections(&kafka, &settings, &mut report);
    drop(kafka);
    spool(&settings, &mut report);
    report.finish();
}

fn accounts(kafka: &Broker, settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let cases = ACCOUNTS.map(|accounts| {
        let file = folder.0.join(format!("{accounts}.json"));
        let list: serde_json::Map<_, _> = (0..accounts).map(|n| (sid(n), vec![token(n)].into())).collect();
        fs::write(&file, serde_json::to_string(&list).unwrap()).unwrap();
        let variables = [("TWILIO_AUTH_TOKEN", ""), ("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap())];
        (Contender::start_with("accounts", Kind::Bridge, kafka, &variables), Shape { accounts, ..Shape::USUAL })
    });
    let rounds =
        interleaved(settings.rounds, &cases, |(bridge, shape)| measure_full(bridge, *shape, SOME, settings.time));
    let rows = cases.iter().zip(&rounds).map(|((bridge, shape), measured)| {
        [
            Cell::Number(shape.accounts as f64, 0),
            Cell::Spread(spread(measured, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.cpu_micros), 2),
            Cell::Spread(spread(measured, |round| round.per_second), 0),
            Cell::Spread(spread(measured, |round| round.p99), 1),
            Cell::Number(resident_mib(bridge.process()), 1),
        ]
    });
    let columns = ["Accounts", "CPU µs per callback", "of the first's", "Answers/s", "p99 ms", "Memory MiB"];
    report.table("Accounts", columns, rows.collect());
}

fn bodies(kafka: &Broker, settings: &Settings, report: &mut Report) {
    let cases = BODIES.map(|body| (Shape { body, ..Shape::USUAL }, SOME));
    beside_floor(kafka, settings, &cases, report, "Bytes of the body", |(shape, _)| shape.body);
}

fn connections(kafka: &Broker, settings: &Settings, report: &mut Report) {
    let cases = CONNECTIONS.map(|connections| (Shape::USUAL, connections));
    beside_floor(kafka, settings, &cases, report, "Connections", |(_, connections)| *connections);
}

/// The shape of the callbacks, and the number of connections.
type Case = (Shape, usize);

fn beside_floor(
    kafka: &Broker,
    settings: &Settings,
    cases: &[Case],
    report: &mut Report,
    what: &str,
    value: fn(&Case) -> usize,
) {
    let servers = [Kind::Floor, Kind::Bridge].map(|kind| Contender::start(kind, kafka));
    let pairs: Vec<_> = cases.iter().flat_map(|case| servers.iter().map(move |server| (server, case))).collect();
    let rounds = interleaved(settings.rounds, &pairs, |(server, (shape, connections))| {
        measure_full(server, *shape, *connections, settings.time)
    });
    let rows = cases.iter().zip(rounds.chunks(servers.len())).map(|(case, rounds)| {
        let [floor, bridge] = rounds else { unreachable!("two servers") };
        [
            Cell::Number(value(case) as f64, 0),
            Cell::Spread(spread(bridge, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(bridge, floor, |round| round.cpu_micros), 2),
            Cell::Spread(spread(bridge, |round| round.per_second), 0),
            Cell::Spread(ratio(bridge, floor, |round| round.per_second), 2),
            Cell::Spread(spread(bridge, |round| round.p99), 1),
            Cell::Spread(ratio(bridge, floor, |round| round.p99), 2),
        ]
    });
    let of_floor = "of the floor's";
    let columns =
        [what, "CPU µs per callback", "CPU of the floor's", "Answers/s", of_floor, "p99 ms", "p99 of the floor's"];
    report.table(what, columns, rows.collect());
}

fn spool(settings: &Settings, report: &mut Report) {
    let folder = Folder::new();
    let bridges = spools::EVENTS.map(|events| spools::launch(&folder.0, events));
    let rounds: Rounds =
        interleaved(settings.rounds, &bridges, |bridge| measure_full(bridge, Shape::USUAL, SOME, settings.time));
    let rows = spools::EVENTS.iter().zip(&bridges).zip(&rounds).map(|((events, bridge), measured)| {
        [
            Cell::Number(*events as f64, 0),
            Cell::Spread(spread(measured, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.cpu_micros), 2),
            Cell::Spread(spread(measured, |round| round.per_second), 0),
            Cell::Spread(spread(measured, |round| round.p50), 1),
            Cell::Spread(spread(measured, |round| round.p99), 1),
            Cell::Number(resident_mib(bridge.process()), 1),
        ]
    });
    let columns =
        ["Events at first", "CPU µs per callback", "of the first's", "Answers/s", "p50 ms", "p99 ms", "Memory MiB"];
    report.table("Events in the spool, Kafka unreachable", columns, rows.collect());
}

/// A folder that is removed with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("growth"));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
